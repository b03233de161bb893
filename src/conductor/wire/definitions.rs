//! Definitions: what a workflow consists of and how its tasks are retried and timed out.

use serde::{Deserialize, Serialize};

use super::{Map, null_as_default};

/// A workflow as it is registered, and as it is copied into each run at its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowDef {
    /// Milliseconds since the epoch; set by the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<i64>,
    /// Milliseconds since the epoch; set by the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_time: Option<i64>,
    /// Unique together with `version`.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A start without a version takes the highest.
    pub version: i32,
    /// In the order they run.
    #[serde(deserialize_with = "null_as_default")]
    pub tasks: Vec<WorkflowTask>,
    /// Names of inputs, for people.
    #[serde(deserialize_with = "null_as_default")]
    pub input_parameters: Vec<String>,
    /// The run's output, as expressions. Empty means the last task's output.
    #[serde(deserialize_with = "null_as_default")]
    pub output_parameters: Map,
    /// Workflow started when a run fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_workflow: Option<String>,
    /// Always 2.
    pub schema_version: i32,
    /// False forbids restarting a completed run.
    pub restartable: bool,
    /// A server-side listener; nothing here uses it.
    pub workflow_status_listener_enabled: bool,
    /// Who to ask; required by a server with default settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_email: Option<String>,
    /// What happens when `timeout_seconds` pass.
    #[serde(deserialize_with = "null_as_default")]
    pub timeout_policy: WorkflowTimeoutPolicy,
    /// Seconds a run may take; 0 is for ever.
    pub timeout_seconds: i64,
    /// Initial variables.
    #[serde(deserialize_with = "null_as_default")]
    pub variables: Map,
    /// Fills absent keys of a start's input.
    #[serde(deserialize_with = "null_as_default")]
    pub input_template: Map,
}

impl Default for WorkflowDef {
    fn default() -> Self {
        Self {
            create_time: None,
            update_time: None,
            name: String::new(),
            description: None,
            version: 1,
            tasks: Vec::new(),
            input_parameters: Vec::new(),
            output_parameters: Map::new(),
            failure_workflow: None,
            schema_version: 2,
            restartable: true,
            workflow_status_listener_enabled: false,
            owner_email: None,
            timeout_policy: WorkflowTimeoutPolicy::AlertOnly,
            timeout_seconds: 0,
            variables: Map::new(),
            input_template: Map::new(),
        }
    }
}

impl WorkflowDef {
    /// All tasks, those inside forks included, outer before inner.
    pub fn all_tasks(&self) -> Vec<&WorkflowTask> {
        fn walk<'a>(tasks: &'a [WorkflowTask], found: &mut Vec<&'a WorkflowTask>) {
            for task in tasks {
                found.push(task);
                for branch in &task.fork_tasks {
                    walk(branch, found);
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.tasks, &mut found);
        found
    }

    /// The task with this reference name, forks included.
    pub fn task(&self, reference: &str) -> Option<&WorkflowTask> {
        self.all_tasks()
            .into_iter()
            .find(|task| task.task_reference_name == reference)
    }
}

/// One step of a workflow definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowTask {
    /// The task kind; for `SIMPLE` also the queue.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// Unique in the run; expressions name it.
    #[serde(deserialize_with = "null_as_default")]
    pub task_reference_name: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The task's input, as expressions.
    #[serde(deserialize_with = "null_as_default")]
    pub input_parameters: Map,
    /// `SIMPLE`, `FORK_JOIN`, `FORK_JOIN_DYNAMIC`, `JOIN` and others of Conductor's.
    #[serde(rename = "type")]
    pub task_type: String,
    /// Input key with the list of tasks to fork.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic_fork_tasks_param: Option<String>,
    /// Input key with the map from reference name to input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic_fork_tasks_input_param_name: Option<String>,
    /// Branches of a static fork.
    #[serde(
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub fork_tasks: Vec<Vec<WorkflowTask>>,
    /// Seconds before the first attempt may be polled.
    pub start_delay: i64,
    /// Reference names a `JOIN` waits for.
    #[serde(
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub join_on: Vec<String>,
    /// Whether the run goes on when all attempts failed.
    #[serde(deserialize_with = "null_as_default")]
    pub optional: bool,
    /// The task definition as copied at the start of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_definition: Option<Box<TaskDef>>,
    /// Overrides the task definition's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_count: Option<i32>,
    /// Not used by `SIMPLE` tasks.
    #[serde(deserialize_with = "null_as_default")]
    pub async_complete: bool,
}

