use chrono::TimeDelta;

use super::*;
use crate::conductor::definitions::workflow;

fn noon() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().expect("a time")
}

fn line(task_ref: &str, state: StepState, began: i64, took: Option<i64>) -> StepLine {
    let kind: Option<TaskName> = task_of(task_ref).parse().ok();
    let number = kind.and_then(step_of);
    StepLine {
        number,
        task_ref: task_ref.to_owned(),
        label: number
            .map_or("", |number| STEPS[number - 1].doing)
            .to_owned(),
        during: "it",
        state,
        attempt: (state != StepState::Pending).then_some(1),
        attempts_allowed: 4,
        started_at: (state != StepState::Pending).then(|| noon() + TimeDelta::seconds(began)),
        duration_ms: took,
        failures: Vec::new(),
    }
}

/// All steps of a run with three tracks, in these states where they are not waiting.
fn lines(known: &[(&str, StepState)]) -> Vec<StepLine> {
    let mut lines = Vec::new();
    for step in &STEPS {
        for kind in step.tasks {
            let references = if step.per_track {
                (0..3).map(|track| format!("{kind}_{track}")).collect()
            } else {
                vec![kind.to_string()]
            };
            for reference in references {
                let state = known.iter().find(|(name, _)| *name == reference);
                let state = state.map_or(StepState::Pending, |(_, state)| *state);
                lines.push(line(&reference, state, 0, None));
            }
        }
    }
    lines
}

#[test]
fn a_run_is_drawn_as_the_workflow_says() {
    let drawn = graph(workflow(), &lines(&[]));
    let nodes: Vec<_> = drawn
        .nodes
        .iter()
        .map(|node| {
            let Node {
                task_ref,
                layer,
                lane,
                lanes,
                ..
            } = node;
            format!("{layer} {lane}/{lanes} {task_ref}")
        })
        .collect();
    assert_eq!(
        nodes,
        [
            "0 0/1 get_recording",
            "1 0/1 get_participants",
            "2 0/1 pad_track",
            "3 0/1 mixdown_tracks",
            "4 0/2 generate_waveform",
            "4 1/2 transcribe_track",
            "5 0/1 merge_transcripts",
            "6 0/1 detect_topics",
            "7 0/2 generate_title",
            "7 1/2 generate_summary",
            "8 0/1 finalize",
            "9 0/1 cleanup_consent",
            "10 0/1 post_zulip",
            "11 0/1 send_webhook",
        ]
    );
    let named = |index: usize| drawn.nodes[index].task_ref.as_str();
    let into = |name: &str| {
        let edges = drawn.edges.iter().filter(|(_, to)| named(*to) == name);
        edges.map(|(from, _)| named(*from)).collect::<Vec<_>>()
    };
    assert_eq!(into("get_recording"), Vec::<&str>::new());
    assert_eq!(into("transcribe_track"), ["mixdown_tracks"]);
    assert_eq!(
        into("merge_transcripts"),
        ["generate_waveform", "transcribe_track"]
    );
    assert_eq!(into("finalize"), ["generate_title", "generate_summary"]);
    let label = |name: &str| {
        let node = drawn.nodes.iter().find(|node| node.task_ref == name);
        node.expect("it is there").label.as_str()
    };
    assert_eq!(label("transcribe_track"), "Transcribing tracks");
    assert_eq!(label("send_webhook"), "Send webhook");
}

#[test]
fn every_task_that_people_are_told_of_is_drawn_once() {
    let drawn = graph(workflow(), &lines(&[]));
    for kind in TaskName::ALL {
        let times = drawn
            .nodes
            .iter()
            .filter(|node| node.task_ref == kind.as_str())
            .count();
        assert_eq!(times, usize::from(step_of(kind).is_some()), "{kind}");
    }
}

#[test]
fn members_of_a_fork_are_counted_and_the_worst_is_told() {
    use StepState::{Completed, Failed, Pending, Retrying, Running};
    for (states, state, counts, leads_to) in [
        ([Pending; 3], Pending, [0, 0, 0], "pad_track_0"),
        (
            [Completed, Pending, Pending],
            Running,
            [1, 0, 0],
            "pad_track_0",
        ),
        (
            [Completed, Running, Pending],
            Running,
            [1, 1, 0],
            "pad_track_1",
        ),
        (
            [Running, Retrying, Completed],
            Retrying,
            [1, 2, 0],
            "pad_track_1",
        ),
        (
            [Running, Completed, Failed],
            Failed,
            [1, 1, 1],
            "pad_track_2",
        ),
        ([Completed; 3], Completed, [3, 0, 0], "pad_track_0"),
    ] {
        let known = [
            ("pad_track_0", states[0]),
            ("pad_track_1", states[1]),
            ("pad_track_2", states[2]),
        ];
        let drawn = graph(workflow(), &lines(&known));
        let node = &drawn.nodes[2];
        assert_eq!(node.state, state, "{states:?}");
        let members = node.members.expect("it has members");
        let found = [members.completed, members.running, members.failed];
        assert_eq!((members.all, found), (3, counts), "{states:?}");
        assert_eq!(node.line, leads_to, "{states:?}");
    }
}

#[test]
fn what_is_done_side_by_side_took_from_the_first_begin_to_the_last_end() {
    let mut lines = lines(&[]);
    for (track, began, took) in [(0, 0, 5_000), (1, 2, 9_000), (2, 1, 1_000)] {
        let reference = format!("pad_track_{track}");
        let found = lines.iter_mut().find(|line| line.task_ref == reference);
        *found.expect("it is there") =
            self::line(&reference, StepState::Completed, began, Some(took));
    }
    let drawn = graph(workflow(), &lines);
    assert_eq!(drawn.nodes[2].duration_ms, Some(11_000));
}

#[test]
fn a_list_for_the_engine_is_drawn_where_it_is_why_a_run_does_not_go_on() {
    let mut lines = lines(&[]);
    lines.push(line("generate_padding_tasks", StepState::Failed, 0, None));
    let drawn = graph(workflow(), &lines);
    assert_eq!(drawn.nodes[2].task_ref, "generate_padding_tasks");
    assert_eq!(drawn.nodes[3].task_ref, "pad_track");
    assert!(drawn.edges.contains(&(2, 3)));
}
