//! Ends the transcript, and removes the padded tracks: nobody needs them any more.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pad_track::Padded;
use crate::{
    contract::events::{RunEvent, Status},
    model::{RecordingId, RunId, TaskName},
    store::IntentKind,
    workers::{Context, Made, Task, TaskError},
};

/// The task.
pub struct Finalize;

/// What the workflow gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The run.
    pub run_id: RunId,
    /// Daily's id; none for uploads.
    pub recording_id: Option<RecordingId>,
    /// Where the title is, if there is one.
    pub title_ref: Option<String>,
    /// Where the summaries are, if there are any.
    pub summary_ref: Option<String>,
    /// Length of the mix in milliseconds.
    pub duration_ms: f64,
}

/// What it reports.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    /// `COMPLETED`.
    pub status: String,
    /// Padded tracks that were removed.
    pub removed: usize,
}

impl Task for Finalize {
    const NAME: TaskName = TaskName::Finalize;
    type Input = Input;
    type Output = Output;

    async fn run(input: Input, context: &Context) -> Result<Made<Output>, TaskError> {
        let services = &context.services;
        let outputs = services.store.outputs(&context.run.id).await?;
        let missing = [input.title_ref, input.summary_ref]
            .into_iter()
            .flatten()
            .find(|wanted| !outputs.iter().any(|output| output.task_ref == *wanted));
        if let Some(missing) = missing {
            return Err(TaskError::terminal(format!(
                "the result of `{missing}` is not in the store; start the run again"
            )));
        }
        if input.duration_ms <= 0.0 {
            return Err(TaskError::terminal("the mix has no length"));
        }
        let bucket = &services.tuning.bucket;
        let mut removed = 0;
        for output in outputs {
            let Ok(padded) = serde_json::from_value::<Padded>(output.output) else {
                continue;
            };
            let Some(key) = padded.padded_key else {
                continue;
            };
            let live_key = context.live_key(&key)?;
            services.objects.delete(bucket, key.as_str()).await?;
            let target = format!("{bucket}/{live_key}");
            context.intend_scratch(IntentKind::DeleteObject, target, "");
            removed += 1;
        }
        if context.live.is_some() {
            // It was published with the task that made it.
            let own_mix = context.key(&context.live_audio_key());
            services.objects.delete(bucket, own_mix.as_str()).await?;
        }
        context.intend_column("status", "ended");
        context.intend_event(&RunEvent::Status(Status::Ended));
        Ok(Made::small(Output {
            status: "COMPLETED".to_owned(),
            removed,
        }))
    }
}
