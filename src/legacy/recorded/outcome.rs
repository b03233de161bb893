//! What the run made: rows, events and objects.

use std::path::Path;

use serde_json::Value;

use super::{
    super::field::{Field, RecordedError},
    read_json, subject, timings, wire,
};
use crate::model::{Event, Object, Outcome, OutcomeStatus, RecordingFacts, Topic, Word};

/// Reads the outcome; `transcript` is the row the run left.
pub(super) fn read(
    folder: &Path,
    transcript: &Field<'_>,
    recording: &RecordingFacts,
    objects: &Field<'_>,
) -> Result<Outcome, RecordedError> {
    let status = status(&transcript.at("status"))?;
    let requests = read_json(folder, "requests.json")?;
    let requests = Field::root("requests.json", &requests).items()?;
    let events = read_json(folder, "events.json")?;
    let events = Field::root("events.json", &events);
    let told = Told { events: &events };
    let timed = read_json(folder, "timings.json")?;
    let phases = timings::phases(&Field::root("timings.json", &timed))?;
    let topics = topics(&transcript.at("topics"))?;

    Ok(Outcome {
        status,
        failure: match status {
            OutcomeStatus::Ended => None,
            OutcomeStatus::Error => Some(wire::failure(folder, &requests)?),
        },
        participants: subject::participants(transcript)?,
        words: topics
            .iter()
            .flat_map(|topic| topic.words.iter().cloned())
            .collect(),
        topics,
        title: told.text("FINAL_TITLE", "title")?,
        short_summary: told.text("FINAL_SHORT_SUMMARY", "short_summary")?,
        long_summary: told.text("FINAL_LONG_SUMMARY", "long_summary")?,
        webvtt: transcript.at("webvtt").text_if_any()?,
        duration_ms: match told.last("DURATION")? {
            Some(data) => Some(data.at("duration").number()?),
            None => None,
        },
        waveform: match told.last("WAVEFORM")? {
            Some(data) => numbers(&data.at("waveform"))?,
            None => Vec::new(),
        },
        audio: None,
        events: events
            .items()?
            .iter()
            .map(|item| item.object::<Event>("an event with name and data"))
            .collect::<Result<_, _>>()?,
        published: wire::published(folder)?,
        zulip: wire::zulip(folder, &requests)?,
        webhook: wire::webhook(folder, &requests)?,
        objects: left_behind(objects, recording)?,
        deleted: deleted(objects, recording)?,
        audio_deleted: transcript.at("audio_deleted").value() == &Value::Bool(true),
        usage: timings::usage(&phases),
        steps: timings::steps(&phases),
    })
}

fn status(field: &Field<'_>) -> Result<OutcomeStatus, RecordedError> {
    match field.text()? {
        "ended" => Ok(OutcomeStatus::Ended),
        "error" => Ok(OutcomeStatus::Error),
        _ => Err(field.should_be("`ended` or `error`: the recorded run must be over")),
    }
}

fn topics(list: &Field<'_>) -> Result<Vec<Topic>, RecordedError> {
    let mut topics = Vec::new();
    for item in list.items_if_any()? {
        // Word by word, so that a complaint says which one.
        let words: Vec<Word> = item
            .at("words")
            .items()?
            .iter()
            .map(|word| word.object("a word with text, start, end and speaker"))
            .collect::<Result<_, _>>()?;
        topics.push(Topic {
            id: item.at("id").text()?.to_owned(),
            title: item.at("title").text()?.to_owned(),
            summary: item.at("summary").text()?.to_owned(),
            timestamp: item.at("timestamp").number()?,
            duration: item.at("duration").number()?,
            transcript: item.at("transcript").text()?.to_owned(),
            words,
        });
    }
    Ok(topics)
}

fn numbers(list: &Field<'_>) -> Result<Vec<f64>, RecordedError> {
    list.items()?.iter().map(Field::number).collect()
}

/// The kept events. Only they say what this run made: the row may hold an earlier run's.
struct Told<'a> {
    events: &'a Field<'a>,
}

impl<'a> Told<'a> {
    fn last(&self, name: &str) -> Result<Option<Field<'a>>, RecordedError> {
        let mut data = None;
        for event in self.events.items()? {
            if event.at("event").text()? == name {
                data = Some(event.at("data"));
            }
        }
        Ok(data)
    }

    fn text(&self, name: &str, field: &str) -> Result<Option<String>, RecordedError> {
        match self.last(name)? {
            Some(data) => Ok(Some(data.at(field).text()?.to_owned())),
            None => Ok(None),
        }
    }
}

/// The objects that are not the recording's own.
fn left_behind(
    objects: &Field<'_>,
    recording: &RecordingFacts,
) -> Result<Vec<Object>, RecordedError> {
    let mut left = Vec::new();
    for item in objects.at("after").items()? {
        let object = Object {
            bucket: item.at("bucket").text()?.to_owned(),
            key: item.at("key").text()?.to_owned(),
            content_type: item.at("content_type").text()?.to_owned(),
            size: item.at("size").count()?,
        };
        let in_folder = object
            .key
            .strip_prefix(&recording.object_key)
            .is_some_and(|rest| rest.starts_with('/'));
        if object.bucket != recording.bucket_name || !in_folder {
            left.push(object);
        }
    }
    left.sort();
    Ok(left)
}

/// The recording's keys that are gone, in the recording's own order.
fn deleted(objects: &Field<'_>, recording: &RecordingFacts) -> Result<Vec<String>, RecordedError> {
    let mut gone = Vec::new();
    for pair in objects.at("removed").items()? {
        let pair = pair.texts()?;
        if let [bucket, key] = &pair[..]
            && *bucket == recording.bucket_name
        {
            gone.push(key.clone());
        }
    }
    Ok(recording
        .track_keys
        .iter()
        .filter(|key| gone.contains(key))
        .cloned()
        .collect())
}
