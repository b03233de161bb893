//! How much has to be seen before the evidence is enough.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The bounds of the gate, one set for each environment. How far a field's texts may be apart stands
/// with the field, in `comparisons/`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GateBounds {
    /// The rate of recordings with a failure, in percent, that the evidence has to rule out before
    /// the candidate serves.
    pub failure_percent: f64,
    /// The rate of recordings served with a failure, in percent, that live runs have to rule out
    /// before the legacy pipeline goes.
    pub soak_failure_percent: f64,
    /// Different days the evidence has to be from.
    pub days: i64,
    /// Different days of the week among them.
    pub weekdays: i64,
    /// Recordings of each class of tracks, duration and language that ever arrived; 0 asks for none.
    pub per_stratum: i64,
    /// What soft fields are held to.
    pub noise: NoiseFrom,
    /// The median of candidate / control in time has to be at most that; 0 does not ask.
    pub latency_ratio: f64,
    /// Cost per hour of audio, candidate / control, has to be at most that; 0 does not ask.
    pub cost_ratio: f64,
    /// Whether people have to have looked at differences.
    pub reviews: bool,
    /// Whether the comparison has to have caught planted defects.
    pub self_test: bool,
}

/// What soft fields are held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoiseFrom {
    /// How far the control differs from itself, by mirrors: without them nothing is decided.
    Mirrors,
    /// The bounds declared in `comparisons/`: a text outside of them is a failure.
    Declared,
}

impl Default for GateBounds {
    /// What `docs/switchyard.example.toml` shows.
    fn default() -> Self {
        Self {
            failure_percent: 5.0,
            soak_failure_percent: 2.0,
            days: 5,
            weekdays: 3,
            per_stratum: 3,
            noise: NoiseFrom::Mirrors,
            latency_ratio: 1.10,
            cost_ratio: 1.15,
            reviews: true,
            self_test: true,
        }
    }
}

/// What the gate comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    /// The evidence is enough, and speaks for the candidate.
    Pass,
    /// The evidence speaks against the candidate.
    Fail,
    /// It does neither so far.
    NotYet,
}

impl GateVerdict {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotYet => "not_yet",
        }
    }

    /// What people read.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::NotYet => "NOT YET",
        }
    }
}

impl fmt::Display for GateVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}
