//! The fifteen task kinds. A task has one spelling everywhere: here, in `workflows/`, in
//! Conductor's queues and in file names under `workers/tasks/`.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A task kind of the workflow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TaskName {
    /// Asks Daily for the recording.
    GetRecording,
    /// Asks Daily who took part and maps them to tracks.
    GetParticipants,
    /// Writes the lists a dynamic fork needs.
    GenerateDynamicForkTasks,
    /// Puts one track on the recording's clock.
    PadTrack,
    /// Mixes the padded tracks into one MP3.
    MixdownTracks,
    /// Reduces the mix to its waveform.
    GenerateWaveform,
    /// Has one track transcribed.
    TranscribeTrack,
    /// Interleaves the tracks' words.
    MergeTranscripts,
    /// Cuts the words into topics and has each named.
    DetectTopics,
    /// Has the meeting named.
    GenerateTitle,
    /// Has the meeting summarised.
    GenerateSummary,
    /// Ends the transcript.
    Finalize,
    /// Deletes audio where a participant denied consent.
    CleanupConsent,
    /// Posts to Zulip.
    PostZulip,
    /// Tells the customer's webhook.
    SendWebhook,
}

impl TaskName {
    /// All of them, in the order a run meets them.
    pub const ALL: [Self; 15] = [
        Self::GetRecording,
        Self::GetParticipants,
        Self::GenerateDynamicForkTasks,
        Self::PadTrack,
        Self::MixdownTracks,
        Self::GenerateWaveform,
        Self::TranscribeTrack,
        Self::MergeTranscripts,
        Self::DetectTopics,
        Self::GenerateTitle,
        Self::GenerateSummary,
        Self::Finalize,
        Self::CleanupConsent,
        Self::PostZulip,
        Self::SendWebhook,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GetRecording => "get_recording",
            Self::GetParticipants => "get_participants",
            Self::GenerateDynamicForkTasks => "generate_dynamic_fork_tasks",
            Self::PadTrack => "pad_track",
            Self::MixdownTracks => "mixdown_tracks",
            Self::GenerateWaveform => "generate_waveform",
            Self::TranscribeTrack => "transcribe_track",
            Self::MergeTranscripts => "merge_transcripts",
            Self::DetectTopics => "detect_topics",
            Self::GenerateTitle => "generate_title",
            Self::GenerateSummary => "generate_summary",
            Self::Finalize => "finalize",
            Self::CleanupConsent => "cleanup_consent",
            Self::PostZulip => "post_zulip",
            Self::SendWebhook => "send_webhook",
        }
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names no task kind.
#[derive(Debug, thiserror::Error)]
#[error("no task kind is called `{0}`")]
pub struct UnknownTask(String);

impl FromStr for TaskName {
    type Err = UnknownTask;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|task| task.as_str() == name)
            .ok_or_else(|| UnknownTask(name.to_owned()))
    }
}
