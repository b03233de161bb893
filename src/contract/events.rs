//! The events of a run: the entry kept in `transcript.events`, and the messages browsers get.
//!
//! One event is built once and told twice: on `ts:{transcript}` as it is, and for three kinds on
//! `user:{user}` with a prefixed name and the transcript's id.

mod data;

use serde::Serialize;
use serde_json::Value;

pub use data::{
    DurationData, FinalLongSummaryData, FinalShortSummaryData, FinalTitleData,
    PipelineProgressData, Status, StatusData, TopicData, TranscriptData, WaveformData,
};

use super::{dictionary::EventKind, python_json};
use crate::model::{Event, Published, Topic, TranscriptId};

/// Something worth telling.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEvent {
    /// The transcript's status changed.
    Status(Status),
    /// The mix is made; its length in milliseconds.
    Duration(f64),
    /// The waveform is made.
    Waveform(Vec<f64>),
    /// The merged text.
    Transcript(String),
    /// A topic was named.
    Topic(Topic),
    /// The meeting's title.
    FinalTitle(String),
    /// The meeting's short summary.
    FinalShortSummary(String),
    /// The meeting's long summary.
    FinalLongSummary(String),
    /// A step moved.
    PipelineProgress(PipelineProgressData),
}

impl RunEvent {
    /// Its entry in the dictionary.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Status(_) => EventKind::Status,
            Self::Duration(_) => EventKind::Duration,
            Self::Waveform(_) => EventKind::Waveform,
            Self::Transcript(_) => EventKind::Transcript,
            Self::Topic(_) => EventKind::Topic,
            Self::FinalTitle(_) => EventKind::FinalTitle,
            Self::FinalShortSummary(_) => EventKind::FinalShortSummary,
            Self::FinalLongSummary(_) => EventKind::FinalLongSummary,
            Self::PipelineProgress(_) => EventKind::PipelineProgress,
        }
    }

    /// The entry of `transcript.events`, and the message on `ts:`.
    pub fn event(&self) -> Event {
        Event {
            event: self.kind().name().to_owned(),
            data: self.data(),
        }
    }

    fn data(&self) -> Value {
        match self {
            Self::Status(value) => data(StatusData { value: *value }),
            Self::Duration(duration) => data(DurationData {
                duration: *duration,
            }),
            Self::Waveform(waveform) => data(WaveformData {
                waveform: waveform.clone(),
            }),
            Self::Transcript(text) => data(TranscriptData {
                text: text.clone(),
                translation: None,
            }),
            Self::Topic(topic) => data(TopicData::from(topic)),
            Self::FinalTitle(title) => data(FinalTitleData {
                title: title.clone(),
            }),
            Self::FinalShortSummary(summary) => data(FinalShortSummaryData {
                short_summary: summary.clone(),
            }),
            Self::FinalLongSummary(summary) => data(FinalLongSummaryData {
                long_summary: summary.clone(),
            }),
            Self::PipelineProgress(progress) => data(progress),
        }
    }

    /// The messages browsers get, in order. `user_id` is the transcript's owner, if it has one.
    pub fn published(&self, transcript: &TranscriptId, user_id: Option<&str>) -> Vec<Published> {
        let kind = self.kind();
        let event = self.event();
        let owner = user_id.filter(|user| !user.is_empty());
        kind.channels()
            .iter()
            .filter_map(|channel| {
                let told = if channel.is_the_owners() {
                    for_owner(transcript, &event)
                } else {
                    event.clone()
                };
                Some(Published {
                    channel: channel.name(transcript, owner)?,
                    payload: print(&told),
                })
            })
            .collect()
    }
}

/// The event as the owner's channel tells it.
fn for_owner(transcript: &TranscriptId, event: &Event) -> Event {
    let mut data = serde_json::Map::new();
    data.insert("id".to_owned(), Value::from(transcript.as_str()));
    if let Value::Object(fields) = &event.data {
        data.extend(fields.clone());
    }
    Event {
        event: format!("TRANSCRIPT_{}", event.event),
        data: Value::Object(data),
    }
}

