//! How far one step of a run is, in the words of the progress message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The state of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Nobody works on it yet.
    Pending,
    /// Somebody works on it, or will try again.
    InProgress,
    /// It is done.
    Completed,
    /// It was given up.
    Failed,
}
