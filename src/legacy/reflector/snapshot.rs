//! The control, taken when it is over and before people edit it.

use serde_json::{Value, json};

use super::{Reflector, ReflectorError, TranscriptStatus, tables::MADE};
use crate::legacy::{
    field::{Field, FieldError},
    rows,
};
use crate::model::{Outcome, TranscriptId};

/// What the legacy pipeline left in a transcript's row.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// What the run made. Rows do not tell why a run failed, what was published, posted and
    /// stored, how long it took or what it cost: these are empty.
    pub outcome: Outcome,
    /// Whether topics are no longer what the run's events told: somebody reassigned speakers
    /// since, and words, topics and captions are not the run's alone.
    pub edited: bool,
}

impl Reflector {
    /// The transcript's last run. None where there is no such transcript, or its run is not over;
    /// [`Reflector::status`] tells which.
    ///
    /// Post tasks follow the end: `audio_deleted` may still change then.
    pub async fn snapshot(&self, id: &TranscriptId) -> Result<Option<Snapshot>, ReflectorError> {
        self.read("reading what a run made", async |reading| {
            let Some(row) = reading.row(&MADE, id.as_str()).await? else {
                return Ok(None);
            };
            let row = Field::root(MADE.name, &row);
            if !TranscriptStatus::read(&row.at("status"))?.is_over() {
                return Ok(None);
            }
            Ok(Some(snapshot(&row)?))
        })
        .await
    }
}

fn snapshot(row: &Field<'_>) -> Result<Snapshot, FieldError> {
    let none: Value = json!({ "events": [] });
    let mut events = row.at("events");
    if events.is_null() {
        events = Field::root(MADE.name, &none).at("events");
    }
    let outcome = rows::outcome(row, &events)?;
    let edited = outcome.topics != rows::told_topics(&events)?;
    Ok(Snapshot { outcome, edited })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Value {
        let topic = json!({
            "id": "a", "title": "A", "summary": "About.", "timestamp": 0, "duration": 0.0,
            "transcript": " Yes.",
            "words": [{ "text": " Yes.", "start": 0.0, "end": 0.5, "speaker": 0 }],
        });
        json!({
            "id": "t", "status": "ended", "topics": [topic.clone()], "participants": null,
            "webvtt": "WEBVTT\n", "audio_deleted": null,
            "events": [
                { "event": "TOPIC", "data": topic },
                { "event": "FINAL_TITLE", "data": { "title": "First" } },
            ],
        })
    }

    fn taken(row: &Value) -> Result<Snapshot, FieldError> {
        snapshot(&Field::root("transcript", row))
    }

    #[test]
    fn a_row_nobody_touched_is_not_edited() {
        let snapshot = taken(&row()).unwrap();
        assert!(!snapshot.edited);
        assert_eq!(snapshot.outcome.words.len(), 1);
        assert_eq!(snapshot.outcome.title.as_deref(), Some("First"));
    }

    #[test]
    fn a_reassigned_speaker_is_noticed() {
        let mut row = row();
        row["topics"][0]["words"][0]["speaker"] = 1.into();
        assert!(taken(&row).unwrap().edited);
    }

    #[test]
    fn a_row_without_events_made_nothing_but_what_stands_in_it() {
        let mut row = row();
        row["events"] = Value::Null;
        row["topics"] = Value::Null;
        let snapshot = taken(&row).unwrap();
        assert_eq!(snapshot.outcome.title, None);
        assert!(snapshot.outcome.events.is_empty() && !snapshot.edited);
    }

    #[test]
    fn a_broken_column_is_named_and_not_quoted() {
        let mut row = row();
        row["topics"][0]["words"][0]["start"] = "what Ana said".into();
        let error = super::super::ReflectorError::from(taken(&row).unwrap_err()).to_string();
        assert_eq!(
            error,
            "a row of Reflector's `transcript`: `topics[0].words[0]` should be a word with text, \
             start, end and speaker"
        );
    }
}
