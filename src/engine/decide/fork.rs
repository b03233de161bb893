//! Forks: one completed `FORK` task, the first task of each branch, and the `JOIN` that follows.

use serde_json::{Value, json};

use super::{Facts, NewId, Stop, Undecidable, input, schedule};
use crate::conductor::wire::{Map, Task, TaskStatus, Workflow, WorkflowTask};

/// `FORK_JOIN`: the branches stand in the definition.
pub(super) fn fixed(
    run: &Workflow,
    step: &WorkflowTask,
    facts: Facts<'_>,
    new_id: NewId<'_>,
) -> Result<Vec<Task>, Stop> {
    let mut tasks = vec![fork_task(run, step, Map::new(), facts, new_id)];
    for first in step.fork_tasks.iter().filter_map(|branch| branch.first()) {
        tasks.extend(schedule::tasks_for(run, first, facts, new_id)?);
    }
    let join = schedule::following(run, &step.task_reference_name)
        .filter(|next| next.task_type == "JOIN")
        .ok_or_else(|| {
            Stop::failed(
                "Fork task definition is not followed by a join task.  Check the blueprint",
            )
        })?;
    tasks.extend(schedule::tasks_for(run, &join, facts, new_id)?);
    Ok(tasks)
}

/// `FORK_JOIN_DYNAMIC`: the branches, one task each, and their inputs stand in the fork's input.
pub(super) fn dynamic(
    run: &Workflow,
    step: &WorkflowTask,
    facts: Facts<'_>,
    new_id: NewId<'_>,
) -> Result<Vec<Task>, Stop> {
    let given = input::of_task(run, step, None, "");
    let branches = branches(step, &given, facts)?;
    let inputs = given
        .get(
            step.dynamic_fork_tasks_input_param_name
                .as_deref()
                .unwrap_or_default(),
        )
        .unwrap_or(&Value::Null);
    let Value::Object(inputs) = inputs else {
        return Err(Stop::failed(format!(
            "Input to the dynamically forked tasks is not a map -> expecting a map of K,V  but found {}",
            kind_of(inputs)
        )));
    };

    let references: Vec<_> = branches
        .iter()
        .map(|branch| branch.task_reference_name.clone())
        .collect();
    let fork_input = Map::from_iter([
        ("forkedTaskDefs".to_owned(), json!(branches)),
        ("forkedTasks".to_owned(), json!(references)),
    ]);
    let mut tasks = vec![fork_task(run, step, fork_input, facts, new_id)];
    for branch in &branches {
        tasks.push(branch_task(run, step, branch, inputs, facts, new_id)?);
    }
    let join = schedule::following(run, &step.task_reference_name)
        .filter(|next| next.task_type == "JOIN")
        .ok_or_else(|| {
            Stop::failed(
                "Dynamic join definition is not followed by a join task.  Check the workflow definition.",
            )
        })?;
    tasks.push(schedule::join(run, &join, references, facts, new_id));
    Ok(tasks)
}

fn branches(step: &WorkflowTask, given: &Map, facts: Facts<'_>) -> Result<Vec<WorkflowTask>, Stop> {
    let list = given
        .get(step.dynamic_fork_tasks_param.as_deref().unwrap_or_default())
        .cloned()
        .unwrap_or_default();
    let branches: Option<Vec<WorkflowTask>> = serde_json::from_value(list).map_err(|_| {
        Stop::Undecidable(Undecidable(format!(
            "Cannot deserialize the list of tasks that `{}` is to fork",
            step.task_reference_name
        )))
    })?;
    let mut branches = branches.unwrap_or_default();
    for branch in &mut branches {
        if branch.task_type == "SIMPLE" && branch.task_definition.is_none() {
            branch.task_definition = facts.task_defs.get(&branch.name).cloned().map(Box::new);
        }
    }
    Ok(branches)
}

fn branch_task(
    run: &Workflow,
    step: &WorkflowTask,
    branch: &WorkflowTask,
    inputs: &Map,
    facts: Facts<'_>,
    new_id: NewId<'_>,
) -> Result<Task, Stop> {
    if branch.task_type != "SIMPLE" {
        return Err(Stop::failed(format!(
            "the embedded engine forks only SIMPLE tasks; `{}` is of type {}",
            branch.task_reference_name, branch.task_type
        )));
    }
    if run.last_attempt(&branch.task_reference_name).is_some() {
        return Err(Stop::failed(format!(
            "No dynamic tasks could be created for the Workflow: {}, Dynamic Fork Task: {}, attempted to create a duplicate task reference name: {}",
            run.workflow_name, step.task_reference_name, branch.task_reference_name
        )));
    }
    let mut task = schedule::simple(run, branch, facts, new_id)?;
    match inputs.get(&branch.task_reference_name) {
        None | Some(Value::Null) => {}
        Some(Value::Object(extra)) => task.input_data.extend(extra.clone()),
        Some(other) => {
            return Err(Stop::failed(format!(
                "Tasks could not be dynamically forked due to invalid input: `{}` has {} where a map is due",
                branch.task_reference_name,
                kind_of(other)
            )));
        }
    }
    Ok(task)
}

fn fork_task(
    run: &Workflow,
    step: &WorkflowTask,
    input: Map,
    facts: Facts<'_>,
    new_id: NewId<'_>,
) -> Task {
    let mut task = schedule::blank(run, step, "FORK", new_id);
    task.input_data = input;
    task.status = TaskStatus::Completed;
    task.start_time = facts.now;
    task.end_time = facts.now;
    task.update_time = facts.now;
    task
}

/// What a value is, without its content, which may be a meeting's.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