fn data(fields: impl Serialize) -> Value {
    serde_json::to_value(fields).expect("structs of text and numbers are JSON")
}

fn print(event: &Event) -> String {
    python_json::to_string_spaced(event).expect("an event is JSON already")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{StepStatus, Word};

    fn payloads(event: &RunEvent, user: Option<&str>) -> Vec<(String, String)> {
        event
            .published(&"T".into(), user)
            .into_iter()
            .map(|message| (message.channel, message.payload))
            .collect()
    }

    fn pair(channel: &str, payload: &str) -> (String, String) {
        (channel.to_owned(), payload.to_owned())
    }

    #[test]
    fn the_owner_is_told_after_the_transcripts_channel() {
        assert_eq!(
            payloads(&RunEvent::Status(Status::Processing), Some("U")),
            [
                pair(
                    "ts:T",
                    r#"{"event": "STATUS", "data": {"value": "processing"}}"#
                ),
                pair(
                    "user:U",
                    r#"{"event": "TRANSCRIPT_STATUS", "data": {"id": "T", "value": "processing"}}"#
                ),
            ]
        );
    }

    #[test]
    fn without_an_owner_only_the_transcripts_channel_is_told() {
        for user in [None, Some("")] {
            assert_eq!(
                payloads(&RunEvent::Duration(6238.02), user),
                [pair(
                    "ts:T",
                    r#"{"event": "DURATION", "data": {"duration": 6238.02}}"#
                )]
            );
        }
    }

    #[test]
    fn a_waveform_is_kept_and_not_told() {
        let event = RunEvent::Waveform(vec![0.0, 0.52, 1.0]);
        assert!(payloads(&event, Some("U")).is_empty());
        assert_eq!(
            print(&event.event()),
            r#"{"event": "WAVEFORM", "data": {"waveform": [0.0, 0.52, 1.0]}}"#
        );
    }

    #[test]
    fn an_empty_transcript_is_told_all_the_same() {
        assert_eq!(
            payloads(&RunEvent::Transcript(String::new()), Some("U")),
            [pair(
                "ts:T",
                r#"{"event": "TRANSCRIPT", "data": {"text": "", "translation": null}}"#
            )]
        );
    }

    #[test]
    fn a_topics_duration_is_an_integer_in_events() {
        let topic = Topic {
            id: "i".to_owned(),
            title: "t".to_owned(),
            summary: "s".to_owned(),
            timestamp: 1.0,
            duration: 0.0,
            transcript: " a".to_owned(),
            words: vec![Word {
                text: " a".to_owned(),
                start: 1.0,
                end: 1.5,
                speaker: 0,
            }],
        };
        assert_eq!(
            print(&RunEvent::Topic(topic).event()),
            concat!(
                r#"{"event": "TOPIC", "data": {"id": "i", "title": "t", "summary": "s", "#,
                r#""timestamp": 1.0, "duration": 0, "transcript": " a", "#,
                r#""words": [{"text": " a", "start": 1.0, "end": 1.5, "speaker": 0}]}}"#
            )
        );
    }

    #[test]
    fn progress_never_travels_on_a_channel_of_the_present_client() {
        let event = RunEvent::PipelineProgress(PipelineProgressData {
            workflow_id: "w".to_owned(),
            current_step: "pad_track".to_owned(),
            step_index: 3,
            total_steps: 13,
            step_status: StepStatus::InProgress,
        });
        assert_eq!(
            payloads(&event, Some("U")),
            [pair(
                "progress:T",
                concat!(
                    r#"{"event": "PIPELINE_PROGRESS", "data": {"workflow_id": "w", "#,
                    r#""current_step": "pad_track", "step_index": 3, "total_steps": 13, "#,
                    r#""step_status": "in_progress"}}"#
                )
            )]
        );
    }
}
