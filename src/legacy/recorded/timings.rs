//! How long the run's phases took, and what of it costs money.

use super::RecordedError;
use crate::legacy::field::Field;
use crate::model::{StepTiming, TaskName, Usage, UsageKind};

/// The legacy's timed phases in milliseconds, in order.
pub(super) fn phases(timings: &Field<'_>) -> Result<Vec<(String, f64)>, RecordedError> {
    timings
        .at("phases")
        .items()?
        .iter()
        .map(|phase| {
            let name = phase.at("phase").text()?.to_owned();
            Ok((name, phase.at("wall_s").number()? * 1000.0))
        })
        .collect()
}

/// Phases under the names of the tasks that took their work over, where one task did; a task's
/// upload counts as its own. Phases of several tasks keep the legacy's name.
pub(super) fn steps(phases: &[(String, f64)]) -> Vec<StepTiming> {
    let mut steps: Vec<StepTiming> = Vec::new();
    for (phase, wall_ms) in phases {
        let step = match task_of(phase) {
            Some(task) => task.as_str(),
            None => phase,
        };
        match steps.iter_mut().find(|known| known.step == step) {
            Some(known) => known.wall_ms += wall_ms,
            None => steps.push(StepTiming {
                step: step.to_owned(),
                wall_ms: *wall_ms,
            }),
        }
    }
    steps
}

fn task_of(phase: &str) -> Option<TaskName> {
    match phase {
        "mixdown_to_mp3" | "upload_mp3" => Some(TaskName::MixdownTracks),
        "waveform" => Some(TaskName::GenerateWaveform),
        TRANSCRIPTION => Some(TaskName::TranscribeTrack),
        _ if phase.starts_with("pad_track_") || phase.starts_with("upload_padded_") => {
            Some(TaskName::PadTrack)
        }
        _ => None,
    }
}

/// The phase that waits for the transcription service, one track after the other.
const TRANSCRIPTION: &str = "transcription_calls";

/// The seconds the transcription requests took. Tokens and bytes were not recorded.
pub(super) fn usage(phases: &[(String, f64)]) -> Vec<Usage> {
    phases
        .iter()
        .filter(|(phase, _)| phase == TRANSCRIPTION)
        .map(|(_, wall_ms)| Usage {
            kind: UsageKind::GpuSeconds,
            of: "transcription".to_owned(),
            amount: wall_ms / 1000.0,
        })
        .collect()
}
