//! The dictionary of events: who causes each, where it is kept, who is told, and its data's
//! schema. `switchyard events` prints it.

use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;

use super::events::{
    DurationData, FinalLongSummaryData, FinalShortSummaryData, FinalTitleData,
    PipelineProgressData, StatusData, TopicData, TranscriptData, WaveformData,
};
use crate::model::{TaskName, TranscriptId};

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The transcript's status changed.
    Status,
    /// The mix's length is known.
    Duration,
    /// The waveform is made.
    Waveform,
    /// The words are merged.
    Transcript,
    /// A topic was named.
    Topic,
    /// The title was made.
    FinalTitle,
    /// The short summary was made.
    FinalShortSummary,
    /// The long summary was made.
    FinalLongSummary,
    /// A step moved.
    PipelineProgress,
}

/// A family of Redis channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// `ts:{transcript_id}`: everybody who looks at the transcript.
    Transcript,
    /// `user:{user_id}`: the owner's lists; names carry the prefix `TRANSCRIPT_`, data the id.
    Owner,
    /// `progress:{transcript_id}`: ours. The present client reports every event it does not know
    /// as an error, so progress must not travel on `ts:`.
    Progress,
}

impl Channel {
    /// The channel with its parameter in braces.
    pub const fn pattern(self) -> &'static str {
        match self {
            Self::Transcript => "ts:{transcript_id}",
            Self::Owner => "user:{user_id}",
            Self::Progress => "progress:{transcript_id}",
        }
    }

    /// The channel's own name; none for the owner of a transcript without one.
    pub fn name(self, transcript: &TranscriptId, owner: Option<&str>) -> Option<String> {
        match self {
            Self::Transcript => Some(format!("ts:{transcript}")),
            Self::Owner => owner.map(|user| format!("user:{user}")),
            Self::Progress => Some(format!("progress:{transcript}")),
        }
    }

    /// Whether messages are worded for the owner's lists.
    pub const fn is_the_owners(self) -> bool {
        matches!(self, Self::Owner)
    }
}

impl EventKind {
    /// All of them, in the order a run meets them.
    pub const ALL: [Self; 9] = [
        Self::Status,
        Self::Duration,
        Self::Waveform,
        Self::Transcript,
        Self::Topic,
        Self::FinalTitle,
        Self::FinalShortSummary,
        Self::FinalLongSummary,
        Self::PipelineProgress,
    ];

    /// The name in rows and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "STATUS",
            Self::Duration => "DURATION",
            Self::Waveform => "WAVEFORM",
            Self::Transcript => "TRANSCRIPT",
            Self::Topic => "TOPIC",
            Self::FinalTitle => "FINAL_TITLE",
            Self::FinalShortSummary => "FINAL_SHORT_SUMMARY",
            Self::FinalLongSummary => "FINAL_LONG_SUMMARY",
            Self::PipelineProgress => "PIPELINE_PROGRESS",
        }
    }

    /// Reads [`name`](Self::name) back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The tasks that cause it.
    pub const fn caused_by(self) -> &'static [TaskName] {
        match self {
            // `processing` when a run begins, `ended` or `error` when it is over.
            Self::Status => &[TaskName::GetRecording, TaskName::Finalize],
            Self::Duration => &[TaskName::MixdownTracks],
            Self::Waveform => &[TaskName::GenerateWaveform],
            Self::Transcript => &[TaskName::MergeTranscripts],
            Self::Topic => &[TaskName::DetectTopics],
            Self::FinalTitle => &[TaskName::GenerateTitle],
            Self::FinalShortSummary | Self::FinalLongSummary => &[TaskName::GenerateSummary],
            Self::PipelineProgress => &TaskName::ALL,
        }
    }

    /// Whether it is kept in `transcript.events`.
    pub const fn is_stored(self) -> bool {
        !matches!(self, Self::PipelineProgress)
    }

    /// Who is told, in order. A waveform reaches browsers by replay and by the API only.
    pub const fn channels(self) -> &'static [Channel] {
        match self {
            Self::Status | Self::Duration | Self::FinalTitle => {
                &[Channel::Transcript, Channel::Owner]
            }
            Self::Transcript | Self::Topic | Self::FinalShortSummary | Self::FinalLongSummary => {
                &[Channel::Transcript]
            }
            Self::Waveform => &[],
            Self::PipelineProgress => &[Channel::Progress],
        }
    }

    /// What has to be known beyond name and schema.
    const fn note(self) -> &'static str {
        match self {
            Self::Status => {
                "`processing` is told at the start and wiped from the row by the reset that \
                 follows; a status that does not change is neither kept nor told"
            }
            Self::Duration => "milliseconds; the encoder's delay is included",
            Self::Waveform => "kept in the row and never told: browsers get it by replay",
            Self::Transcript => "told even when nobody said a word",
            Self::Topic => "one per topic, in order, each with its words",
            Self::FinalTitle => "carries the generated title even where the row keeps another",
            Self::FinalShortSummary => "always before the long summary; left out when empty",
            Self::FinalLongSummary => "Markdown",
            Self::PipelineProgress => {
                "only the owner of a recording tells it, on a channel of its own: the present \
                 client takes an unknown event on `ts:` for an error"
            }
        }
    }

    /// The schema of its data.
    pub fn schema(self) -> Schema {
        fn of<T: JsonSchema>() -> Schema {
            schema_for!(T)
        }
        match self {
            Self::Status => of::<StatusData>(),
            Self::Duration => of::<DurationData>(),
            Self::Waveform => of::<WaveformData>(),
            Self::Transcript => of::<TranscriptData>(),
            Self::Topic => of::<TopicData>(),
            Self::FinalTitle => of::<FinalTitleData>(),
            Self::FinalShortSummary => of::<FinalShortSummaryData>(),
            Self::FinalLongSummary => of::<FinalLongSummaryData>(),
            Self::PipelineProgress => of::<PipelineProgressData>(),
        }
    }

    /// Its entry in the dictionary.
    pub fn entry(self) -> Entry {
        Entry {
            event: self.name(),
            caused_by: self.caused_by().to_vec(),
            stored: self.is_stored(),
            channels: self
                .channels()
                .iter()
                .map(|channel| Told {
                    channel: channel.pattern(),
                    event: if channel.is_the_owners() {
                        format!("TRANSCRIPT_{}", self.name())
                    } else {
                        self.name().to_owned()
                    },
                })
                .collect(),
            note: self.note(),
            data: self.schema(),
        }
    }
}

