//! One thing that differs, both sides beside each other, as somebody reads it who has to judge it.
//!
//! Shown blind, nothing says whose a side is: both are texts of the same form, and the caller decides
//! which stands left.

use serde::Serialize;

use super::{
    ReportData, fields,
    heard::Heard,
    marked::{Marks, Piece},
    transcript::{self, Turn},
};
use crate::compare::{
    Difference, Field, FieldResult, TextChangeKind, TextDifference, pattern as pattern_of,
};
use crate::model::{Outcome, OutcomeStatus};

/// Turns of the transcript that are shown.
const TURNS: usize = 30;

/// Two texts beside each other, the facts marked that one of them has alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// What they are.
    pub label: String,
    /// Whether they are the same.
    pub same: bool,
    /// Whether anything is marked.
    pub marked: bool,
    /// None where that side has none.
    pub left: Option<Vec<Line>>,
    /// None where that side has none.
    pub right: Option<Vec<Line>>,
}

/// A line of Markdown as far as the program itself writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// `heading`, `subject` or `text`.
    kind: &'static str,
    pieces: Vec<Piece>,
}

/// What is to be read of one field.
#[derive(Serialize)]
pub struct Beside {
    /// Whole texts.
    pub pairs: Vec<Pair>,
    /// Texts of which only the ends of what was kept are there: what was taken out and put in.
    texts: Vec<fields::TextView>,
    /// Turns of the transcript that differ, each after the one before it.
    turns: Vec<Turn>,
    /// Turns that differ and are not shown.
    turns_left_out: usize,
    /// Single differences.
    differences: Vec<fields::DifferenceView>,
    /// Differences that are not shown.
    left_out: usize,
}

impl Pair {
    /// Two texts; beside nothing, nothing is marked.
    pub fn of(
        label: impl Into<String>,
        (left, right): (Option<&str>, Option<&str>),
        names: &[String],
    ) -> Self {
        let text = |side: Option<&str>| side.unwrap_or_default().to_owned();
        let [mut of_left, mut of_right] = Marks::between(&text(left), &text(right), names);
        let is_pair = left.is_some() && right.is_some();
        Self {
            label: label.into(),
            same: left == right,
            marked: is_pair && !(of_left.is_empty() && of_right.is_empty()),
            left: left.map(|text| lines(text, is_pair, &mut of_left)),
            right: right.map(|text| lines(text, is_pair, &mut of_right)),
        }
    }
}

