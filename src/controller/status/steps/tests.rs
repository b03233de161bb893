use std::path::Path;

use chrono::TimeDelta;

use super::*;
use crate::{
    legacy::recorded,
    model::{EnvironmentName, FlagName, Origin, RunId, RunState},
};

fn noon() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().expect("a time")
}

/// A run of the bundled meeting, which has three tracks.
fn run(state: RunState) -> Run {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/standup/expected/base");
    let subject = recorded::load(&folder, None).expect("a recording").subject;
    Run {
        id: RunId::new("run_a"),
        environment: EnvironmentName::new("staging"),
        flag: FlagName::new("daily_diarization_pipeline"),
        recording_id: subject.recording.id.clone(),
        transcript_id: subject.transcript.id.clone(),
        generation: 1,
        phase: "shadow".to_owned(),
        state,
        workflow_id: None,
        failure: None,
        subject,
        cache_scope: String::new(),
        control_id: None,
        started_at: noon(),
        finished_at: None,
        epoch: None,
        withdrawn_at: None,
        origin: Origin::Arrival,
        failed_at: None,
        start_tried_at: noon(),
        verdict: None,
        texts_deleted_at: None,
    }
}

fn attempt(task_name: &str, task_ref: &str, attempt: i64, status: &str, start: i64) -> Attempt {
    let started_at = noon() + TimeDelta::seconds(start);
    let has_ended = status != "running";
    Attempt {
        task_id: format!("{task_ref}-{start}"),
        task_ref: task_ref.to_owned(),
        task_name: task_name.to_owned(),
        attempt,
        worker: "worker-1".to_owned(),
        started_at,
        finished_at: has_ended.then(|| started_at + TimeDelta::milliseconds(1500)),
        status: status.to_owned(),
        cause: status.starts_with("failed").then(|| "gone".to_owned()),
    }
}

fn of<'a>(lines: &'a [StepLine], task_ref: &str) -> &'a StepLine {
    let found = lines.iter().find(|line| line.task_ref == task_ref);
    found.expect("a line of that name")
}

#[test]
fn a_run_that_has_not_begun_shows_all_its_steps_in_order() {
    let lines = steps(&run(RunState::Starting), &[]);
    let numbers: Vec<_> = lines.iter().filter_map(|line| line.number).collect();
    assert!(numbers.is_sorted());
    assert_eq!(numbers.len(), lines.len());
    assert_eq!(
        (numbers.first(), numbers.last()),
        (Some(&1), Some(&STEPS.len()))
    );
    assert!(lines.iter().all(|line| line.state == StepState::Pending));
    assert_eq!(of(&lines, "pad_track_2").label, "Aligning track 3");
}

#[test]
fn a_failure_is_retrying_while_another_attempt_is_allowed_and_the_run_is_open() {
    let task = "detect_topics";
    let allowed = i64::from(
        definitions::contract(TaskName::DetectTopics)
            .definition
            .retry_count,
    ) + 1;
    for (state, number, status, expected) in [
        (RunState::Running, 1, "failed", StepState::Retrying),
        (RunState::Running, allowed, "failed", StepState::Failed),
        (RunState::Running, 1, "failed_terminally", StepState::Failed),
        (RunState::Failed, 1, "failed", StepState::Failed),
        (RunState::Running, 1, "running", StepState::Running),
        (RunState::Terminated, 1, "running", StepState::CutOff),
        (RunState::Failed, 1, "completed", StepState::Completed),
    ] {
        let trail = [attempt(task, task, number, status, 0)];
        let lines = steps(&run(state), &trail);
        let line = of(&lines, task);
        assert_eq!(line.state, expected, "{state:?} {number} {status}");
        assert_eq!(
            (line.attempt, line.attempts_allowed),
            (Some(number), allowed)
        );
    }
}

#[test]
fn a_run_taken_up_again_shows_its_newest_attempt_and_every_failure() {
    let trail = [
        attempt("transcribe_track", "transcribe_track_1", 3, "failed", 0),
        attempt("transcribe_track", "transcribe_track_1", 4, "failed", 10),
        attempt("transcribe_track", "transcribe_track_1", 1, "completed", 60),
    ];
    let lines = steps(&run(RunState::Running), &trail);
    let line = of(&lines, "transcribe_track_1");
    assert_eq!((line.state, line.attempt), (StepState::Completed, Some(1)));
    assert_eq!(line.duration_ms, Some(1500));
    let failed: Vec<_> = line.failures.iter().map(|line| line.attempt).collect();
    assert_eq!(failed, [3, 4]);
}

#[test]
fn a_list_for_the_engine_shows_only_while_it_is_in_the_way() {
    let kind = "generate_dynamic_fork_tasks";
    let shows = |status| {
        let trail = [attempt(kind, "generate_padding_tasks", 1, status, 0)];
        let lines = steps(&run(RunState::Running), &trail);
        lines
            .iter()
            .any(|line| line.task_ref == "generate_padding_tasks")
    };
    assert!(shows("failed") && shows("running") && !shows("completed"));
}

#[test]
fn a_run_failed_during_what_failed_last() {
    let trail = [
        attempt("pad_track", "pad_track_0", 1, "failed", 0),
        attempt("pad_track", "pad_track_0", 2, "completed", 5),
        attempt("generate_title", "generate_title", 4, "failed", 10),
        attempt("generate_summary", "generate_summary", 1, "running", 11),
    ];
    assert_eq!(failed_during(&trail), Some("title generation"));
    assert_eq!(failed_during(&trail[1..2]), None);
}
