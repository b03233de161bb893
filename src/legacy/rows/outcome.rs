//! What a run left in its transcript's row.

use crate::legacy::field::{Field, FieldError};
use crate::model::{Event, Outcome, OutcomeStatus, Topic, Word};

/// What the row and its kept events tell of a run that is over. What a row does not know (why it
/// failed, what was sent and stored, time and cost) is left empty.
pub(in crate::legacy) fn outcome(
    row: &Field<'_>,
    events: &Field<'_>,
) -> Result<Outcome, FieldError> {
    let told = Told { events };
    let topics = topics(&row.at("topics"))?;
    Ok(Outcome {
        status: status(&row.at("status"))?,
        participants: super::participants(row)?,
        words: topics
            .iter()
            .flat_map(|topic| topic.words.iter().cloned())
            .collect(),
        topics,
        title: told.text("FINAL_TITLE", "title")?,
        short_summary: told.text("FINAL_SHORT_SUMMARY", "short_summary")?,
        long_summary: told.text("FINAL_LONG_SUMMARY", "long_summary")?,
        webvtt: row.at("webvtt").text_if_any()?,
        duration_ms: match told.last("DURATION")? {
            Some(data) => Some(data.at("duration").number()?),
            None => None,
        },
        waveform: match told.last("WAVEFORM")? {
            Some(data) => numbers(&data.at("waveform"))?,
            None => Vec::new(),
        },
        events: events
            .items()?
            .iter()
            .map(|item| item.object::<Event>("an event with name and data"))
            .collect::<Result<_, _>>()?,
        audio_deleted: row.at("audio_deleted").value() == &serde_json::Value::Bool(true),
        ..Outcome::default()
    })
}

fn status(field: &Field<'_>) -> Result<OutcomeStatus, FieldError> {
    match field.text()? {
        "ended" => Ok(OutcomeStatus::Ended),
        "error" => Ok(OutcomeStatus::Error),
        _ => Err(field.should_be("`ended` or `error`: the run must be over")),
    }
}

fn topics(list: &Field<'_>) -> Result<Vec<Topic>, FieldError> {
    list.items_if_any()?.iter().map(topic).collect()
}

/// The topics as the `TOPIC` events told them.
pub(in crate::legacy) fn told_topics(events: &Field<'_>) -> Result<Vec<Topic>, FieldError> {
    let mut topics = Vec::new();
    for event in events.items()? {
        if event.at("event").text()? == "TOPIC" {
            topics.push(topic(&event.at("data"))?);
        }
    }
    Ok(topics)
}

fn topic(item: &Field<'_>) -> Result<Topic, FieldError> {
    // Word by word, so that a complaint says which one.
    let words: Vec<Word> = item
        .at("words")
        .items()?
        .iter()
        .map(|word| word.object("a word with text, start, end and speaker"))
        .collect::<Result<_, _>>()?;
    Ok(Topic {
        id: item.at("id").text()?.to_owned(),
        title: item.at("title").text()?.to_owned(),
        summary: item.at("summary").text()?.to_owned(),
        timestamp: item.at("timestamp").number()?,
        duration: item.at("duration").number()?,
        transcript: item.at("transcript").text()?.to_owned(),
        words,
    })
}

fn numbers(list: &Field<'_>) -> Result<Vec<f64>, FieldError> {
    list.items()?.iter().map(Field::number).collect()
}

/// The kept events. Only they say what this run made: the row may hold an earlier run's, and
/// people edit it.
struct Told<'a> {
    events: &'a Field<'a>,
}

impl<'a> Told<'a> {
    fn last(&self, name: &str) -> Result<Option<Field<'a>>, FieldError> {
        let mut data = None;
        for event in self.events.items()? {
            if event.at("event").text()? == name {
                data = Some(event.at("data"));
            }
        }
        Ok(data)
    }

    fn text(&self, name: &str, field: &str) -> Result<Option<String>, FieldError> {
        match self.last(name)? {
            Some(data) => Ok(Some(data.at(field).text()?.to_owned())),
            None => Ok(None),
        }
    }
}
