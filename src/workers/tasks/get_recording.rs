//! Asks Daily for the recording, to learn which meeting session it belongs to.
//!
//! As in the legacy a recording that Daily does not tell us about is no reason to lose the
//! meeting: after the last attempt the run goes on without participants, and says so.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    contract::events::{RunEvent, Status},
    model::{RecordingId, RunId, TaskName},
    store::IntentKind,
    workers::{Context, Made, Task, TaskError},
};

/// The task.
pub struct GetRecording;

/// What the workflow gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The run.
    pub run_id: RunId,
    /// Daily's id; none for uploads.
    pub recording_id: Option<RecordingId>,
}

/// What it reports.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    /// Daily's id.
    pub id: Option<RecordingId>,
    /// The meeting session, if Daily knows one.
    pub mtg_session_id: Option<String>,
    /// Daily's name of the room.
    pub room_name: Option<String>,
    /// Length of the recording in seconds, as Daily has it.
    pub duration_s: Option<i64>,
    /// Whether Daily told us about the recording.
    pub found: bool,
    /// Why it did not: step, attempt and cause.
    pub degraded: Option<String>,
}

impl Task for GetRecording {
    const NAME: TaskName = TaskName::GetRecording;
    type Input = Input;
    type Output = Output;

    async fn run(input: Input, context: &Context) -> Result<Made<Output>, TaskError> {
        context.intend_column("status", "processing");
        // Published, but not kept: the reset that follows wipes the events.
        context.intend_messages(&RunEvent::Status(Status::Processing));
        context.intend(IntentKind::Reset, "transcript", "");
        context.intend_column("workflow_id", &context.assignment.workflow_id);
        let mut output = Output {
            id: input.recording_id.clone(),
            mtg_session_id: None,
            room_name: None,
            duration_s: None,
            found: false,
            degraded: None,
        };
        let Some(id) = input.recording_id else {
            return Ok(Made::small(output));
        };
        match context.services.daily.recording(&id).await {
            Ok(recording) => {
                output.mtg_session_id = recording.mtg_session_id;
                output.room_name = Some(recording.room_name);
                output.duration_s = Some(recording.duration);
                output.found = true;
            }
            Err(error) => output.degraded = Some(context.go_on_without(error)?),
        }
        Ok(Made::small(output))
    }
}
