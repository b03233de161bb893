//! Which tasks follow, and how a step of the definition becomes tasks of the run.

use super::{Facts, NewId, Stop, fork, input};
use crate::conductor::wire::{Map, Task, TaskStatus, Workflow, WorkflowDef, WorkflowTask};

/// The step after `reference`: in its branch, else after the fork it ends, else none.
pub(super) fn following(run: &Workflow, reference: &str) -> Option<WorkflowTask> {
    following_in(run.workflow_definition.as_ref()?, reference).cloned()
}

pub(super) fn following_in<'d>(
    definition: &'d WorkflowDef,
    reference: &str,
) -> Option<&'d WorkflowTask> {
    enum Found<'d> {
        Next(&'d WorkflowTask),
        AtTheEnd,
    }
    fn look<'d>(tasks: &'d [WorkflowTask], reference: &str) -> Option<Found<'d>> {
        for (index, task) in tasks.iter().enumerate() {
            let inside = task
                .fork_tasks
                .iter()
                .find_map(|branch| look(branch, reference));
            if let Some(Found::Next(next)) = inside {
                return Some(Found::Next(next));
            }
            if inside.is_some() || task.task_reference_name == reference {
                return Some(tasks.get(index + 1).map_or(Found::AtTheEnd, Found::Next));
            }
        }
        None
    }
    match look(&definition.tasks, reference) {
        Some(Found::Next(next)) => Some(next),
        Some(Found::AtTheEnd) | None => None,
    }
}

/// The tasks a step puts into the run, those that are there already left out.
pub(super) fn tasks_for(
    run: &Workflow,
    step: &WorkflowTask,
    facts: Facts<'_>,
    new_id: NewId<'_>,
) -> Result<Vec<Task>, Stop> {
    let mut tasks = match step.task_type.as_str() {
        "SIMPLE" => vec![simple(run, step, facts, new_id)?],
        "JOIN" => vec![join(run, step, step.join_on.clone(), facts, new_id)],
        "FORK_JOIN" => fork::fixed(run, step, facts, new_id)?,
        "FORK_JOIN_DYNAMIC" => fork::dynamic(run, step, facts, new_id)?,
        other => {
            return Err(Stop::failed(format!(
                "the embedded engine runs no tasks of type {other}; run this workflow on Conductor"
            )));
        }
    };
    tasks.retain(|task| run.last_attempt(&task.reference_task_name).is_none());
    Ok(tasks)
}

/// Adds tasks to the run in order, each reference and attempt once. True if there were any.
pub(super) fn append(run: &mut Workflow, tasks: Vec<Task>, facts: Facts<'_>) -> bool {
    let before = run.tasks.len();
    for mut task in tasks {
        let known = run.tasks.iter().any(|other| {
            other.reference_task_name == task.reference_task_name
                && other.retry_count == task.retry_count
        });
        if known {
            continue;
        }
        task.seq = i32::try_from(run.tasks.len() + 1).unwrap_or(i32::MAX);
        task.scheduled_time = facts.now;
        run.tasks.push(task);
    }
    run.tasks.len() > before
}

/// What all tasks of a run have in common.
pub(super) fn blank(run: &Workflow, step: &WorkflowTask, kind: &str, new_id: NewId<'_>) -> Task {
    Task {
        task_type: kind.to_owned(),
        task_def_name: kind.to_owned(),
        reference_task_name: step.task_reference_name.clone(),
        correlation_id: run.correlation_id.clone(),
        callback_from_worker: true,
        workflow_instance_id: run.workflow_id.clone(),
        workflow_type: Some(run.workflow_name.clone()),
        task_id: new_id(),
        workflow_task: Some(Box::new(step.clone())),
        workflow_priority: run.priority,
        ..Task::default()
    }
}

pub(super) fn simple(
    run: &Workflow,
    step: &WorkflowTask,
    facts: Facts<'_>,
    new_id: NewId<'_>,
) -> Result<Task, Stop> {
    let Some(definition) = step.task_definition.as_deref() else {
        return Err(Stop::failed(format!(
            "Invalid task. Task {} does not have a definition",
            step.name
        )));
    };
    let mut task = blank(run, step, &step.name, new_id);
    task.input_data = input::of_task(run, step, Some(definition), &task.task_id);
    task.start_delay_in_seconds = step.start_delay;
    task.callback_after_seconds = step.start_delay;
    task.response_timeout_seconds = definition.response_timeout_seconds;
    task.domain = domain(run, &step.name, facts);
    Ok(task)
}

pub(super) fn join(
    run: &Workflow,
    step: &WorkflowTask,
    join_on: Vec<String>,
    facts: Facts<'_>,
    new_id: NewId<'_>,
) -> Task {
    let mut task = blank(run, step, "JOIN", new_id);
    task.input_data = Map::from_iter([("joinOn".to_owned(), join_on.into())]);
    task.status = TaskStatus::InProgress;
    task.start_time = facts.now;
    task
}

/// The first domain with a worker that polled lately, else the last in the list.
fn domain(run: &Workflow, kind: &str, facts: Facts<'_>) -> Option<String> {
    let list = run
        .task_to_domain
        .get(kind)
        .or_else(|| run.task_to_domain.get("*"))?;
    let none = |domain: &str| domain.eq_ignore_ascii_case("NO_DOMAIN");
    let mut domains = list.split(',').map(str::trim);
    let live = domains.clone().find(|domain| {
        !none(domain)
            && facts
                .live_domains
                .contains(&(kind.to_owned(), (*domain).to_owned()))
    });
    live.or_else(|| {
        domains
            .next_back()
            .filter(|last| !none(last) && !last.is_empty())
    })
    .map(str::to_owned)
}
