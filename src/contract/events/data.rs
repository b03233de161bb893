//! The data of each event. Fields stand in the order in which they are printed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{StepStatus, Topic, Word};

/// A transcript's status as browsers know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The pipeline works on it.
    Processing,
    /// The pipeline finished it.
    Ended,
    /// The pipeline gave it up.
    Error,
}

/// Data of `STATUS`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StatusData {
    /// The new status.
    pub value: Status,
}

/// Data of `DURATION`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct DurationData {
    /// Milliseconds.
    pub duration: f64,
}

/// Data of `WAVEFORM`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct WaveformData {
    /// Peaks between 0 and 1, two decimals.
    pub waveform: Vec<f64>,
}

/// Data of `TRANSCRIPT`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TranscriptData {
    /// All words, joined.
    pub text: String,
    /// Always absent in this pipeline.
    pub translation: Option<String>,
}

/// Data of `TOPIC`: the topic as it is stored, but for the duration.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TopicData {
    /// `UUIDv4`; a browser that knows it replaces the topic.
    pub id: String,
    /// Title after Reflector's re-capitalisation.
    pub title: String,
    /// At most two sentences.
    pub summary: String,
    /// Seconds: the start of its first word.
    pub timestamp: f64,
    /// The integer 0. A stored topic has it as the float 0.0.
    pub duration: u32,
    /// The words' text.
    pub transcript: String,
    /// The words.
    pub words: Vec<Word>,
}

/// Data of `FINAL_TITLE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FinalTitleData {
    /// The generated title, even where the row keeps another one.
    pub title: String,
}

/// Data of `FINAL_SHORT_SUMMARY`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FinalShortSummaryData {
    /// One paragraph.
    pub short_summary: String,
}

/// Data of `FINAL_LONG_SUMMARY`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FinalLongSummaryData {
    /// Markdown.
    pub long_summary: String,
}

/// Data of `PIPELINE_PROGRESS`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PipelineProgressData {
    /// The workflow execution.
    pub workflow_id: String,
    /// The task kind, e.g. `transcribe_track`.
    pub current_step: String,
    /// Counts from 1.
    pub step_index: u32,
    /// How many steps there are.
    pub total_steps: u32,
    /// The step's state.
    pub step_status: StepStatus,
}

impl From<&Topic> for TopicData {
    fn from(topic: &Topic) -> Self {
        Self {
            id: topic.id.clone(),
            title: topic.title.clone(),
            summary: topic.summary.clone(),
            timestamp: topic.timestamp,
            duration: 0,
            transcript: topic.transcript.clone(),
            words: topic.words.clone(),
        }
    }
}
