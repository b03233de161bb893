//! How much has to be seen before a migration may go forward.

use serde::{Deserialize, Serialize};

/// The bounds of the preconditions of forward moves, one set for each environment. Counts are of
/// recordings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// The environment that has to be as far already; in cutover, that has to soak.
    pub after: Option<String>,
    /// How many people besides the one who asks have to approve a forward move.
    pub approvals: usize,
    /// Minutes that Conductor has to be well without a break.
    pub healthy_min: i64,
    /// Recordings the candidate has to have run well on in `parallel`.
    pub parallel_runs: i64,
    /// Comparisons before more recordings are shadowed.
    pub shadow_pairs: i64,
    /// Days a rehearsal stays good for.
    pub rehearsal_days: i64,
    /// Hours between two steps of cutover.
    pub dwell_hours: i64,
    /// Recordings the candidate has to have served at a step of cutover before the next.
    pub step_runs: i64,
    /// Days of `soak` before cleanup.
    pub soak_days: i64,
    /// Days the breaker has to have been quiet before cleanup.
    pub quiet_days: i64,
    /// Days without a start on Celery before the legacy task is archived, and before it is removed.
    pub legacy_quiet_days: i64,
    /// Whether the migration is held by itself where what the candidate serves says FAIL.
    pub hold_on_fail: bool,
}

impl Default for Bounds {
    /// What `docs/switchyard.example.toml` shows.
    fn default() -> Self {
        Self {
            after: None,
            approvals: 0,
            healthy_min: 30,
            parallel_runs: 10,
            shadow_pairs: 30,
            rehearsal_days: 7,
            dwell_hours: 24,
            step_runs: 10,
            soak_days: 14,
            quiet_days: 7,
            legacy_quiet_days: 14,
            hold_on_fail: false,
        }
    }
}
