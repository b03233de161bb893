use proptest::prelude::*;

use super::*;

fn task(name: TaskName, reference: &str, status: StepStatus) -> Task {
    Task {
        reference: reference.to_owned(),
        name,
        status,
        attempt: 1,
        attempts_allowed: 4,
    }
}

/// Every task of a run with three tracks, in the order of the steps.
fn all_tasks(status: StepStatus) -> Vec<Task> {
    STEPS
        .iter()
        .flat_map(|step| step.tasks.iter().map(move |name| (step, *name)))
        .flat_map(|(step, name)| {
            let members = if step.per_track { 3 } else { 1 };
            (0..members).map(move |member| task(name, &format!("{name}_{member}"), status))
        })
        .collect()
}

/// Tasks before the given kind are completed, the others not yet scheduled.
fn before(name: TaskName) -> Vec<Task> {
    let mut tasks = all_tasks(StepStatus::Completed);
    let at = tasks.iter().position(|task| task.name == name).unwrap();
    tasks.truncate(at);
    tasks
}

#[test]
fn every_kind_but_the_list_writer_has_exactly_one_step() {
    for name in TaskName::ALL {
        let steps = STEPS
            .iter()
            .filter(|step| step.tasks.contains(&name))
            .count();
        let expected = usize::from(name != TaskName::GenerateDynamicForkTasks);
        assert_eq!(steps, expected, "{name}");
    }
    assert_eq!(step_of(TaskName::TranscribeTrack), Some(6));
    assert_ne!(
        step_of(TaskName::GenerateTitle),
        step_of(TaskName::GenerateSummary)
    );
}

#[test]
fn the_weights_add_up_to_a_hundred() {
    let sum: u32 = STEPS.iter().map(|step| u32::from(step.weight)).sum();
    assert_eq!(sum, 100);
}

#[test]
fn a_run_that_has_not_begun_is_at_its_first_step() {
    let start = progress(&[], 3);
    assert_eq!(start.step_index, 1);
    assert_eq!(start.step_status, StepStatus::Pending);
    assert_eq!(start.percent, 0);
}

#[test]
fn fork_members_are_counted() {
    let mut tasks = before(TaskName::TranscribeTrack);
    tasks.push(task(
        TaskName::TranscribeTrack,
        "transcribe_track_2",
        StepStatus::Completed,
    ));
    tasks.push(task(
        TaskName::TranscribeTrack,
        "transcribe_track_0",
        StepStatus::InProgress,
    ));
    let now = progress(&tasks, 3);
    assert_eq!(now.label, "Transcribing track 2 of 3");
    assert_eq!((now.step_index, now.total_steps), (6, 13));
    assert_eq!(now.percent, 46);
    assert_eq!(now.step_status, StepStatus::InProgress);
    assert_eq!(now.current_step, TaskName::TranscribeTrack);
}

#[test]
fn the_title_does_not_hide_the_summary() {
    let mut tasks = before(TaskName::GenerateTitle);
    tasks.push(task(
        TaskName::GenerateSummary,
        "summary",
        StepStatus::InProgress,
    ));
    tasks.push(task(
        TaskName::GenerateTitle,
        "title",
        StepStatus::InProgress,
    ));
    assert_eq!(progress(&tasks, 3).label, "Generating title");

    tasks[before(TaskName::GenerateTitle).len() + 1].status = StepStatus::Completed;
    let later = progress(&tasks, 3);
    assert_eq!(later.label, "Generating summary");
    assert_eq!(later.step_index, 10);
}

#[test]
fn a_failure_that_will_be_tried_again_is_work_in_progress() {
    let mut tasks = before(TaskName::GenerateSummary);
    tasks.push(task(
        TaskName::GenerateSummary,
        "summary",
        StepStatus::Failed,
    ));
    assert_eq!(progress(&tasks, 3).step_status, StepStatus::InProgress);

    let mut last = task(TaskName::GenerateSummary, "summary", StepStatus::Failed);
    last.attempt = 4;
    tasks.push(last);
    let failed = progress(&tasks, 3);
    assert_eq!(failed.step_status, StepStatus::Failed);
    assert_eq!(failed.label, "Failed during summary generation");
}

#[test]
fn a_new_attempt_replaces_the_failed_one_in_any_order() {
    let failed = task(TaskName::GetRecording, "r", StepStatus::Failed);
    let again = Task {
        status: StepStatus::Completed,
        attempt: 2,
        ..failed.clone()
    };
    for tasks in [[failed.clone(), again.clone()], [again, failed]] {
        assert_eq!(progress(&tasks, 3).step_index, 2);
    }
}

#[test]
fn a_given_up_step_is_shown_though_an_earlier_one_still_runs() {
    let mut tasks = before(TaskName::GenerateTitle);
    tasks.push(task(
        TaskName::GenerateTitle,
        "title",
        StepStatus::InProgress,
    ));
    let mut summary = task(TaskName::GenerateSummary, "summary", StepStatus::Failed);
    summary.attempt = 4;
    tasks.push(summary);
    let now = progress(&tasks, 3);
    assert_eq!(now.current_step, TaskName::GenerateSummary);
    assert_eq!(now.step_status, StepStatus::Failed);
}

#[test]
fn the_last_step_names_the_notification_that_is_open() {
    let mut tasks = before(TaskName::PostZulip);
    assert_eq!(progress(&tasks, 3).current_step, TaskName::PostZulip);
    tasks.push(task(TaskName::PostZulip, "zulip", StepStatus::Completed));
    let now = progress(&tasks, 3);
    assert_eq!(now.current_step, TaskName::SendWebhook);
    assert_eq!(
        (now.step_index, now.step_status),
        (13, StepStatus::InProgress)
    );
    assert!(now.percent < 100);
}

#[test]
fn only_a_finished_run_is_at_a_hundred() {
    let done = progress(&all_tasks(StepStatus::Completed), 3);
    assert_eq!(done.percent, 100);
    assert_eq!(done.step_status, StepStatus::Completed);
    assert_eq!(done.label, "Done");
    assert_eq!(done.step_index, 13);
}

#[test]
fn a_recording_without_tracks_is_not_stuck_at_the_forks() {
    let tasks = [
        task(TaskName::GetRecording, "r", StepStatus::Completed),
        task(TaskName::GetParticipants, "p", StepStatus::Completed),
    ];
    assert_eq!(progress(&tasks, 0).current_step, TaskName::MixdownTracks);
}

proptest! {
    /// Tasks complete in any order; others are in any state that is not given up.
    #[test]
    fn with_more_completed_nothing_goes_back(
        order in Just((0..18_usize).collect::<Vec<_>>()).prop_shuffle(),
        others in proptest::collection::vec(0..3_u8, 18),
    ) {
        let mut tasks = all_tasks(StepStatus::Pending);
        prop_assert_eq!(tasks.len(), order.len());
        for (task, state) in tasks.iter_mut().zip(others) {
            task.status = match state {
                0 => StepStatus::Pending,
                1 => StepStatus::InProgress,
                _ => StepStatus::Failed,
            };
        }
        let mut last = progress(&tasks, 3);
        for completed in order {
            tasks[completed].status = StepStatus::Completed;
            let now = progress(&tasks, 3);
            prop_assert!(now.percent >= last.percent);
            prop_assert!(now.step_index >= last.step_index);
            last = now;
        }
        prop_assert_eq!(last.percent, 100);
    }
}
