//! Hands back what a killed process of the same worker id was at.
//!
//! The engine would wait for the response timeout, which is minutes for audio and transcription.
//! Ids are a process's own, so what is in work under ours before we took anything is nobody's.

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Services, runner::RunnerSettings};
use crate::{
    conductor::{
        Client, Error,
        wire::{TaskResult, TaskResultStatus, TaskStatus},
    },
    model::WorkflowId,
};

/// Why an attempt failed that nobody could report on.
const KILLED: &str = "the worker was killed at this";

/// Hands everything back, waiting for an engine that does not answer: nothing could be taken from
/// it meanwhile either.
pub(super) async fn hand_back(
    client: &Client,
    services: &Services,
    settings: &RunnerSettings,
    shutdown: &CancellationToken,
) {
    let me = settings.worker_id.as_str();
    if let Err(error) = hand_back_all(client, services, settings, shutdown).await {
        warn!("cannot hand back what an earlier process `{me}` left: {error:#}");
    }
}

async fn hand_back_all(
    client: &Client,
    services: &Services,
    settings: &RunnerSettings,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let me = settings.worker_id.as_str();
    for workflow in services.store.open_workflows().await? {
        let mut has_told = false;
        while let Err(error) = hand_back_of(client, &workflow, me).await {
            if !error.is_outage() {
                warn!("cannot hand back what an earlier process left of a run: {error}");
                break;
            }
            if !has_told {
                warn!("the engine does not answer, trying again: {error}");
                has_told = true;
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(settings.resend) => {}
            }
        }
    }
    let now = (services.clock)();
    services.store.fail_open_attempts(me, KILLED, now).await
}

async fn hand_back_of(client: &Client, workflow: &WorkflowId, me: &str) -> Result<(), Error> {
    let workflow = match client.workflow(workflow, true).await {
        Ok(workflow) => workflow,
        // It is another engine's, or lost.
        Err(Error::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    for task in &workflow.tasks {
        if task.status != TaskStatus::InProgress || task.worker_id.as_deref() != Some(me) {
            continue;
        }
        let mut result = TaskResult::new(task, TaskResultStatus::Failed);
        result.reason_for_incompletion = Some(KILLED.to_owned());
        client.update_task(&result).await?;
        let reference = &task.reference_task_name;
        info!(
            task.id = task.task_id,
            "handed back `{reference}`, which an earlier process left"
        );
    }
    Ok(())
}
