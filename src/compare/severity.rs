//! How bad a difference is, from worst to least.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a difference would mean for people after a cutover.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Severity {
    /// Data lost, consent broken, a wrong recipient, an effect lost or done twice.
    S0,
    /// A fact, a polarity, a speaker or a section is wrong.
    S1,
    /// Worse, though nothing said is wrong.
    S2,
    /// Nobody would mind.
    S3,
}

impl Severity {
    /// All of them, worst first.
    pub const ALL: [Self; 4] = [Self::S0, Self::S1, Self::S2, Self::S3];

    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::S2 => "S2",
            Self::S3 => "S3",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.as_str() == name)
    }

    /// Whether an open one is NO-GO whatever the statistics say.
    pub const fn blocks(self) -> bool {
        matches!(self, Self::S0 | Self::S1)
    }

    /// How much one counts when clusters are put in order: one S0 goes before ten S1.
    pub const fn weight(self) -> u64 {
        match self {
            Self::S0 => 1000,
            Self::S1 => 100,
            Self::S2 => 10,
            Self::S3 => 1,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
