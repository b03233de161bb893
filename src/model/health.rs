//! How closely Conductor is watched, and how long doubt lasts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The limits of an environment's health, in seconds where they are no counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthLimits {
    /// Between two looks.
    pub every_s: i64,
    /// One question may take.
    pub timeout_s: i64,
    /// The canary workflow may take, from its start to its end.
    pub canary_s: i64,
    /// Every task kind has to have been asked for within.
    pub polled_s: i64,
    /// A live run may be without a workflow.
    pub starting_s: i64,
    /// A live run may be without an attempt that begins or ends.
    pub stalled_s: i64,
    /// Bad signs have to last before the breaker opens.
    pub confirm_s: i64,
    /// The breaker stays open at least; doubled each time it opens again.
    pub cool_down_s: i64,
    /// Good looks in a row before more is trusted to Conductor.
    pub good_looks: u32,
    /// Those good looks have to last.
    pub steady_s: i64,
    /// Live runs get to end by themselves once the breaker is open.
    pub drain_s: i64,
}

impl Default for HealthLimits {
    /// What `docs/switchyard.example.toml` shows.
    fn default() -> Self {
        Self {
            every_s: 5,
            timeout_s: 3,
            canary_s: 5,
            polled_s: 60,
            starting_s: 20,
            stalled_s: 2100,
            confirm_s: 10,
            cool_down_s: 60,
            good_looks: 10,
            steady_s: 120,
            drain_s: 300,
        }
    }
}
