//! What listeners are told, as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::mark_of;
use crate::{
    access::Reach,
    contract::{
        dictionary::EventKind,
        events::{PipelineProgressData, RunEvent},
    },
    model::{EnvironmentName, TranscriptId},
    progress::Progress,
    store::ToldEvent,
};

/// Whether an event quotes what was said in a meeting.
const fn quotes(kind: EventKind) -> bool {
    match kind {
        EventKind::Transcript
        | EventKind::Topic
        | EventKind::FinalTitle
        | EventKind::FinalShortSummary
        | EventKind::FinalLongSummary => true,
        EventKind::Status
        | EventKind::Duration
        | EventKind::Waveform
        | EventKind::PipelineProgress => false,
    }
}

/// An event as listeners get it; none where it is not for them.
pub(super) fn of(told: &ToldEvent, sees: &Reach, reads: &Reach) -> Option<String> {
    let kind = EventKind::parse(&told.event)?;
    let reach = if quotes(kind) { reads } else { sees };
    if !reach.has(&told.environment) {
        return None;
    }
    let data: Value = serde_json::from_str(&told.data).ok()?;
    let frame = json!({
        "event": told.event,
        "data": data,
        "id": mark_of(&told.mark),
        "run_id": told.mark.run,
        "transcript_id": told.transcript,
    });
    Some(frame.to_string())
}

/// How far runs were when it was told last.
#[derive(Debug, Default)]
pub(super) struct Frames {
    progress: BTreeMap<String, Value>,
}

impl Frames {
    /// How far runs are that moved since the last time. `json` is a run with all it did, which makes the
    /// transcript `of`, or a list of runs that serve.
    pub(super) fn moved(
        &mut self,
        json: &str,
        sees: &Reach,
        of: Option<&TranscriptId>,
    ) -> Vec<String> {
        let Ok(told) = serde_json::from_str::<Value>(json) else {
            return Vec::new();
        };
        let runs: Vec<&Value> = match (told["runs"].as_array(), told.get("run")) {
            (Some(runs), _) => runs.iter().collect(),
            (None, Some(run)) => vec![run],
            (None, None) => Vec::new(),
        };
        let mut kept = BTreeMap::new();
        let mut frames = Vec::new();
        for run in runs {
            let text = |name: &str| run[name].as_str().unwrap_or_default();
            if !sees.has(&EnvironmentName::new(text("environment"))) {
                continue;
            }
            let id = text("run_id").to_owned();
            let before = self.progress.remove(&id);
            if run["progress"].is_null() {
                // Not known just now is not gone.
                kept.extend(before.map(|before| (id, before)));
                continue;
            }
            if before.as_ref() != Some(&run["progress"]) {
                frames.extend(frame(run, of));
            }
            kept.insert(id, run["progress"].clone());
        }
        self.progress = kept;
        frames
    }
}

fn frame(run: &Value, of: Option<&TranscriptId>) -> Option<String> {
    let progress: Progress = serde_json::from_value(run["progress"].clone()).ok()?;
    let event = RunEvent::PipelineProgress(PipelineProgressData {
        workflow_id: run["workflow_id"].as_str().unwrap_or_default().to_owned(),
        current_step: progress.current_step.to_string(),
        step_index: progress.step_index,
        total_steps: progress.total_steps,
        step_status: progress.step_status,
    });
    let mut frame = json!(event.event());
    frame["label"] = json!(progress.label);
    frame["percent"] = json!(progress.percent);
    frame["run_id"] = run["run_id"].clone();
    frame["transcript_id"] = of.map_or_else(|| run["transcript_id"].clone(), |of| json!(of));
    Some(frame.to_string())
}
