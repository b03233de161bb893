//! Defects in the recorded meeting.

use super::*;
use crate::compare::{Class, DifferenceKind, Field, clusters};

use crate::compare::fixture::{recorded, standup};

fn seen(defect: Defect, control: &Outcome) -> Comparison {
    let candidate = with_defect(defect, control).expect("it can be put in");
    compare(control, &candidate, &Policy::shipped())
}

#[test]
fn every_defect_that_can_be_put_in_the_meeting_is_caught_and_called_as_bad_as_it_is() {
    let control = standup();
    for defect in Defect::ALL {
        let Some((caught, comparison)) = compared(*defect, &control, &Policy::shipped()) else {
            assert_eq!(*defect, Defect::KeepDeleted, "`{defect}` was not put in");
            continue;
        };
        assert!(caught, "`{defect}` was not caught");
        let worst = comparison.severity();
        if *defect == Defect::Nothing {
            assert_eq!(worst, None);
        } else {
            assert!(
                worst.is_some_and(|worst| worst <= defect.severity()),
                "`{defect}` is {}, and was called {worst:?}: {:?}",
                defect.severity(),
                comparison
                    .reasons()
                    .iter()
                    .map(|field| (field.field, &field.found))
                    .collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn the_same_control_gets_the_same_defect() {
    let control = standup();
    for defect in Defect::ALL {
        assert_eq!(
            with_defect(*defect, &control),
            with_defect(*defect, &control)
        );
    }
}

#[test]
fn a_silent_meeting_has_no_place_for_most_defects_and_they_do_not_count() {
    let control = recorded("all_tracks_wordless");
    for defect in [
        Defect::DropWords,
        Defect::SwapSpeakers,
        Defect::ShiftTrack,
        Defect::DropEnd,
    ] {
        assert_eq!(
            try_one(defect, &control, &Policy::shipped()),
            None,
            "{defect}"
        );
    }
}

#[test]
fn what_the_policy_does_not_judge_is_not_tried() {
    let policy = Policy::shipped().without(&[Field::Webhook]);
    assert_eq!(try_one(Defect::LoseWebhook, &standup(), &policy), None);
}

#[test]
fn a_comparison_that_misses_a_grave_defect_voids_the_gate_and_so_does_none_at_all() {
    let mut tested = Tested::default();
    assert!(!tested.passes());
    tested.add(&standup(), &Policy::shipped());
    assert!(tested.passes(), "{:?}", tested.failing());
    let at = Defect::ALL
        .iter()
        .position(|defect| *defect == Defect::ChangeNumber);
    tested.scores[at.expect("it is there")] = Score {
        defect: "change_number".to_owned(),
        severity: Severity::S1,
        caught: 94,
        of: 100,
    };
    assert!(!tested.passes());
    let boundary = Defect::ALL
        .iter()
        .position(|defect| *defect == Defect::MoveBoundary);
    tested.scores[at.expect("it is there")].caught = 95;
    tested.scores[boundary.expect("it is there")].caught = 0;
    assert!(tested.passes(), "S2 voids nothing");
}

#[test]
fn differences_are_of_the_class_that_people_would_give_them() {
    let control = standup();
    let class_of = |defect: Defect, field: Field| {
        let comparison = seen(defect, &control);
        let found = &comparison.field(field).expect("it is judged").found;
        found.first().map(|found| found.class)
    };
    assert_eq!(
        class_of(Defect::SwapSpeakers, Field::Speakers),
        Some(Class::SpeakerAttribution)
    );
    assert_eq!(
        class_of(Defect::LoseZulip, Field::Zulip),
        Some(Class::SideEffect)
    );
    assert_eq!(
        class_of(Defect::ShiftTrack, Field::WordTimes),
        Some(Class::Timing)
    );
    assert_eq!(
        class_of(Defect::MoveBoundary, Field::TopicsBoundaries),
        Some(Class::BoundaryShift)
    );
    assert_eq!(class_of(Defect::Fail, Field::Status), Some(Class::Failed));
}

#[test]
fn clusters_come_in_the_order_of_rank_and_quote_nothing() {
    let control = standup();
    let all: Vec<Comparison> = Defect::ALL
        .iter()
        .filter_map(|defect| with_defect(*defect, &control))
        .map(|candidate| compare(&control, &candidate, &Policy::shipped()))
        .collect();
    let named: Vec<String> = (0..all.len()).map(|at| at.to_string()).collect();
    let found = clusters(named.iter().map(String::as_str).zip(&all));
    assert!(
        found
            .windows(2)
            .all(|pair| pair[0].rank() >= pair[1].rank())
    );
    let said = crate::model::text_of(&control.words).to_lowercase();
    for cluster in &found {
        let quoted = cluster
            .pattern
            .split(|letter: char| !letter.is_alphanumeric());
        for word in quoted
            .map(str::to_lowercase)
            .filter(|word| !OURS.contains(&word.as_str()))
        {
            assert!(
                word.is_empty() || !said.split_whitespace().any(|other| other == word),
                "`{}` quotes the meeting",
                cluster.pattern
            );
        }
    }
}

#[test]
fn the_tree_has_the_worst_of_what_is_below_each_place() {
    let comparison = seen(Defect::AlterWebhook, &standup());
    let root = comparison.tree();
    let webhook = root
        .children
        .iter()
        .find(|node| node.name == "webhook")
        .expect("it differs");
    assert!(webhook.severity.blocks());
    let mut node = webhook;
    while let Some(child) = node.children.first() {
        assert!(child.pointer.starts_with(&node.pointer));
        node = child;
    }
    assert_eq!(node.differences[0].kind, DifferenceKind::Changed);
    assert!(seen(Defect::Nothing, &standup()).tree().children.is_empty());
}

#[test]
fn comparisons_kept_before_there_were_classes_still_read() {
    let mut kept = serde_json::to_value(seen(Defect::ChangeNumber, &standup())).expect("JSON");
    for field in kept["fields"].as_array_mut().expect("fields") {
        let field = field.as_object_mut().expect("an object");
        field.remove("classes");
        field.remove("found");
    }
    let read: Comparison = serde_json::from_value(kept).expect("it reads");
    assert_eq!(read.verdict, Verdict::Differs);
    assert!(read.tree().children.is_empty());
}

#[test]
fn one_changed_number_in_3000_words_of_summaries_is_never_a_match() {
    let mut control = standup();
    let long = control.long_summary.clone().expect("a summary");
    let (head, body) = long.split_once("# Summary\n").expect("a heading");
    let again = (3000 / body.split_whitespace().count()) + 1;
    control.long_summary = Some(format!("{head}# Summary\n{}", body.repeat(again)));
    let text = control.long_summary.clone().expect("it was just made");
    assert!(text.split_whitespace().count() >= 3000);
    let digits: Vec<usize> = text
        .char_indices()
        .filter(|(_, letter)| letter.is_ascii_digit())
        .map(|(at, _)| at)
        .collect();
    let policy = Policy::shipped();
    let only: Vec<Field> = Field::ALL
        .iter()
        .copied()
        .filter(|field| *field != Field::LongSummary)
        .collect();
    let policy = policy.without(&only);
    // A few of them from everywhere, since one comparison takes seconds unoptimised.
    for at in digits.iter().step_by(digits.len() / 4) {
        let mut candidate = control.clone();
        let digit = if text.as_bytes()[*at] == b'7' {
            "8"
        } else {
            "7"
        };
        let changed = format!("{}{digit}{}", &text[..*at], &text[at + 1..]);
        candidate.long_summary = Some(changed);
        let verdict = compare(&control, &candidate, &policy).verdict;
        assert_eq!(verdict, Verdict::Differs, "the digit at {at}");
    }
}

/// Words that patterns are made of, some of which are said in meetings too.
const OURS: &[&str] = &[
    "word",
    "words",
    "text",
    "number",
    "empty",
    "list",
    "object",
    "null",
    "bool",
    "url",
    "changed",
    "order",
    "time",
    "speaker",
    "name",
    "title",
    "summary",
    "content",
    "only",
    "start",
    "body",
    "within",
    "its",
    "bound",
    "bounds",
    "beyond",
    "judged",
    "elsewhere",
    "topic",
    "topics",
    "duration",
    "long",
    "short",
    "transcript",
    "id",
    "room",
    "form",
    "user",
    "type",
    "to",
    "data",
    "status",
    "length",
    "negation",
    "structure",
    "bytes",
    "similarity",
    "p95",
    "s",
    "wer",
    "f1",
    "mean",
    "timestamp",
    "objects",
    "value",
    "ts",
    "events",
    "event",
    "participants",
    "link",
    "audio",
    "at",
    "headers",
    "date",
];
