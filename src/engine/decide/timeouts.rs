//! Deadlines: of the run, of an attempt, of waiting for a worker, and of a worker's silence.
//!
//! Two oddities of 3.15.0 are kept: a retried attempt gets its retry delay on top of
//! `timeoutSeconds`, and twice on top of `pollTimeoutSeconds`; and silence is always followed by a
//! retry, whatever the policy.

use super::{Ending, Stop};
use crate::conductor::wire::{
    Task, TaskDef, TaskStatus, TaskTimeoutPolicy, Workflow, WorkflowStatus, WorkflowTimeoutPolicy,
};

fn ms(seconds: i64) -> i64 {
    seconds.saturating_mul(1000)
}

/// When the whole run is too old.
fn run_deadline(run: &Workflow) -> Option<i64> {
    let definition = run.workflow_definition.as_ref()?;
    (definition.timeout_seconds > 0
        && definition.timeout_policy == WorkflowTimeoutPolicy::TimeOutWf)
        .then(|| run_clock(run).saturating_add(ms(definition.timeout_seconds)))
}

fn run_clock(run: &Workflow) -> i64 {
    if run.last_retried_time > 0 {
        run.last_retried_time
    } else {
        run.create_time
    }
}

pub(super) fn check_run(run: &Workflow, now: i64) -> Result<(), Stop> {
    match (run_deadline(run), &run.workflow_definition) {
        (Some(deadline), Some(definition)) if now >= deadline => Err(Stop::End(Ending {
            status: WorkflowStatus::TimedOut,
            reason: format!(
                "Workflow timed out after {} seconds. Timeout configured as {} seconds. Timeout policy configured to TIME_OUT_WF",
                (now - run_clock(run)) / 1000,
                definition.timeout_seconds,
            ),
        })),
        _ => Ok(()),
    }
}

/// When the clock of `timeoutSeconds` started: the first poll, plus what the attempt was held back.
fn work_clock(task: &Task) -> i64 {
    task.start_time
        .saturating_add(ms(task.start_delay_in_seconds))
}

/// When the clock of `pollTimeoutSeconds` started.
fn wait_clock(task: &Task) -> i64 {
    task.scheduled_time
        .saturating_add(ms(task.start_delay_in_seconds))
}

fn work_deadline(task: &Task, definition: &TaskDef) -> Option<i64> {
    (!task.status.is_terminal() && definition.timeout_seconds > 0 && task.start_time > 0)
        .then(|| work_clock(task).saturating_add(ms(definition.timeout_seconds)))
}

fn wait_deadline(task: &Task, definition: &TaskDef) -> Option<i64> {
    let seconds = definition.poll_timeout_seconds.filter(|s| *s > 0)?;
    (task.status == TaskStatus::Scheduled).then(|| {
        wait_clock(task).saturating_add(ms(seconds.saturating_add(task.callback_after_seconds)))
    })
}

fn silence_deadline(task: &Task, definition: &TaskDef) -> Option<i64> {
    let seconds = definition.response_timeout_seconds;
    (task.status == TaskStatus::InProgress && seconds > 0).then(|| {
        task.update_time
            .saturating_add(ms(seconds.saturating_add(task.callback_after_seconds)))
    })
}

fn definition_of(task: &Task) -> Option<TaskDef> {
    task.workflow_task
        .as_ref()?
        .task_definition
        .as_deref()
        .cloned()
}

pub(super) fn check_task(task: &mut Task, now: i64) -> Result<(), Stop> {
    let Some(definition) = definition_of(task) else {
        return Ok(());
    };
    if work_deadline(task, &definition).is_some_and(|deadline| now >= deadline) {
        let reason = format!(
            "Task timed out after {} seconds. Timeout configured as {} seconds. Timeout policy configured to {}",
            (now - work_clock(task)) / 1000,
            definition.timeout_seconds,
            definition.timeout_policy.as_str(),
        );
        time_out(task, definition.timeout_policy, reason)?;
    }
    if wait_deadline(task, &definition).is_some_and(|deadline| now >= deadline) {
        let reason = format!(
            "Task poll timed out after {} seconds. Poll timeout configured as {} seconds. Timeout policy configured to {}",
            (now - wait_clock(task)) / 1000,
            definition.poll_timeout_seconds.unwrap_or_default(),
            definition.timeout_policy.as_str(),
        );
        time_out(task, definition.timeout_policy, reason)?;
    }
    if silence_deadline(task, &definition).is_some_and(|deadline| now >= deadline) {
        task.status = TaskStatus::TimedOut;
        task.reason_for_incompletion = Some(format!(
            "responseTimeout: {} exceeded for the taskId: {} with Task Definition: {}",
            definition.response_timeout_seconds, task.task_id, task.task_def_name
        ));
    }
    if task.status.is_terminal() && task.end_time == 0 {
        task.end_time = now;
    }
    Ok(())
}

fn time_out(task: &mut Task, policy: TaskTimeoutPolicy, reason: String) -> Result<(), Stop> {
    match policy {
        TaskTimeoutPolicy::AlertOnly => Ok(()),
        TaskTimeoutPolicy::Retry => {
            task.status = TaskStatus::TimedOut;
            task.reason_for_incompletion = Some(reason);
            Ok(())
        }
        TaskTimeoutPolicy::TimeOutWf => {
            task.status = TaskStatus::TimedOut;
            task.reason_for_incompletion = Some(reason.clone());
            Err(Stop::End(Ending {
                status: WorkflowStatus::TimedOut,
                reason,
            }))
        }
    }
}

/// When an open run must be decided next because a deadline passes; `None` if none can.
pub fn next_deadline(run: &Workflow) -> Option<i64> {
    if run.status != WorkflowStatus::Running {
        return None;
    }
    let tasks = run
        .tasks
        .iter()
        .filter(|task| !task.status.is_terminal())
        .flat_map(|task| {
            let Some(definition) = definition_of(task) else {
                return [None, None, None];
            };
            let alert_only = definition.timeout_policy == TaskTimeoutPolicy::AlertOnly;
            [
                work_deadline(task, &definition).filter(|_| !alert_only),
                wait_deadline(task, &definition).filter(|_| !alert_only),
                silence_deadline(task, &definition),
            ]
        });
    tasks.chain([run_deadline(run)]).flatten().min()
}
