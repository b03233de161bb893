//! Hands back what a killed process of the same worker id was at.
//!
//! The engine would wait for the response timeout, which is minutes for audio and transcription.
//! Ids are a process's own, so what is in work under ours before we took anything is nobody's.

use std::collections::HashSet;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Runner;
use crate::{
    conductor::{
        Error,
        wire::{TaskResult, TaskResultStatus, TaskStatus},
    },
    model::WorkflowId,
};

/// Why an attempt failed that nobody could report on.
const KILLED: &str = "the worker was killed at this";

/// Hands everything back, waiting for an engine that does not answer: nothing could be taken from
/// it meanwhile either.
pub(super) async fn hand_back(worker: &Runner, shutdown: &CancellationToken) {
    if let Err(error) = hand_back_all(worker, shutdown).await {
        let me = &worker.settings.worker_id;
        warn!("cannot hand back what an earlier process `{me}` left: {error:#}");
    }
}

async fn hand_back_all(worker: &Runner, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let store = &worker.services.store;
    // What ended and could not be reported is on its way, and counts as no failure.
    let spooled = store.spooled().await?;
    let ended: HashSet<_> = spooled.into_iter().map(|result| result.task_id).collect();
    for workflow in store.open_workflows().await? {
        let mut has_told = false;
        while let Err(error) = hand_back_of(worker, &workflow, &ended).await {
            if !error.is_outage() {
                warn!(workflow.id = %workflow, "cannot hand back what an earlier process left of a run: {error}");
                break;
            }
            if !has_told {
                warn!("the engine does not answer, trying again: {error}");
                has_told = true;
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(worker.settings.resend) => {}
            }
        }
    }
    let now = (worker.services.clock)();
    let me = &worker.settings.worker_id;
    store.fail_open_attempts(me, KILLED, now).await
}

async fn hand_back_of(
    worker: &Runner,
    workflow: &WorkflowId,
    ended: &HashSet<String>,
) -> Result<(), Error> {
    let workflow = match worker.client.workflow(workflow, true).await {
        Ok(workflow) => workflow,
        // It is another engine's, or lost.
        Err(Error::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    let me = Some(worker.settings.worker_id.as_str());
    for task in &workflow.tasks {
        let is_one_of_ours = worker
            .tasks
            .iter()
            .any(|entry| entry.name.as_str() == task.task_def_name);
        if task.status != TaskStatus::InProgress
            || task.worker_id.as_deref() != me
            || !is_one_of_ours
            || ended.contains(&task.task_id)
        {
            continue;
        }
        let mut result = TaskResult::new(task, TaskResultStatus::Failed);
        result.reason_for_incompletion = Some(KILLED.to_owned());
        worker.client.update_task(&result).await?;
        let reference = &task.reference_task_name;
        info!(
            task.id = task.task_id,
            "handed back `{reference}`, which an earlier process left"
        );
    }
    Ok(())
}
