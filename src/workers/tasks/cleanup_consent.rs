//! Deletes the audio where one participant denied consent: what a live run would delete is kept
//! as an intent, what this run itself made is deleted at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    gateway::Delivered,
    model::{RunId, TaskName},
    store::IntentKind,
    workers::{Context, Made, Task, TaskError},
};

/// The task.
pub struct CleanupConsent;

/// What the workflow gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The run.
    pub run_id: RunId,
}

/// What it reports.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    /// Whether somebody denied consent.
    pub denied: bool,
    /// Whether the audio is gone.
    pub audio_deleted: bool,
    /// Why, for people.
    pub reason: String,
}

impl Task for CleanupConsent {
    const NAME: TaskName = TaskName::CleanupConsent;
    type Input = Input;
    type Output = Output;

    // As in the legacy, a transcript whose audio cannot be deleted is delivered all the same.
    const MAY_STAY_UNDONE: bool = true;

    fn amend(output: &mut Value, delivered: &Delivered) {
        if let Some(undone) = &delivered.undone {
            output["audio_deleted"] = false.into();
            output["reason"] = undone.as_str().into();
        }
    }

    async fn run(_: Input, context: &Context) -> Result<Made<Output>, TaskError> {
        // People answer until the meeting is over, and after.
        let subject = context.subject_now().await?;
        let denials = subject
            .consents
            .iter()
            .filter(|consent| !consent.consent_given)
            .count();
        if denials == 0 {
            return Ok(Made::small(Output {
                denied: false,
                audio_deleted: false,
                reason: "nobody denied consent".to_owned(),
            }));
        }
        let recording = &subject.recording;
        let keys = if recording.track_keys.is_empty() {
            std::slice::from_ref(&recording.object_key)
        } else {
            recording.track_keys.as_slice()
        };
        for key in keys {
            let target = format!("{}/{key}", recording.bucket_name);
            context.intend(IntentKind::DeleteObject, target, "");
        }
        let bucket = &context.services.tuning.bucket;
        let live_key = context.live_audio_key();
        let own_copy = context.key(&live_key);
        let deleted = context.services.objects.delete(bucket, own_copy.as_str());
        if let Err(error) = deleted.await {
            // The sweep comes for it.
            context.go_on_without(error)?;
        }
        context.intend(IntentKind::DeleteObject, format!("{bucket}/{live_key}"), "");
        context.intend(IntentKind::DeleteFile, "audio", "");
        context.intend_column("audio_deleted", true);
        Ok(Made::small(Output {
            denied: true,
            audio_deleted: true,
            reason: format!(
                "{denials} of {} answers deny consent",
                subject.consents.len()
            ),
        }))
    }
}
