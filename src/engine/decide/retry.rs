//! Another attempt at a task: by its own definition when it fails, or by hand when the run has failed.

use super::{Ending, NewId, Stop, input};
use crate::conductor::wire::{RetryLogic, Task, TaskDef, TaskStatus, Workflow, WorkflowStatus};

/// The next attempt at the task at `index`, which failed; `None` if there is none and the task is
/// optional; the end of the run if it is not.
pub(super) fn another_attempt(
    run: &mut Workflow,
    index: usize,
    new_id: NewId<'_>,
) -> Result<Option<Task>, Stop> {
    let task = &run.tasks[index];
    let step = task.workflow_task.as_deref();
    let definition = step.and_then(|step| step.task_definition.as_deref());
    let allowed = definition.map_or(0, |definition| {
        step.and_then(|step| step.retry_count)
            .unwrap_or(definition.retry_count)
    });
    let retriable = matches!(task.status, TaskStatus::Failed | TaskStatus::TimedOut);
    let Some(definition) = definition.filter(|_| retriable && task.retry_count < allowed) else {
        return if step.is_some_and(|step| step.optional) {
            Ok(None)
        } else {
            Err(Stop::End(exhausted(task)))
        };
    };

    let delay = delay_seconds(definition, task.retry_count);
    let mut attempt = copy_of(task, new_id);
    attempt.start_delay_in_seconds = delay;
    attempt.callback_after_seconds = delay;
    resolve_again(run, &mut attempt);
    run.tasks[index].retried = true;
    Ok(Some(attempt))
}

fn exhausted(task: &Task) -> Ending {
    let status = match task.status {
        TaskStatus::Canceled => WorkflowStatus::Terminated,
        TaskStatus::TimedOut => WorkflowStatus::TimedOut,
        _ => WorkflowStatus::Failed,
    };
    Ending {
        status,
        reason: format!(
            "Task {} failed with status: {} and reason: '{}'",
            task.task_id,
            status.as_str(),
            task.reason_for_incompletion.as_deref().unwrap_or("null")
        ),
    }
}

/// Seconds before attempt `retry_count + 1`, as 3.15.0 has it: no cap, no jitter, and the scale
/// factor counts for linear growth only.
fn delay_seconds(definition: &TaskDef, retry_count: i32) -> i64 {
    let delay = definition.retry_delay_seconds;
    let grown = match definition.retry_logic {
        RetryLogic::Fixed => delay,
        RetryLogic::LinearBackoff => delay
            .saturating_mul(definition.backoff_scale_factor.into())
            .saturating_mul(i64::from(retry_count) + 1),
        RetryLogic::ExponentialBackoff => {
            delay.saturating_mul(2i64.saturating_pow(retry_count.unsigned_abs()))
        }
    };
    grown.min(i32::MAX.into())
}

/// A new attempt that still carries the old one's output, so that expressions read it meanwhile.
fn copy_of(task: &Task, new_id: NewId<'_>) -> Task {
    Task {
        task_id: new_id(),
        retried_task_id: Some(task.task_id.clone()),
        status: TaskStatus::Scheduled,
        retry_count: task.retry_count + 1,
        retried: false,
        executed: false,
        poll_count: 0,
        reason_for_incompletion: None,
        worker_id: None,
        start_time: 0,
        end_time: 0,
        ..task.clone()
    }
}

fn resolve_again(run: &Workflow, attempt: &mut Task) {
    if let Some(step) = attempt.workflow_task.as_deref() {
        let definition = step.task_definition.as_deref();
        let fresh = input::of_task(run, step, definition, &attempt.task_id);
        attempt.input_data.extend(fresh);
    }
}

/// Indexes of the tasks a retry by hand schedules again: of each reference the last attempt, if it
/// failed, timed out or was cancelled. A cancelled `JOIN` is not among them; it waits on.
pub fn retryable(run: &Workflow) -> Vec<usize> {
    let mut found: Vec<(&str, usize)> = Vec::new();
    for (index, task) in run.tasks.iter().enumerate() {
        let reference = task.reference_task_name.as_str();
        found.retain(|(known, _)| *known != reference);
        match task.status {
            TaskStatus::Canceled if task.task_type == "JOIN" => {}
            TaskStatus::Failed
            | TaskStatus::FailedWithTerminalError
            | TaskStatus::TimedOut
            | TaskStatus::Canceled => found.push((reference, index)),
            _ => {}
        }
    }
    found.into_iter().map(|(_, index)| index).collect()
}

/// Schedules tasks of an ended run again. A `JOIN` that was cancelled waits again; one that failed
/// is copied as `SCHEDULED` and never evaluated, which is how 3.15.0 gets stuck.
pub fn schedule_again(run: &mut Workflow, indexes: &[usize], now: i64, new_id: NewId<'_>) {
    for task in &mut run.tasks {
        if task.task_type == "JOIN" && task.status == TaskStatus::Canceled {
            task.status = TaskStatus::InProgress;
            task.end_time = 0;
            task.update_time = now;
        }
    }
    for &index in indexes {
        let task = &mut run.tasks[index];
        task.retried = true;
        task.executed = true;
        let mut attempt = copy_of(&run.tasks[index], new_id);
        attempt.callback_after_seconds = 0;
        attempt.scheduled_time = now;
        attempt.seq = i32::try_from(run.tasks.len() + 1).unwrap_or(i32::MAX);
        resolve_again(run, &mut attempt);
        run.tasks.push(attempt);
    }
}
