//! Runs and the tasks in them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Map, WorkflowDef, WorkflowTask, null_as_default};

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkflowStatus {
    /// Tasks are scheduled as others end.
    #[default]
    Running,
    /// All went well.
    Completed,
    /// A task failed for good.
    Failed,
    /// A timeout ended it.
    TimedOut,
    /// Somebody ended it.
    Terminated,
    /// Nothing new is scheduled.
    Paused,
}

impl WorkflowStatus {
    /// Whether the run has ended.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Running | Self::Paused => false,
            Self::Completed | Self::Failed | Self::TimedOut | Self::Terminated => true,
        }
    }

    /// As on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Terminated => "TERMINATED",
            Self::Paused => "PAUSED",
        }
    }
}

/// How far an attempt at a task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskStatus {
    /// A worker has it, or it is a `JOIN` that waits.
    InProgress,
    /// The run ended before it did.
    Canceled,
    /// May be retried.
    Failed,
    /// May not be retried.
    FailedWithTerminalError,
    /// Went well.
    Completed,
    /// Failed for good, but is optional.
    CompletedWithErrors,
    /// Waits for a worker.
    #[default]
    Scheduled,
    /// Took too long; may be retried.
    TimedOut,
    /// Was left out.
    Skipped,
}

impl TaskStatus {
    /// Whether the attempt has ended.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::InProgress | Self::Scheduled)
    }

    /// Whether it has not failed. True while it is open, so ask together with [`Self::is_terminal`].
    pub const fn is_successful(self) -> bool {
        matches!(
            self,
            Self::InProgress
                | Self::Scheduled
                | Self::Completed
                | Self::CompletedWithErrors
                | Self::Skipped
        )
    }

    /// As on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Canceled => "CANCELED",
            Self::Failed => "FAILED",
            Self::FailedWithTerminalError => "FAILED_WITH_TERMINAL_ERROR",
            Self::Completed => "COMPLETED",
            Self::CompletedWithErrors => "COMPLETED_WITH_ERRORS",
            Self::Scheduled => "SCHEDULED",
            Self::TimedOut => "TIMED_OUT",
            Self::Skipped => "SKIPPED",
        }
    }
}

/// A run. Times are milliseconds since the epoch, 0 where it has not happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Workflow {
    /// When it was started, or restarted.
    pub create_time: i64,
    /// When its own record last changed.
    pub update_time: i64,
    /// How far it is.
    pub status: WorkflowStatus,
    /// When it ended.
    pub end_time: i64,
    /// Its id.
    pub workflow_id: String,
    /// All attempts at all tasks, in the order they were scheduled.
    #[serde(deserialize_with = "null_as_default")]
    pub tasks: Vec<Task>,
    /// As given at the start.
    #[serde(deserialize_with = "null_as_default")]
    pub input: Map,
    /// Resolved `outputParameters`, or the last task's output; once it has ended.
    #[serde(deserialize_with = "null_as_default")]
    pub output: Map,
    /// The starter's own key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Why it did not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_for_incompletion: Option<String>,
    /// Domain by task kind; `*` is every kind.
    #[serde(deserialize_with = "null_as_default")]
    pub task_to_domain: BTreeMap<String, String>,
    /// References of tasks that failed at least once; set when the run ends.
    #[serde(deserialize_with = "null_as_default")]
    pub failed_reference_task_names: Vec<String>,
    /// The definition it was started with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_definition: Option<Box<WorkflowDef>>,
    /// 0 to 99.
    pub priority: i32,
    /// Not used.
    #[serde(deserialize_with = "null_as_default")]
    pub variables: Map,
    /// When it was last retried or resumed; the run's timeout counts from here.
    pub last_retried_time: i64,
    /// Kinds of tasks that failed at least once; set when the run ends.
    #[serde(deserialize_with = "null_as_default")]
    pub failed_task_names: Vec<String>,
    /// The same as `create_time`.
    pub start_time: i64,
    /// The definition's version.
    pub workflow_version: i32,
    /// The definition's name.
    pub workflow_name: String,
}

impl Workflow {
    /// The last attempt at a reference.
    pub fn last_attempt(&self, reference: &str) -> Option<&Task> {
        self.tasks
            .iter()
            .rev()
            .find(|task| task.reference_task_name == reference)
    }
}

