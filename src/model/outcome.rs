//! What one pipeline made of a recording. Control and candidate are told in the same words, so
//! that a comparison need not know which is which.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Participant, Topic, Usage, Word};

/// The result of one run, whichever pipeline it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// How it ended.
    pub status: OutcomeStatus,
    /// Why it failed: step, attempt and cause. No meeting text.
    pub failure: Option<String>,
    /// Who took part.
    pub participants: Vec<Participant>,
    /// All words, merged and in order.
    pub words: Vec<Word>,
    /// Topics in order.
    pub topics: Vec<Topic>,
    /// The title as the `FINAL_TITLE` event carries it.
    pub title: Option<String>,
    /// One paragraph.
    pub short_summary: Option<String>,
    /// Markdown.
    pub long_summary: Option<String>,
    /// Captions made of the topics' words.
    pub webvtt: Option<String>,
    /// Length of the mix in milliseconds, encoder delay included.
    pub duration_ms: Option<f64>,
    /// Peaks between 0 and 1, two decimals.
    pub waveform: Vec<f64>,
    /// What the mix is, read from the MP3 itself.
    pub audio: Option<AudioFacts>,
    /// The events kept in the transcript's row, in order.
    pub events: Vec<Event>,
    /// The messages sent to browsers, in order.
    pub published: Vec<Published>,
    /// The post or edit on Zulip.
    pub zulip: Option<HttpRequest>,
    /// The customer's webhook, first attempt.
    pub webhook: Option<HttpRequest>,
    /// The objects there are when all is done, beside the recording's own.
    pub objects: Vec<Object>,
    /// Keys of the recording that consent clean-up deleted.
    pub deleted: Vec<String>,
    /// The transcript's `audio_deleted`.
    pub audio_deleted: bool,
    /// How long each step took.
    pub steps: Vec<StepTiming>,
    /// What it used of things that cost money.
    pub usage: Vec<Usage>,
}

impl Outcome {
    /// The same without anything that was said in the meeting or sent because of it, and without names:
    /// numbers, times and keys of objects stay.
    #[must_use]
    pub fn without_texts(self) -> Self {
        Self {
            participants: Vec::new(),
            words: Vec::new(),
            topics: Vec::new(),
            title: None,
            short_summary: None,
            long_summary: None,
            webvtt: None,
            events: Vec::new(),
            published: Vec::new(),
            zulip: None,
            webhook: None,
            ..self
        }
    }

    /// Whether it holds any of that.
    pub fn has_texts(&self) -> bool {
        self.clone().without_texts() != *self
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeStatus {
    /// The transcript is there.
    #[default]
    Ended,
    /// The transcript is not there, or not whole.
    Error,
    /// Consent was denied while the run was under way, and its source was deleted under it. That
    /// says nothing about the pipeline.
    Withdrawn,
}

impl OutcomeStatus {
    /// What [`Withdrawn`](Self::Withdrawn) means, for people.
    pub const WITHDRAWN: &str =
        "consent was denied while the run was under way; its source is gone";
}

/// One entry of `transcript.events`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Its name, e.g. `DURATION`.
    pub event: String,
    /// Its data.
    pub data: serde_json::Value,
}

/// One message on a Redis channel, with its exact bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Published {
    /// `ts:{transcript}` or `user:{user}`.
    pub channel: String,
    /// The message.
    pub payload: String,
}

/// An HTTP request as it went out, or as it would have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HttpRequest {
    /// `POST` or `PATCH`.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Header names and values that the sender set, without credentials.
    pub headers: Vec<(String, String)>,
    /// The exact body.
    pub body: String,
}

/// An object a run left behind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Object {
    /// The bucket.
    pub bucket: String,
    /// The key a live run writes (a shadow run writes it below its own prefix).
    pub key: String,
    /// As the store reports it.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
}

/// What an MP3 holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AudioFacts {
    /// Hz.
    pub sample_rate: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Samples per channel, without the encoder's delay and padding.
    pub samples: u64,
    /// RMS of each 100 ms over both channels, 0 to 1; the shape two mixes are compared by.
    pub envelope: Vec<f32>,
}

/// How long one step took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepTiming {
    /// The task kind, or the legacy's own name for the step.
    pub step: String,
    /// Wall time in milliseconds, all members of a fork added up.
    pub wall_ms: f64,
}
