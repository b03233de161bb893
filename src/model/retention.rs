//! How long what is kept of recordings is kept.

use serde::{Deserialize, Serialize};

/// Days that each class of data is kept, one set for each environment. The audit trail and the proofs of
/// deletion are kept for ever; sound goes when people take it back, by the sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionDays {
    /// What was said in meetings, and names of people in them: after the run is settled.
    pub texts_days: i64,
    /// Numbers and verdicts of runs, and their routes.
    pub numbers_days: i64,
    /// What people were told.
    pub notices_days: i64,
}

impl Default for RetentionDays {
    /// What `docs/switchyard.example.toml` shows.
    fn default() -> Self {
        Self {
            texts_days: 30,
            numbers_days: 400,
            notices_days: 90,
        }
    }
}
