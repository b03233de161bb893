//! The list in `transcript.events`. What stands there stays to the byte; only its end grows.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{WriteError, json};
use crate::contract::python_json;
use crate::model::Event;

/// The event that carries a topic.
const TOPIC: &str = "TOPIC";

/// The items of the list as they are written.
pub(super) struct Events<'a>(Vec<&'a RawValue>);

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Identified<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

impl<'a> Events<'a> {
    /// Of the column's text; none where nothing stands.
    pub(super) fn read(text: Option<&'a str>) -> Result<Self, WriteError> {
        let items = serde_json::from_str::<Option<Vec<&RawValue>>>(text.unwrap_or("null"));
        let items = items.map_err(|_| WriteError::Row {
            column: "events",
            expected: "a list",
        })?;
        Ok(Self(items.unwrap_or_default()))
    }

    /// Whether an equal event is there; for a topic's, one of the same id.
    pub(super) fn hold(&self, event: &Event) -> bool {
        self.0.iter().any(|item| is_same(item.get(), event))
    }

    /// The list's text with that event at its end.
    pub(super) fn with(&self, event: &Event) -> Result<String, WriteError> {
        let new = python_json::to_string_spaced(event).map_err(|_| WriteError::Value {
            column: "events",
            expected: "an event",
        })?;
        let held = self.0.iter().map(|item| item.get());
        let items: Vec<&str> = held.chain([new.as_str()]).collect();
        Ok(format!("[{}]", items.join(", ")))
    }
}

fn is_same(item: &str, event: &Event) -> bool {
    let Ok(item) = serde_json::from_str::<Item<'_>>(item) else {
        return false;
    };
    if item.event != event.event {
        return false;
    }
    if event.event == TOPIC {
        let held = serde_json::from_str::<Identified<'_>>(item.data.get());
        return held.is_ok_and(|held| event.data["id"].as_str() == Some(&held.id));
    }
    let held = serde_json::from_str::<Value>(item.data.get());
    held.is_ok_and(|held| json::is_same(&held, &event.data))
}

/// Whether the event carries a topic.
pub(super) fn is_topic(event: &Event) -> bool {
    event.event == TOPIC
}

/// Whether the event tells of a new status.
pub(super) fn is_status(event: &Event) -> bool {
    event.event == "STATUS"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(name: &str, data: Value) -> Event {
        Event {
            event: name.to_owned(),
            data,
        }
    }

    #[test]
    fn what_stands_there_stays_to_the_byte() {
        let text = r#"[{"event":"A",  "data": {"x": 1e2, "y": "\ud83d"}}]"#;
        let events = Events::read(Some(text)).unwrap();
        let new = event("FINAL_TITLE", json!({ "title": "\u{c9}cole" }));
        assert_eq!(
            events.with(&new).unwrap(),
            r#"[{"event":"A",  "data": {"x": 1e2, "y": "\ud83d"}}, {"event": "FINAL_TITLE", "data": {"title": "\u00c9cole"}}]"#
        );
    }

    #[test]
    fn an_equal_event_is_found_whatever_its_text() {
        let text = r#"[{"data": {"duration": 5}, "event": "DURATION"}]"#;
        let events = Events::read(Some(text)).unwrap();
        assert!(events.hold(&event("DURATION", json!({ "duration": 5.0 }))));
        assert!(!events.hold(&event("DURATION", json!({ "duration": 6.0 }))));
        assert!(!events.hold(&event("WAVEFORM", json!({ "duration": 5.0 }))));
    }

    #[test]
    fn a_topics_event_is_known_by_its_id() {
        let text = r#"[{"event": "TOPIC", "data": {"id": "a", "title": "One"}}]"#;
        let events = Events::read(Some(text)).unwrap();
        assert!(events.hold(&event("TOPIC", json!({ "id": "a", "title": "Two" }))));
        assert!(!events.hold(&event("TOPIC", json!({ "id": "b", "title": "One" }))));
    }

    #[test]
    fn no_list_is_an_empty_list_and_something_else_is_an_error() {
        for text in [None, Some("null"), Some("[]")] {
            let events = Events::read(text).unwrap();
            let new = event("A", json!({}));
            assert_eq!(
                events.with(&new).unwrap(),
                r#"[{"event": "A", "data": {}}]"#
            );
        }
        assert!(Events::read(Some(r#"{"what": "Ana said"}"#)).is_err());
    }
}