impl Default for WorkflowTask {
    fn default() -> Self {
        Self {
            name: String::new(),
            task_reference_name: String::new(),
            description: None,
            input_parameters: Map::new(),
            task_type: "SIMPLE".to_owned(),
            dynamic_fork_tasks_param: None,
            dynamic_fork_tasks_input_param_name: None,
            fork_tasks: Vec::new(),
            start_delay: 0,
            join_on: Vec::new(),
            optional: false,
            task_definition: None,
            retry_count: None,
            async_complete: false,
        }
    }
}

/// How attempts at one task kind are retried and timed out. All times are seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskDef {
    /// Milliseconds since the epoch; set by the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<i64>,
    /// Milliseconds since the epoch; set by the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_time: Option<i64>,
    /// The task kind.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Attempts after the first.
    pub retry_count: i32,
    /// From the first poll of an attempt; 0 is for ever.
    pub timeout_seconds: i64,
    /// Names of inputs, for people.
    #[serde(deserialize_with = "null_as_default")]
    pub input_keys: Vec<String>,
    /// Names of outputs, for people.
    #[serde(deserialize_with = "null_as_default")]
    pub output_keys: Vec<String>,
    /// What happens when `timeout_seconds` or `poll_timeout_seconds` pass.
    pub timeout_policy: TaskTimeoutPolicy,
    /// How the delay grows.
    pub retry_logic: RetryLogic,
    /// Before the next attempt.
    pub retry_delay_seconds: i64,
    /// From the last sign of life of a polled attempt; at least 1.
    pub response_timeout_seconds: i64,
    /// Attempts in progress at once, over all runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent_exec_limit: Option<i32>,
    /// Fills absent keys of the task's input.
    #[serde(deserialize_with = "null_as_default")]
    pub input_template: Map,
    /// Polls allowed per `rate_limit_frequency_in_seconds`; 0 is no limit.
    #[serde(deserialize_with = "null_as_default")]
    pub rate_limit_per_frequency: i32,
    /// The window of the rate limit.
    #[serde(deserialize_with = "null_as_default")]
    pub rate_limit_frequency_in_seconds: i32,
    /// Who to ask; required by a server with default settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_email: Option<String>,
    /// From being scheduled to being polled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_timeout_seconds: Option<i64>,
    /// Factor of `LINEAR_BACKOFF`.
    pub backoff_scale_factor: i32,
}

impl Default for TaskDef {
    fn default() -> Self {
        Self {
            create_time: None,
            update_time: None,
            name: String::new(),
            description: None,
            retry_count: 3,
            timeout_seconds: 0,
            input_keys: Vec::new(),
            output_keys: Vec::new(),
            timeout_policy: TaskTimeoutPolicy::TimeOutWf,
            retry_logic: RetryLogic::Fixed,
            retry_delay_seconds: 60,
            response_timeout_seconds: 3600,
            concurrent_exec_limit: None,
            input_template: Map::new(),
            rate_limit_per_frequency: 0,
            rate_limit_frequency_in_seconds: 1,
            owner_email: None,
            poll_timeout_seconds: None,
            backoff_scale_factor: 1,
        }
    }
}

/// What a task's timeout does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskTimeoutPolicy {
    /// Another attempt, if any is left.
    Retry,
    /// The whole run is timed out, without a retry.
    TimeOutWf,
    /// Nothing.
    AlertOnly,
}

impl TaskTimeoutPolicy {
    /// As on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "RETRY",
            Self::TimeOutWf => "TIME_OUT_WF",
            Self::AlertOnly => "ALERT_ONLY",
        }
    }
}

/// What a run's timeout does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkflowTimeoutPolicy {
    /// The run is timed out.
    TimeOutWf,
    /// Nothing.
    #[default]
    AlertOnly,
}

/// How the delay before the next attempt grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RetryLogic {
    /// The same each time.
    Fixed,
    /// `delay × 2^attempt`; the scale factor is not used.
    ExponentialBackoff,
    /// `delay × scale factor × (attempt + 1)`.
    LinearBackoff,
}