/// Who takes part on either side.
pub(super) fn names(control: &Outcome, candidate: &Outcome) -> Vec<String> {
    let people = control.participants.iter().chain(&candidate.participants);
    let mut names: Vec<String> = people.map(|one| one.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Two texts of a meeting without anything that says whose they are.
pub fn side_by_side(data: &ReportData, label: &str, (left, right): (&str, &str)) -> Pair {
    let names = names(&data.control, &data.candidate);
    Pair::of(label, (Some(left), Some(right)), &names)
}

fn lines(text: &str, is_pair: bool, marks: &mut Marks) -> Vec<Line> {
    let told = text.lines().filter(|line| !line.trim().is_empty());
    told.map(|line| {
        let subject = line
            .strip_prefix("**")
            .and_then(|rest| rest.trim_end().strip_suffix("**"));
        let (kind, text) = match (line.strip_prefix('#'), subject) {
            (Some(rest), _) => ("heading", rest.trim_start_matches('#').trim()),
            (None, Some(subject)) => ("subject", subject),
            (None, None) => ("text", line),
        };
        let plain = || Piece {
            kind: "plain",
            text: text.to_owned(),
        };
        Line {
            kind,
            pieces: if is_pair {
                marks.on(text)
            } else {
                vec![plain()]
            },
        }
    })
    .collect()
}

/// What is to be read of one field; of its differences those of one pattern, where one is named.
pub fn of_field(data: &ReportData, field: Field, pattern: Option<&str>, heard: &Heard) -> Beside {
    let result = data.comparison.field(field);
    let pairs = texts_of(data, field);
    let (turns, turns_left_out) = if is_spoken(field) {
        changed_turns(data, heard)
    } else {
        (Vec::new(), 0)
    };
    // Whole texts say it better.
    let told = pairs.is_empty() && turns.is_empty();
    let (differences, left_out) =
        result.map_or((Vec::new(), 0), |result| differences(result, pattern));
    Beside {
        texts: match result {
            Some(result) if told => result.texts.iter().map(fields::text_view).collect(),
            Some(_) | None => Vec::new(),
        },
        pairs,
        turns,
        turns_left_out,
        differences,
        left_out,
    }
}

/// The same with nothing that says whose a side is: texts of the same form on both, the candidate's on
/// the left where it was drawn so.
pub fn blind(
    data: &ReportData,
    field: Field,
    pattern: Option<&str>,
    candidate_left: bool,
) -> Vec<Pair> {
    let names = names(&data.control, &data.candidate);
    let pair = |label: String, control: Option<&str>, candidate: Option<&str>| {
        let sides = if candidate_left {
            (candidate, control)
        } else {
            (control, candidate)
        };
        Pair::of(label, sides, &names)
    };
    let whole = whole_texts(data, field);
    if !whole.is_empty() {
        let whole = whole.into_iter();
        return whole
            .map(|(label, control, candidate)| {
                pair(label.to_owned(), control.as_deref(), candidate.as_deref())
            })
            .collect();
    }
    if is_spoken(field) {
        let (turns, _) = changed_turns(data, &Heard::nothing(""));
        let changed = turns.iter().filter(|turn| turn.is_changed());
        return changed
            .map(|turn| {
                let [control, candidate] = turn.sides();
                pair(turn.time().to_owned(), Some(&control), Some(&candidate))
            })
            .collect();
    }
    let Some(result) = data.comparison.field(field) else {
        return Vec::new();
    };
    let texts = result.texts.iter().map(|text| {
        let [control, candidate] = sides_of(text);
        pair(text.path.clone(), Some(&control), Some(&candidate))
    });
    let singles = of_pattern(result, pattern).take(fields::SHOWN);
    let singles = singles.map(|difference| {
        let value = |side: &Option<serde_json::Value>| {
            side.as_ref().map(|value| fields::excerpt(Some(value)))
        };
        let (control, candidate) = (value(&difference.control), value(&difference.candidate));
        pair(
            difference.path.clone(),
            control.as_deref(),
            candidate.as_deref(),
        )
    });
    texts.chain(singles).collect()
}

/// Whether a field is about what was said, by whom and when.
const fn is_spoken(field: Field) -> bool {
    matches!(
        field,
        Field::Words | Field::Speakers | Field::WordsBySpeaker | Field::WordTimes
    )
}

fn texts_of(data: &ReportData, field: Field) -> Vec<Pair> {
    let names = names(&data.control, &data.candidate);
    let whole = whole_texts(data, field).into_iter();
    whole
        .map(|(label, control, candidate)| {
            Pair::of(label, (control.as_deref(), candidate.as_deref()), &names)
        })
        .collect()
}

type Whole = (&'static str, Option<String>, Option<String>);

/// Texts short enough to be read whole.
fn whole_texts(data: &ReportData, field: Field) -> Vec<Whole> {
    let both = |of: &dyn Fn(&Outcome) -> Option<String>| (of(&data.control), of(&data.candidate));
    let (label, (control, candidate)) = match field {
        Field::Title => ("Title", both(&|outcome| outcome.title.clone())),
        Field::ShortSummary => (
            "Short summary",
            both(&|outcome| outcome.short_summary.clone()),
        ),
        Field::LongSummary => (
            "Long summary",
            both(&|outcome| outcome.long_summary.clone()),
        ),
        Field::TopicsCount | Field::TopicsBoundaries | Field::TopicsTitles => {
            ("Topics", both(&|outcome| topics(outcome, false)))
        }
        Field::TopicsSummaries => ("Topics", both(&|outcome| topics(outcome, true))),
        Field::Participants => (
            "Participants",
            both(&|outcome| {
                let names = outcome.participants.iter().map(|one| one.name.as_str());
                Some(names.collect::<Vec<_>>().join("\n"))
            }),
        ),
        Field::Status
        | Field::Words
        | Field::Speakers
        | Field::WordsBySpeaker
        | Field::WordTimes
        | Field::Webvtt
        | Field::Duration
        | Field::Waveform
        | Field::Audio
        | Field::Events
        | Field::Messages
        | Field::Objects
        | Field::Deletions
        | Field::AudioDeleted
        | Field::Zulip
        | Field::Webhook => return Vec::new(),
    };
    if control.is_none() && candidate.is_none() {
        return Vec::new();
    }
    vec![(label, control, candidate)]
}

/// Topics with their beginnings, and what each says.
fn topics(outcome: &Outcome, with_summaries: bool) -> Option<String> {
    let told = outcome.topics.iter().map(|topic| {
        let head = format!(
            "**{} {}**",
            super::words::clock(topic.timestamp),
            topic.title
        );
        if with_summaries {
            format!("{head}\n{}", topic.summary)
        } else {
            head
        }
    });
    let told = told.collect::<Vec<_>>().join("\n");
    (!told.is_empty()).then_some(told)
}

/// Turns that differ, each after the one before it, so that it is known what it answers.
fn changed_turns(data: &ReportData, heard: &Heard) -> (Vec<Turn>, usize) {
    let both = [&data.control, &data.candidate];
    // Half a transcript struck out word by word tells nobody anything.
    if both.iter().any(|side| side.status != OutcomeStatus::Ended) {
        return (Vec::new(), 0);
    }
    let steps = transcript::aligned(&data.control, &data.candidate);
    let turns = transcript::turns((&data.control, &data.candidate), &steps, heard);
    let changed: Vec<bool> = turns.iter().map(Turn::is_changed).collect();
    let next_changes = |at: usize| changed.get(at + 1).copied().unwrap_or_default();
    let mut shown: Vec<Turn> = turns
        .into_iter()
        .enumerate()
        .filter(|(at, turn)| turn.is_changed() || next_changes(*at))
        .map(|(_, turn)| turn)
        .collect();
    let cut = shown.split_off(shown.len().min(TURNS));
    let left_out = cut.iter().filter(|turn| turn.is_changed()).count();
    (shown, left_out)
}

/// Both sides of a text of which the ends of what was kept are known.
fn sides_of(text: &TextDifference) -> [String; 2] {
    let side = |without: TextChangeKind| {
        let runs = text.changes.iter().filter(|run| run.kind != without);
        runs.map(|run| run.text.as_str()).collect::<String>()
    };
    [
        side(TextChangeKind::Inserted),
        side(TextChangeKind::Deleted),
    ]
}

fn of_pattern<'a>(
    result: &'a FieldResult,
    pattern: Option<&'a str>,
) -> impl Iterator<Item = &'a Difference> {
    let all = result.differences.iter();
    all.filter(move |one| pattern.is_none_or(|pattern| pattern_of(one) == pattern))
}

fn differences(
    result: &FieldResult,
    pattern: Option<&str>,
) -> (Vec<fields::DifferenceView>, usize) {
    let all: Vec<&Difference> = of_pattern(result, pattern).collect();
    let shown = all.iter().take(fields::SHOWN);
    let left_out = all.len().saturating_sub(fields::SHOWN);
    (
        shown.map(|one| fields::difference_view(one)).collect(),
        left_out,
    )
}
