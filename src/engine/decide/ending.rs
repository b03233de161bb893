//! How a run ends: completion, output, and what becomes of open tasks.

use super::input;
use crate::conductor::wire::{Map, TaskStatus, Workflow, WorkflowStatus};

/// Whether nothing is open and every task at the top of the definition has ended well.
pub(super) fn is_complete(run: &Workflow) -> bool {
    let Some(definition) = &run.workflow_definition else {
        return false;
    };
    !definition.tasks.is_empty()
        && run
            .tasks
            .iter()
            .all(|task| task.retried || task.status.is_terminal())
        && definition.tasks.iter().all(|task| {
            run.last_attempt(&task.task_reference_name)
                .is_some_and(|last| last.status.is_terminal() && last.status.is_successful())
        })
}

/// Ends the run unless it has ended, and cancels what is open.
pub(super) fn end(run: &mut Workflow, status: WorkflowStatus, reason: Option<String>, now: i64) {
    if !run.status.is_terminal() {
        run.status = status;
    }
    if let Some(output) = output(run) {
        run.output = output;
    }
    run.reason_for_incompletion = reason;
    run.end_time = now;
    for task in &run.tasks {
        if matches!(
            task.status,
            TaskStatus::Failed | TaskStatus::FailedWithTerminalError
        ) {
            add_once(
                &mut run.failed_reference_task_names,
                &task.reference_task_name,
            );
            add_once(&mut run.failed_task_names, &task.task_def_name);
        }
    }
    for task in run
        .tasks
        .iter_mut()
        .filter(|task| !task.status.is_terminal())
    {
        task.status = TaskStatus::Canceled;
        task.end_time = now;
        task.update_time = now;
    }
}

fn add_once(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

/// `None` while nothing has been scheduled.
fn output(run: &Workflow) -> Option<Map> {
    let last = run.tasks.last()?;
    let parameters = run
        .workflow_definition
        .as_ref()
        .map(|definition| &definition.output_parameters)
        .filter(|parameters| !parameters.is_empty());
    Some(match parameters {
        Some(parameters) => input::resolved(run, parameters, ""),
        None => last.output_data.clone(),
    })
}