/// One attempt at a task. Times are milliseconds since the epoch, 0 where it has not happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Task {
    /// The kind for `SIMPLE` tasks, else `FORK` or `JOIN`.
    pub task_type: String,
    /// How far it is.
    pub status: TaskStatus,
    /// What the worker gets.
    #[serde(deserialize_with = "null_as_default")]
    pub input_data: Map,
    /// The definition's reference; the same for all attempts.
    pub reference_task_name: String,
    /// 0 for the first attempt.
    pub retry_count: i32,
    /// Position in the run, from 1.
    pub seq: i32,
    /// The run's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// How often it was handed out.
    pub poll_count: i32,
    /// The kind.
    pub task_def_name: String,
    /// When it was put into its queue.
    pub scheduled_time: i64,
    /// When it was first handed out.
    pub start_time: i64,
    /// When it ended.
    pub end_time: i64,
    /// The last sign of life while it was open.
    pub update_time: i64,
    /// Seconds it was held back when scheduled.
    pub start_delay_in_seconds: i64,
    /// The attempt before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retried_task_id: Option<String>,
    /// Whether another attempt follows.
    pub retried: bool,
    /// Whether the run has gone on from it.
    pub executed: bool,
    /// Always true.
    pub callback_from_worker: bool,
    /// From the task definition.
    pub response_timeout_seconds: i64,
    /// The run.
    pub workflow_instance_id: String,
    /// The run's workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_type: Option<String>,
    /// Unique per attempt.
    pub task_id: String,
    /// Why it did not complete, 500 characters at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_for_incompletion: Option<String>,
    /// Seconds until it may be handed out again.
    pub callback_after_seconds: i64,
    /// Who polled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
    /// What the worker reported.
    #[serde(deserialize_with = "null_as_default")]
    pub output_data: Map,
    /// Its part of the definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_task: Option<Box<WorkflowTask>>,
    /// The domain its queue is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Where the server put an input that is too big to be sent; workers cannot read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_input_payload_storage_path: Option<String>,
    /// Not used.
    pub iteration: i32,
    /// The run's.
    pub workflow_priority: i32,
}

/// What a worker reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskResult {
    /// The run.
    pub workflow_instance_id: String,
    /// The attempt.
    pub task_id: String,
    /// How it went.
    pub status: TaskResultStatus,
    /// Replaces the task's output.
    #[serde(default, deserialize_with = "null_as_default")]
    pub output_data: Map,
    /// Why it did not complete; cut to 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_for_incompletion: Option<String>,
    /// With `InProgress`: seconds until it may be handed out again.
    #[serde(default, deserialize_with = "null_as_default")]
    pub callback_after_seconds: i64,
    /// Who did it; left out, the task forgets who polled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
    /// Lines for the task's log.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub logs: Vec<super::TaskLog>,
    /// Only renews the lease; every other field is ignored.
    #[serde(default, deserialize_with = "null_as_default")]
    pub extend_lease: bool,
}

impl TaskResult {
    /// A result for this attempt, with no output.
    pub fn new(task: &Task, status: TaskResultStatus) -> Self {
        Self {
            workflow_instance_id: task.workflow_instance_id.clone(),
            task_id: task.task_id.clone(),
            status,
            output_data: Map::new(),
            reason_for_incompletion: None,
            callback_after_seconds: 0,
            worker_id: task.worker_id.clone(),
            logs: Vec::new(),
            extend_lease: false,
        }
    }
}

/// What a worker may report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskResultStatus {
    /// Gives the task back: it is handed out again after `callback_after_seconds`. Not a heartbeat.
    InProgress,
    /// May be retried.
    Failed,
    /// May not be retried.
    FailedWithTerminalError,
    /// Went well.
    Completed,
}

/// Asks for a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StartWorkflowRequest {
    /// The workflow.
    pub name: String,
    /// The highest if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i32>,
    /// The starter's own key; not unique for the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The run's input.
    pub input: Map,
    /// Domain by task kind; `*` is every kind.
    #[serde(
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub task_to_domain: BTreeMap<String, String>,
    /// 0 to 99.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
}
