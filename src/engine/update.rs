//! What workers report, and what it sets in motion.

use super::{Engine, Error};
use crate::{
    conductor::wire::{Task, TaskLog, TaskResult, TaskResultStatus, TaskStatus, Workflow},
    store::engine as rows,
};

/// Reasons are cut to so many characters.
const REASON_CHARS: usize = 500;

/// A larger output fails the task for good, as with the server's default limits.
const OUTPUT_BYTES: usize = 10_240 * 1024;

impl Engine {
    /// Takes a report. Ignored, without an error, if the attempt or the run has ended.
    pub async fn update_task(&self, result: TaskResult) -> Result<(), Error> {
        let logs = result.logs.clone();
        let task_id = result.task_id.clone();
        let run_id = result.workflow_instance_id.clone();
        let decided = self
            .change(&run_id, |run, engine| engine.apply(run, result))
            .await?;
        for log in logs {
            self.add_log(&task_id, &log.log).await?;
        }
        decided
    }

    /// The inner result is the decision's: the report is kept even if the run cannot be decided.
    fn apply(&self, run: &mut Workflow, result: TaskResult) -> Result<Result<(), Error>, Error> {
        let now = self.now();
        let run_ended = run.status.is_terminal();
        let task = run
            .tasks
            .iter_mut()
            .find(|task| task.task_id == result.task_id)
            .ok_or_else(|| {
                Error::NotFound(format!("No such task found by id: {}", result.task_id))
            })?;
        if result.extend_lease {
            if !task.status.is_terminal() {
                task.update_time = now;
            }
            return Ok(Ok(()));
        }
        if task.status.is_terminal() || run_ended {
            return Ok(Ok(()));
        }
        report(task, result, now)?;
        if self.inner.options.faults.decide_delay().is_some() {
            return Ok(Ok(()));
        }
        Ok(self.decide_or_leave(run))
    }

    /// Adds a line to a task's log.
    pub async fn add_log(&self, task_id: &str, line: &str) -> Result<(), Error> {
        let mut transaction = self.inner.store.begin().await?;
        rows::add_log(&mut *transaction, task_id, line, self.now()).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// A task's log.
    pub async fn logs(&self, task_id: &str) -> Result<Vec<TaskLog>, Error> {
        let lines = rows::logs(&self.inner.store.pool, task_id).await?;
        Ok(lines
            .into_iter()
            .map(|(created_time, log)| TaskLog {
                log,
                task_id: Some(task_id.to_owned()),
                created_time,
            })
            .collect())
    }

    /// One attempt.
    pub async fn task(&self, task_id: &str) -> Result<Option<Task>, Error> {
        let document = rows::task(&self.inner.store.pool, task_id).await?;
        Ok(document
            .map(|document| serde_json::from_str(&document))
            .transpose()?)
    }
}

fn report(task: &mut Task, result: TaskResult, now: i64) -> Result<(), Error> {
    task.status = match result.status {
        // Back into the queue: to go on is to be polled again.
        TaskResultStatus::InProgress => TaskStatus::Scheduled,
        TaskResultStatus::Failed => TaskStatus::Failed,
        TaskResultStatus::FailedWithTerminalError => TaskStatus::FailedWithTerminalError,
        TaskResultStatus::Completed => TaskStatus::Completed,
    };
    task.output_data = result.output_data;
    task.reason_for_incompletion = result
        .reason_for_incompletion
        .map(|reason| reason.chars().take(REASON_CHARS).collect());
    task.worker_id = result.worker_id;
    task.callback_after_seconds = result.callback_after_seconds;
    let size = serde_json::to_vec(&task.output_data)?.len();
    if size > OUTPUT_BYTES {
        task.status = TaskStatus::FailedWithTerminalError;
        task.output_data.clear();
        task.reason_for_incompletion = Some(format!(
            "The output payload size: {size} of task: {} in workflow: {} is greater than the permitted limit: {OUTPUT_BYTES} bytes",
            task.task_id, task.workflow_instance_id
        ));
    }
    if task.status.is_terminal() {
        task.end_time = now;
    } else {
        task.update_time = now;
    }
    Ok(())
}
