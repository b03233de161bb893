//! What a task used of things that cost money.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A thing that is metered.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum UsageKind {
    /// Seconds a GPU worked, measured as the request's duration.
    GpuSeconds,
    /// Seconds of audio handed to transcription.
    AudioSeconds,
    /// Tokens sent to a language model.
    TokensIn,
    /// Tokens a language model answered.
    TokensOut,
    /// Bytes read from an object store.
    BytesRead,
    /// Bytes written to an object store.
    BytesWritten,
}

impl UsageKind {
    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GpuSeconds => "gpu_seconds",
            Self::AudioSeconds => "audio_seconds",
            Self::TokensIn => "tokens_in",
            Self::TokensOut => "tokens_out",
            Self::BytesRead => "bytes_read",
            Self::BytesWritten => "bytes_written",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::GpuSeconds,
            Self::AudioSeconds,
            Self::TokensIn,
            Self::TokensOut,
            Self::BytesRead,
            Self::BytesWritten,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == name)
    }
}

/// An amount of one metered thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// What was used.
    pub kind: UsageKind,
    /// The model or bucket it was used on; prices differ by it.
    pub of: String,
    /// How much, in the kind's own unit.
    pub amount: f64,
}

/// The price of one metered thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// What is used.
    pub kind: UsageKind,
    /// The model or bucket it is for; without one, for all that have no price of their own.
    #[serde(default)]
    pub of: Option<String>,
    /// US dollars.
    pub usd: f64,
    /// For how many units, e.g. 1000000 for prices per million tokens.
    #[serde(default = "one")]
    pub per: f64,
    /// Where the price comes from.
    pub why: String,
}

const fn one() -> f64 {
    1.0
}
