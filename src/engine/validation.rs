//! What a definition must look like: Conductor's rules and texts, and refusals of what this engine
//! would otherwise ignore in silence.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{decide::TASK_TYPES, template};
use crate::conductor::wire::{TaskDef, ValidationError, WorkflowDef, WorkflowTask};

/// Where in a call a definition stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Method and argument, e.g. `updateWorkflowDef.workflowDefList`.
    pub argument: &'a str,
    /// Whether the argument is a list.
    pub list: bool,
}

impl Place<'_> {
    pub(super) fn entry(&self, index: usize) -> String {
        if self.list {
            format!("{}[{index}]", self.argument)
        } else {
            self.argument.to_owned()
        }
    }
}

/// Collects broken rules.
struct Findings<'a> {
    place: &'a str,
    broken: Vec<ValidationError>,
}

impl Findings<'_> {
    fn add(&mut self, property: &str, message: impl Into<String>) {
        self.broken.push(ValidationError {
            path: if property.is_empty() {
                self.place.to_owned()
            } else {
                format!("{}.{property}", self.place)
            },
            message: message.into(),
            invalid_value: None,
        });
    }

    fn add_value(&mut self, property: &str, message: impl Into<String>, value: &dyn ToString) {
        self.add(property, message);
        if let Some(last) = self.broken.last_mut() {
            last.invalid_value = Some(value.to_string());
        }
    }

    fn owner(&mut self, email: Option<&str>, required: bool) {
        match email {
            None | Some("") if required => self.add("ownerEmail", "ownerEmail cannot be empty"),
            Some(email) if !email.is_empty() && !looks_like_email(email) => self.add_value(
                "ownerEmail",
                "ownerEmail should be valid email address",
                &email,
            ),
            _ => {}
        }
    }
}

fn looks_like_email(text: &str) -> bool {
    matches!(text.split_once('@'), Some((name, host))
        if !name.is_empty() && !host.is_empty() && !text.contains(char::is_whitespace))
}

/// The rules a workflow definition breaks.
pub(super) fn workflow(
    definition: &WorkflowDef,
    place: &str,
    owner_required: bool,
) -> Vec<ValidationError> {
    let mut findings = Findings {
        place,
        broken: Vec::new(),
    };
    let name = &definition.name;
    if name.is_empty() {
        findings.add_value("name", "WorkflowDef name cannot be null or empty", name);
    } else if name.contains(':') {
        findings.add_value(
            "name",
            "Workflow name cannot contain the following set of characters: ':'",
            name,
        );
    }
    if definition.schema_version != 2 {
        findings.add_value(
            "schemaVersion",
            "workflowDef schemaVersion: 2 is only supported",
            &definition.schema_version,
        );
    }
    findings.owner(definition.owner_email.as_deref(), owner_required);
    if definition.tasks.is_empty() {
        findings.add("tasks", "WorkflowTask list cannot be empty");
    }
    if definition.failure_workflow.is_some() {
        findings.add(
            "failureWorkflow",
            "the embedded engine starts no failureWorkflow; leave it out or use Conductor",
        );
    }
    unique_references(definition, &mut findings);
    for (index, task) in definition.all_tasks().into_iter().enumerate() {
        shape(task, &format!("tasks[{index}]"), &mut findings);
        for (key, value) in &task.input_parameters {
            parameter(key, value, task, definition, &mut findings);
        }
    }
    for (key, value) in &definition.output_parameters {
        readable(key, value, &mut findings);
    }
    findings.broken
}

fn unique_references(definition: &WorkflowDef, findings: &mut Findings<'_>) {
    let mut seen = BTreeSet::new();
    for task in definition.all_tasks() {
        let reference = &task.task_reference_name;
        if !reference.is_empty() && !seen.insert(reference) {
            findings.add(
                "",
                format!(
                    "taskReferenceName: {reference} should be unique across tasks for a given workflowDefinition: {}",
                    definition.name
                ),
            );
        }
    }
}

