//! Posts the transcript to the room's Zulip stream, or edits the message of an earlier run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::finished::Finished;
use crate::{
    contract::zulip,
    gateway::Delivered,
    model::{RunId, TaskName},
    store::IntentKind,
    workers::{Context, Made, Task, TaskError},
};

/// The task.
pub struct PostZulip;

/// What the workflow gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The run.
    pub run_id: RunId,
}

/// What is done on Zulip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A new message.
    Create,
    /// An edit of an earlier run's message.
    Update,
    /// Nothing.
    None,
}

/// What it reports.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    /// What is done on Zulip.
    pub action: Action,
    /// The message, where one exists already.
    pub message_id: Option<i64>,
    /// Why nothing is done, for people.
    pub reason: Option<String>,
}

fn nothing(reason: &str) -> Made<Output> {
    Made::small(Output {
        action: Action::None,
        message_id: None,
        reason: Some(reason.to_owned()),
    })
}

impl Task for PostZulip {
    const NAME: TaskName = TaskName::PostZulip;
    type Input = Input;
    type Output = Output;

    fn amend(output: &mut Value, delivered: &Delivered) {
        if let Some(id) = delivered.zulip_message_id {
            output["message_id"] = id.into();
        }
    }

    async fn run(_: Input, context: &Context) -> Result<Made<Output>, TaskError> {
        let subject = context.subject_now().await?;
        let Some(room) = &subject.room else {
            return Ok(nothing("the transcript belongs to no room"));
        };
        let Some(address) = zulip::address(room) else {
            return Ok(nothing("the room does not post to Zulip"));
        };
        let Some(realm) = &context.services.tuning.zulip_realm else {
            return Err(TaskError::terminal(
                "the room posts to Zulip, but `reflector.zulip_realm` is not in the settings",
            ));
        };
        let finished = Finished::read(context, &subject).await?;
        let message = zulip::content(&zulip::Message {
            transcript: &subject.transcript,
            title: finished.title.as_deref(),
            long_summary: finished
                .summaries
                .as_ref()
                .map(|made| made.long_summary.as_str()),
            duration_ms: finished.duration_ms,
            topics: &finished.topics.topics,
            ui_base_url: &subject.ui_base_url,
        });
        let base_url = format!("https://{realm}");
        let message_id = subject.transcript.zulip_message_id;
        let request = match message_id {
            Some(id) => zulip::edit(&base_url, id, address, &message),
            None => zulip::post(&base_url, address, &message),
        };
        context.intend_request(IntentKind::Zulip, &request)?;
        Ok(Made::small(Output {
            action: message_id.map_or(Action::Create, |_| Action::Update),
            message_id,
            reason: None,
        }))
    }
}
