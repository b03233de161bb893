//! Words, topics and participants in the shapes of Reflector's JSON columns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One spoken word. The text carries its own blank (before or after it), so words are joined
/// without a separator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Word {
    /// The word with its blank and punctuation.
    pub text: String,
    /// Seconds since the recording began.
    pub start: f64,
    /// Seconds since the recording began.
    pub end: f64,
    /// Index of the track that was spoken on.
    pub speaker: i64,
}

/// What the words say when read one after the other.
pub fn text_of(words: &[Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect()
}

/// One topic as stored in `transcript.topics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Topic {
    /// `UUIDv4`, new in every run.
    pub id: String,
    /// Title after Reflector's re-capitalisation.
    pub title: String,
    /// At most two sentences, as the model wrote them.
    pub summary: String,
    /// Seconds: the start of its first word.
    pub timestamp: f64,
    /// Always 0 in stored topics of this pipeline.
    pub duration: f64,
    /// The words' text.
    pub transcript: String,
    /// The words themselves.
    pub words: Vec<Word>,
}

/// One entry of `transcript.participants`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Participant {
    /// Daily's participant id, taken from the track's file name.
    pub id: String,
    /// Index of the participant's track among the camera audio tracks.
    pub speaker: Option<i64>,
    /// Daily's name, or `Speaker {index}`.
    pub name: String,
    /// Reflector's user, where Daily knows one.
    pub user_id: Option<String>,
}
