//! A task's input, made of its definition's expressions and what the run knows by now.

use serde_json::{Value, json};

use crate::{
    conductor::wire::{Map, Task, TaskDef, Workflow, WorkflowTask},
    engine::template,
};

/// The input of an attempt: the definition's parameters, filled up from the task definition's
/// template, with expressions resolved. A key that resolves to null falls back to the template's
/// value as it stands.
pub(super) fn of_task(
    run: &Workflow,
    task: &WorkflowTask,
    definition: Option<&TaskDef>,
    task_id: &str,
) -> Map {
    let mut parameters = task.input_parameters.clone();
    let Some(definition) = definition.filter(|d| !d.input_template.is_empty()) else {
        return resolved(run, &parameters, task_id);
    };
    with_template(&mut parameters, &definition.input_template);
    let mut input = resolved(run, &parameters, task_id);
    with_template(&mut input, &definition.input_template);
    input
}

/// Fills keys that are absent or null.
pub fn with_template(input: &mut Map, template: &Map) {
    for (key, value) in template {
        if input.get(key).is_none_or(Value::is_null) {
            input.insert(key.clone(), value.clone());
        }
    }
}

/// Resolves parameters against the run.
pub(super) fn resolved(run: &Workflow, parameters: &Map, task_id: &str) -> Map {
    template::resolve_map(parameters, &|root| match root {
        "workflow" => Some(workflow_root(run)),
        "CPEWF_TASK_ID" if !task_id.is_empty() => Some(json!(task_id)),
        reference => run.last_attempt(reference).map(task_root),
    })
}

fn workflow_root(run: &Workflow) -> Value {
    json!({
        "input": run.input,
        "output": run.output,
        "status": run.status,
        "workflowId": run.workflow_id,
        "parentWorkflowId": null,
        "parentWorkflowTaskId": null,
        "workflowType": run.workflow_name,
        "version": run.workflow_version,
        "correlationId": run.correlation_id,
        "reasonForIncompletion": run.reason_for_incompletion,
        "schemaVersion": 2,
        "variables": run.variables,
    })
}

fn task_root(task: &Task) -> Value {
    json!({
        "input": task.input_data,
        "output": task.output_data,
        "taskType": task.task_type,
        "status": task.status,
        "referenceTaskName": task.reference_task_name,
        "retryCount": task.retry_count,
        "correlationId": task.correlation_id,
        "pollCount": task.poll_count,
        "taskDefName": task.task_def_name,
        "scheduledTime": task.scheduled_time,
        "startTime": task.start_time,
        "endTime": task.end_time,
        "workflowInstanceId": task.workflow_instance_id,
        "taskId": task.task_id,
        "reasonForIncompletion": task.reason_for_incompletion,
        "callbackAfterSeconds": task.callback_after_seconds,
        "workerId": task.worker_id,
    })
}