/// One entry of the dictionary.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// The event's name.
    pub event: &'static str,
    /// The tasks that cause it.
    pub caused_by: Vec<TaskName>,
    /// Whether it is kept in `transcript.events`.
    pub stored: bool,
    /// Where it is told, in order.
    pub channels: Vec<Told>,
    /// What has to be known beyond name and schema.
    pub note: &'static str,
    /// The JSON schema of its data.
    pub data: Schema,
}

/// A channel and the name an event has there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The channel with its parameter in braces.
    pub channel: &'static str,
    /// The event's name there.
    pub event: String,
}

/// The whole dictionary.
pub fn dictionary() -> Vec<Entry> {
    EventKind::ALL.into_iter().map(EventKind::entry).collect()
}

/// The events a task causes, for its file in `workflows/tasks/`.
pub fn caused_by(task: TaskName) -> Vec<EventKind> {
    EventKind::ALL
        .into_iter()
        .filter(|kind| kind.caused_by().contains(&task))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.name()), Some(kind));
        }
        assert_eq!(EventKind::parse("TRANSCRIPT_STATUS"), None);
    }

    #[test]
    fn three_kinds_go_to_the_owner() {
        let owners: Vec<_> = EventKind::ALL
            .into_iter()
            .filter(|kind| kind.channels().contains(&Channel::Owner))
            .map(EventKind::name)
            .collect();
        assert_eq!(owners, ["STATUS", "DURATION", "FINAL_TITLE"]);
    }

    #[test]
    fn progress_has_exactly_the_fields_that_were_asked_for() {
        let schema = serde_json::to_value(EventKind::PipelineProgress.schema()).unwrap();
        let fields: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(
            fields,
            [
                "workflow_id",
                "current_step",
                "step_index",
                "total_steps",
                "step_status"
            ]
        );
    }

    #[test]
    fn every_entry_describes_each_field_of_its_data() {
        for entry in dictionary() {
            let schema = serde_json::to_value(&entry.data).unwrap();
            for (name, field) in schema["properties"].as_object().unwrap() {
                let described = field.get("description").is_some();
                assert!(described, "{}.{name} is not described", entry.event);
            }
        }
    }

    #[test]
    fn the_summary_task_causes_two_events_of_its_own() {
        assert_eq!(
            caused_by(TaskName::GenerateSummary),
            [
                EventKind::FinalShortSummary,
                EventKind::FinalLongSummary,
                EventKind::PipelineProgress,
            ]
        );
        assert_eq!(caused_by(TaskName::PadTrack), [EventKind::PipelineProgress]);
    }

    #[test]
    fn an_entry_reads_alone() {
        let entry = serde_json::to_value(EventKind::Duration.entry()).unwrap();
        assert_eq!(entry["event"], "DURATION");
        assert_eq!(entry["caused_by"], serde_json::json!(["mixdown_tracks"]));
        assert_eq!(entry["stored"], true);
        assert_eq!(
            entry["channels"],
            serde_json::json!([
                {"channel": "ts:{transcript_id}", "event": "DURATION"},
                {"channel": "user:{user_id}", "event": "TRANSCRIPT_DURATION"},
            ])
        );
        assert_eq!(entry["data"]["required"], serde_json::json!(["duration"]));
    }
}
