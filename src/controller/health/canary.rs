//! The canary: a workflow of one task that the controller itself does. That it ends proves that runs
//! are started, queued, handed out, reported and decided.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::{
    conductor::{
        Client, Error,
        wire::{
            StartWorkflowRequest, Task, TaskDef, TaskResult, TaskResultStatus, WorkflowDef,
            WorkflowStatus,
        },
    },
    model::WorkflowId,
};

/// The name of the workflow and of its one task.
pub const NAME: &str = "switchyard_canary";

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(500);

/// How many canaries one poll takes: those of other controllers, and ours that went astray.
const AT_ONCE: usize = 10;

/// So old a canary is nobody's any more.
const ASTRAY: TimeDelta = TimeDelta::seconds(60);

/// Lets a canary fly. It does not matter which controller does which canary's task.
pub(super) async fn fly(
    client: &Client,
    holder: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<String> {
    let began = tokio::time::Instant::now();
    let id = match start(client, holder).await {
        Err(Error::NotFound { .. }) => {
            register(client).await?;
            start(client, holder).await?
        }
        started => started?,
    };
    loop {
        let tasks = client.poll_batch(NAME, holder, None, AT_ONCE, POLL).await?;
        for task in &tasks {
            finish(client, task, &id, now).await?;
        }
        let status = client.workflow(&id, false).await?.status;
        match status {
            WorkflowStatus::Running | WorkflowStatus::Paused => {}
            WorkflowStatus::Completed => break,
            WorkflowStatus::Failed | WorkflowStatus::TimedOut | WorkflowStatus::Terminated => {
                drop(client.remove(&id).await);
                anyhow::bail!("it ended as {}", status.as_str());
            }
        }
        if tasks.is_empty() {
            tokio::time::sleep(POLL / 5).await;
        }
    }
    client.remove(&id).await?;
    let took = began.elapsed().as_millis();
    Ok(format!("a workflow went through within {took} ms"))
}

async fn start(client: &Client, holder: &str) -> Result<WorkflowId, Error> {
    let request = StartWorkflowRequest {
        name: NAME.to_owned(),
        version: Some(1),
        correlation_id: Some(holder.to_owned()),
        ..StartWorkflowRequest::default()
    };
    client.start(&request).await
}

async fn finish(
    client: &Client,
    task: &Task,
    ours: &WorkflowId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let mut result = TaskResult::new(task, TaskResultStatus::Completed);
    result.output_data.insert("ok".to_owned(), json!(true));
    client.update_task(&result).await?;
    let age = TimeDelta::milliseconds(now.timestamp_millis() - task.scheduled_time);
    if task.workflow_instance_id != ours.as_str() && age > ASTRAY {
        let id = WorkflowId::new(task.workflow_instance_id.as_str());
        drop(client.remove(&id).await);
    }
    Ok(())
}

async fn register(client: &Client) -> Result<(), Error> {
    client.put_task_defs(&[task()]).await?;
    client.put_workflow_defs(&[workflow()]).await.map(drop)
}

fn task() -> TaskDef {
    let definition = json!({
        "name": NAME,
        "description": "Done by the controller itself, to see whether the engine works",
        "ownerEmail": "switchyard@example.com",
        "retryCount": 0,
        "timeoutSeconds": 60,
        "timeoutPolicy": "TIME_OUT_WF",
        "responseTimeoutSeconds": 30,
        "pollTimeoutSeconds": 600,
    });
    serde_json::from_value(definition).expect("it is a task definition")
}

fn workflow() -> WorkflowDef {
    let definition = json!({
        "name": NAME,
        "description": "Shows whether the engine works; removed as soon as it has ended",
        "ownerEmail": "switchyard@example.com",
        "version": 1,
        "schemaVersion": 2,
        "timeoutSeconds": 600,
        "timeoutPolicy": "TIME_OUT_WF",
        "tasks": [{ "name": NAME, "taskReferenceName": NAME, "type": "SIMPLE" }],
    });
    serde_json::from_value(definition).expect("it is a workflow definition")
}
