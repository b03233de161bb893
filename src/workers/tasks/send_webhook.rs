//! Tells the customer's webhook that the transcript is there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::finished::Finished;
use crate::{
    contract::webhook,
    gateway::Delivered,
    model::{RunId, TaskName},
    store::IntentKind,
    workers::{Context, Made, Task, TaskError},
};

/// The task.
pub struct SendWebhook;

/// What the workflow gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The run.
    pub run_id: RunId,
}

/// What it reports.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    /// Whether the webhook was called.
    pub sent: bool,
    /// What it answered.
    pub status_code: Option<u16>,
    /// The event's id, the same in every attempt.
    pub event_id: Option<String>,
    /// Why it was not called, for people.
    pub reason: Option<String>,
}

impl Task for SendWebhook {
    const NAME: TaskName = TaskName::SendWebhook;
    type Input = Input;
    type Output = Output;

    fn amend(output: &mut Value, delivered: &Delivered) {
        if let Some(status) = delivered.webhook_status {
            output["sent"] = true.into();
            output["status_code"] = status.into();
            output["reason"] = Value::Null;
        }
    }

    async fn run(_: Input, context: &Context) -> Result<Made<Output>, TaskError> {
        let subject = context.subject_now().await?;
        let Some(url) = webhook::target(&subject) else {
            return Ok(Made::small(Output {
                sent: false,
                status_code: None,
                event_id: None,
                reason: Some("the transcript has no room with a webhook".to_owned()),
            }));
        };
        let finished = Finished::read(context, &subject).await?;
        let generation = u64::try_from(context.run.generation).unwrap_or_default();
        let event_id = webhook::event_id(&context.run.transcript_id, generation);
        let now = context.now();
        let row = webhook::Row {
            title: finished.title.as_deref(),
            short_summary: finished
                .summaries
                .as_ref()
                .map(|made| made.short_summary.as_str()),
            long_summary: finished
                .summaries
                .as_ref()
                .map(|made| made.long_summary.as_str()),
            webvtt: Some(&finished.topics.webvtt),
            duration_ms: finished.duration_ms,
            topics: &finished.topics.topics,
            participants: &finished.participants,
            status: "ended",
        };
        let body = webhook::body(&event_id, now, &subject, &row)
            .map_err(|error| TaskError::Terminal(error.into()))?;
        let secret = subject
            .room
            .as_ref()
            .and_then(|room| room.webhook_secret.as_deref());
        let request = webhook::request(url, body, secret, 0, now);
        context.intend_request(IntentKind::Webhook, &request)?;
        Ok(Made::small(Output {
            sent: false,
            status_code: None,
            event_id: Some(event_id),
            reason: Some(match context.live {
                Some(_) => "the customer has not answered yet".to_owned(),
                None => "a shadow run keeps the request as an intent".to_owned(),
            }),
        }))
    }
}
