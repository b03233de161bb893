//! What the run made: its row and events, what it sent, its objects and its time.

use std::path::Path;

use super::{RecordedError, read_json, timings, wire};
use crate::legacy::{field::Field, rows};
use crate::model::{Object, Outcome, OutcomeStatus, RecordingFacts};

/// Reads the outcome; `transcript` is the row the run left.
pub(super) fn read(
    folder: &Path,
    transcript: &Field<'_>,
    recording: &RecordingFacts,
    objects: &Field<'_>,
) -> Result<Outcome, RecordedError> {
    let events = read_json(folder, "events.json")?;
    let made = rows::outcome(transcript, &Field::root("events.json", &events))?;
    let requests = read_json(folder, "requests.json")?;
    let requests = Field::root("requests.json", &requests).items()?;
    let timed = read_json(folder, "timings.json")?;
    let phases = timings::phases(&Field::root("timings.json", &timed))?;

    Ok(Outcome {
        failure: match made.status {
            OutcomeStatus::Ended => None,
            OutcomeStatus::Error => Some(wire::failure(folder, &requests)?),
            OutcomeStatus::Withdrawn => Some(OutcomeStatus::WITHDRAWN.to_owned()),
        },
        published: wire::published(folder)?,
        zulip: wire::zulip(folder, &requests)?,
        webhook: wire::webhook(folder, &requests)?,
        objects: left_behind(objects, recording)?,
        deleted: deleted(objects, recording)?,
        usage: timings::usage(&phases),
        steps: timings::steps(&phases),
        ..made
    })
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
