//! The list in `transcript.topics`, and the captions that follow from it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{WriteError, json};
use crate::contract::{python_json, webvtt};
use crate::model::{Event, Topic, Word};

/// What both columns become.
#[derive(Debug, PartialEq)]
pub(super) struct Told {
    /// `transcript.topics`.
    pub(super) topics: String,
    /// `transcript.webvtt`.
    pub(super) webvtt: String,
}

#[derive(Deserialize)]
struct Held<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    words: Option<Vec<Word>>,
}

/// The topics with that event's: in the place of one of the same id, or at the end. The others stay
/// to the byte.
pub(super) fn with(text: Option<&str>, event: &Event) -> Result<Told, WriteError> {
    let topic = read(event)?;
    let new = python_json::to_string_spaced(&topic).map_err(|_| WriteError::NotATopic)?;

    let bad = |_| WriteError::Row {
        column: "topics",
        expected: "a list of topics with ids and words",
    };
    let items = serde_json::from_str::<Option<Vec<&RawValue>>>(text.unwrap_or("null"));
    let mut texts = Vec::new();
    let mut words = Vec::new();
    let mut is_there = false;
    for item in items.map_err(bad)?.unwrap_or_default() {
        let held: Held<'_> = serde_json::from_str(item.get()).map_err(bad)?;
        if held.id == topic.id {
            is_there = true;
            texts.push(new.as_str());
            words.extend(topic.words.iter().cloned());
        } else {
            texts.push(item.get());
            words.extend(held.words.unwrap_or_default());
        }
    }
    if !is_there {
        texts.push(&new);
        words.extend(topic.words.iter().cloned());
    }
    Ok(Told {
        topics: format!("[{}]", texts.join(", ")),
        webvtt: json::plain_text(&webvtt::of_words(&words)?).into_owned(),
    })
}

/// The topic as it is stored: the event has the whole number 0 for its duration, the row the
/// fraction 0.0, since the legacy reads its row back before it writes it.
fn read(event: &Event) -> Result<Topic, WriteError> {
    let topic: Topic =
        serde_json::from_value(json::plain(&event.data)).map_err(|_| WriteError::NotATopic)?;
    Ok(Topic {
        duration: 0.0,
        ..topic
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(id: &str, text: &str, start: f64) -> Event {
        Event {
            event: "TOPIC".to_owned(),
            data: json!({
                "id": id, "title": "T", "summary": "S", "timestamp": start, "duration": 0,
                "transcript": text,
                "words": [{ "text": text, "start": start, "end": start + 0.5, "speaker": 0 }],
            }),
        }
    }

    #[test]
    fn a_topic_is_stored_in_the_legacys_order_and_form() {
        let told = with(None, &event("a", " H\u{e9}", 1.0)).unwrap();
        assert_eq!(
            told.topics,
            concat!(
                r#"[{"id": "a", "title": "T", "summary": "S", "timestamp": 1.0, "duration": 0.0, "#,
                r#""transcript": " H\u00e9", "#,
                r#""words": [{"text": " H\u00e9", "start": 1.0, "end": 1.5, "speaker": 0}]}]"#
            )
        );
        assert_eq!(
            told.webvtt,
            "WEBVTT\n\n00:00:01.000 --> 00:00:01.500\n<v Speaker0>H\u{e9}\n"
        );
    }

    #[test]
    fn a_topic_of_the_same_id_is_replaced_in_place() {
        let one = with(None, &event("a", " one", 1.0)).unwrap().topics;
        let two = with(Some(&one), &event("b", " two", 2.0)).unwrap().topics;
        let told = with(Some(&two), &event("a", " uno", 1.0)).unwrap();
        let topics: Value = serde_json::from_str(&told.topics).unwrap();
        assert_eq!(topics[0]["transcript"], " uno");
        assert_eq!(topics[1]["transcript"], " two");
        assert_eq!(topics.as_array().unwrap().len(), 2);
        assert!(told.webvtt.contains("uno two"));
    }

    #[test]
    fn captions_need_the_words_of_all_topics_in_order() {
        let one = with(None, &event("a", " one", 5.0)).unwrap().topics;
        let error = with(Some(&one), &event("b", " two", 2.0)).unwrap_err();
        assert!(matches!(error, WriteError::OutOfOrder(_)));
        assert!(!error.is_transient());
    }

    #[test]
    fn what_is_no_topic_is_refused_and_not_quoted() {
        let mut broken = event("a", " hush", 1.0);
        broken.data["words"] = json!("hush");
        let error = with(None, &broken).unwrap_err();
        assert!(matches!(error, WriteError::NotATopic));
        assert!(!format!("{error} {error:?}").contains("hush"));
        let error = with(Some(r#"[{"hush": 1}]"#), &event("a", " x", 1.0)).unwrap_err();
        assert!(matches!(
            error,
            WriteError::Row {
                column: "topics",
                ..
            }
        ));
    }

    #[test]
    fn a_nul_reaches_neither_topics_nor_captions() {
        let told = with(None, &event("a", " a\0b", 1.0)).unwrap();
        assert!(!told.topics.contains("\\u0000") && told.topics.contains("\\ufffd"));
        assert!(told.webvtt.contains("a\u{fffd}b"));
    }
}
