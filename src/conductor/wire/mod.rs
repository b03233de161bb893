//! What Conductor sends and takes, as of 3.15.0 and tolerant of later releases: unknown fields are
//! ignored and missing ones have the server's defaults.
//!
//! Two rules of Conductor's JSON matter: a bean's null property is left out, and a map's null value
//! stays. Hence `Option` fields are skipped when `None`, while maps keep their nulls.

mod answers;
mod definitions;
mod execution;

pub use answers::{BulkResponse, ErrorAnswer, Health, PollData, TaskLog, ValidationError};
pub use definitions::{
    RetryLogic, TaskDef, TaskTimeoutPolicy, WorkflowDef, WorkflowTask, WorkflowTimeoutPolicy,
};
pub use execution::{
    StartWorkflowRequest, Task, TaskResult, TaskResultStatus, TaskStatus, Workflow, WorkflowStatus,
};

use serde::{Deserialize, Deserializer};

/// A JSON object whose null values matter.
pub type Map = serde_json::Map<String, serde_json::Value>;

/// Reads `null` as the default, as Conductor's server does for most properties.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
