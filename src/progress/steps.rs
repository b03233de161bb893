//! The thirteen steps people are told of. Fourteen kinds of task do the work (the fifteenth only
//! writes lists for the engine), so one step has two kinds: posting to Zulip and calling the
//! webhook, which run one after the other. Steps 1 to 9 are numbered as browsers already know them.

use crate::model::TaskName;

/// A step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The kinds of task it is made of.
    pub tasks: &'static [TaskName],
    /// Whether each kind runs once per track.
    pub per_track: bool,
    /// While it runs; a step per track is followed by "2 of 3".
    pub doing: &'static str,
    /// After "Failed during".
    pub during: &'static str,
    /// Its share of a run's time in percent.
    pub weight: u8,
    /// Why the share is what it is.
    pub why: &'static str,
}

/// The steps in order; their weights add up to 100.
pub const STEPS: [Step; 13] = [
    Step {
        tasks: &[TaskName::GetRecording],
        per_track: false,
        doing: "Looking up the recording",
        during: "the lookup of the recording",
        weight: 1,
        why: "one request to Daily",
    },
    Step {
        tasks: &[TaskName::GetParticipants],
        per_track: false,
        doing: "Looking up the participants",
        during: "the lookup of the participants",
        weight: 1,
        why: "one request to Daily",
    },
    Step {
        tasks: &[TaskName::PadTrack],
        per_track: true,
        doing: "Aligning track",
        during: "the alignment of tracks",
        weight: 14,
        why: "decoding and encoding each track took half as long as the mix for three tracks",
    },
    Step {
        tasks: &[TaskName::MixdownTracks],
        per_track: false,
        doing: "Mixing the tracks",
        during: "mixing",
        weight: 20,
        why: "the longest computation: about a tenth of the meeting's length on a busy core",
    },
    Step {
        tasks: &[TaskName::GenerateWaveform],
        per_track: false,
        doing: "Drawing the waveform",
        during: "waveform generation",
        weight: 2,
        why: "one pass over the mix, a fortieth of the time the mix takes",
    },
    Step {
        tasks: &[TaskName::TranscribeTrack],
        per_track: true,
        doing: "Transcribing track",
        during: "transcription",
        weight: 25,
        why: "about 30 s of GPU time a track, with cold starts on top",
    },
    Step {
        tasks: &[TaskName::MergeTranscripts],
        per_track: false,
        doing: "Merging the transcripts",
        during: "merging the transcripts",
        weight: 1,
        why: "sorts a list",
    },
    Step {
        tasks: &[TaskName::DetectTopics],
        per_track: false,
        doing: "Detecting topics",
        during: "topic detection",
        weight: 13,
        why: "two model calls for every 300 words, one after the other",
    },
    Step {
        tasks: &[TaskName::GenerateTitle],
        per_track: false,
        doing: "Generating title",
        during: "title generation",
        weight: 3,
        why: "one short model call",
    },
    Step {
        tasks: &[TaskName::GenerateSummary],
        per_track: false,
        doing: "Generating summary",
        during: "summary generation",
        weight: 14,
        why: "up to fifteen model calls on the whole text",
    },
    Step {
        tasks: &[TaskName::Finalize],
        per_track: false,
        doing: "Finishing the transcript",
        during: "finishing the transcript",
        weight: 2,
        why: "a few rows",
    },
    Step {
        tasks: &[TaskName::CleanupConsent],
        per_track: false,
        doing: "Checking consent",
        during: "the consent check",
        weight: 1,
        why: "one query, and a few deletions when somebody refused",
    },
    Step {
        tasks: &[TaskName::PostZulip, TaskName::SendWebhook],
        per_track: false,
        doing: "Sending notifications",
        during: "sending notifications",
        weight: 3,
        why: "two requests to services that may be slow",
    },
];

/// The number of a task's step, from 1; none for the task that only serves the engine.
pub fn step_of(task: TaskName) -> Option<usize> {
    let index = STEPS.iter().position(|step| step.tasks.contains(&task))?;
    Some(index + 1)
}
