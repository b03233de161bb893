//! Answers that are neither runs nor definitions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The body of an error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorAnswer {
    /// The HTTP status again.
    pub status: u16,
    /// A name for the kind of error; later releases only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Which server said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Whether the server expects another try to do better.
    pub retryable: bool,
    /// What was wrong with which property.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub validation_errors: Vec<ValidationError>,
}

/// A property that broke a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ValidationError {
    /// Method, argument and property.
    pub path: String,
    /// The rule.
    pub message: String,
    /// What was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalid_value: Option<String>,
}

/// When a worker last asked for a task kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PollData {
    /// The task kind.
    pub queue_name: String,
    /// The domain, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The last to ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
    /// Milliseconds since the epoch.
    pub last_poll_time: i64,
}

/// A line of a task's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskLog {
    /// The line.
    pub log: String,
    /// The attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// Milliseconds since the epoch.
    pub created_time: i64,
}

/// What became of each entry of a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BulkResponse {
    /// Why, by entry.
    pub bulk_error_results: BTreeMap<String, String>,
    /// The entries that were accepted.
    pub bulk_successful_results: Vec<Value>,
}

/// What `/health` answers: a constant that says only that an HTTP thread answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Health {
    /// Always empty.
    pub health_results: Vec<Value>,
    /// Always empty.
    pub suppressed_health_results: Vec<Value>,
    /// Always true.
    pub healthy: bool,
}