fn shape(task: &WorkflowTask, at: &str, findings: &mut Findings<'_>) {
    if task.name.is_empty() {
        let message = "WorkflowTask name cannot be empty or null";
        findings.add_value(&format!("{at}.name"), message, &"");
    }
    if task.task_reference_name.is_empty() {
        let message = "WorkflowTask taskReferenceName name cannot be empty or null";
        findings.add_value(&format!("{at}.taskReferenceName"), message, &"");
    }
    let required = |field: &str| {
        format!(
            "{field} field is required for taskType: FORK_JOIN_DYNAMIC taskName: {}",
            task.name
        )
    };
    match task.task_type.as_str() {
        "FORK_JOIN" if task.fork_tasks.is_empty() => findings.add(
            at,
            format!(
                "forkTasks should have atleast one task for taskType: FORK_JOIN taskName: {}",
                task.name
            ),
        ),
        "FORK_JOIN_DYNAMIC" => {
            if task.dynamic_fork_tasks_param.is_none() {
                findings.add(at, required("dynamicForkTasksParam"));
            }
            if task.dynamic_fork_tasks_input_param_name.is_none() {
                findings.add(at, required("dynamicForkTasksInputParamName"));
            }
        }
        known if TASK_TYPES.contains(&known) => {}
        other => findings.add_value(
            &format!("{at}.type"),
            format!(
                "the embedded engine runs only {}; run this workflow on Conductor",
                TASK_TYPES.join(", ")
            ),
            &other,
        ),
    }
}

fn parameter(
    key: &str,
    value: &Value,
    task: &WorkflowTask,
    definition: &WorkflowDef,
    findings: &mut Findings<'_>,
) {
    match value {
        Value::Array(items) => {
            for item in items {
                parameter(key, item, task, definition, findings);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                parameter(key, value, task, definition, findings);
            }
        }
        Value::String(text) => {
            for path in template::expressions(text) {
                path_is_known(key, path, task, definition, findings);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn path_is_known(
    key: &str,
    path: &str,
    task: &WorkflowTask,
    definition: &WorkflowDef,
    findings: &mut Findings<'_>,
) {
    if path.is_empty() || path.contains(char::is_whitespace) {
        let message = format!("key: {key} input parameter value: {path} is not valid");
        return findings.add("", message);
    }
    // What is nested is known only when it is resolved.
    if path.contains("${") || path == "CPEWF_TASK_ID" {
        return;
    }
    let root = path.split('.').next().unwrap_or_default();
    if root != "workflow" && definition.task(root).is_none() {
        return findings.add(
            "",
            format!(
                "taskReferenceName: {root} for given task: {} input value: {key} of input parameter: ${{{path}}} is not defined in workflow definition.",
                task.name
            ),
        );
    }
    if let Err(problem) = template::check(path) {
        findings.add("", problem.to_string());
    }
}

/// Output parameters may name anybody, as on the server; they must only be readable here.
fn readable(key: &str, value: &Value, findings: &mut Findings<'_>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| readable(key, item, findings)),
        Value::Object(map) => map.iter().for_each(|(key, v)| readable(key, v, findings)),
        Value::String(text) => {
            for path in template::expressions(text) {
                if let Err(problem) = template::check(path) {
                    findings.add(&format!("outputParameters.{key}"), problem.to_string());
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The rules a task definition breaks.
pub(super) fn task(
    definition: &TaskDef,
    place: &str,
    owner_required: bool,
) -> Vec<ValidationError> {
    let mut findings = Findings {
        place,
        broken: Vec::new(),
    };
    if definition.name.is_empty() {
        findings.add("name", "TaskDef name cannot be null or empty");
    }
    let (response, timeout) = (
        definition.response_timeout_seconds,
        definition.timeout_seconds,
    );
    if timeout > 0 && response > timeout {
        findings.add(
            "",
            format!(
                "TaskDef: {} responseTimeoutSeconds: {response} must be less than timeoutSeconds: {timeout}",
                definition.name
            ),
        );
    }
    if definition.retry_count < 0 {
        findings.add_value(
            "retryCount",
            "TaskDef retryCount: 0 must be >= 0",
            &definition.retry_count,
        );
    }
    if response < 1 {
        findings.add_value(
            "responseTimeoutSeconds",
            format!("TaskDef responseTimeoutSeconds: {response} should be minimum 1 second"),
            &response,
        );
    }
    if let Some(seconds) = definition.poll_timeout_seconds.filter(|s| *s < 0) {
        findings.add_value(
            "pollTimeoutSeconds",
            "TaskDef pollTimeoutSeconds: 0 must be >= 0",
            &seconds,
        );
    }
    if definition
        .concurrent_exec_limit
        .is_some_and(|limit| limit > 0)
        || definition.rate_limit_per_frequency > 0
    {
        findings.add(
            "",
            format!(
                "TaskDef: {} has a concurrency or rate limit, which the embedded engine does not keep; limit the worker instead",
                definition.name
            ),
        );
    }
    findings.owner(definition.owner_email.as_deref(), owner_required);
    findings.broken
}
