//! What the page shows, in its order, as plain values: the template decides nothing.

use serde::Serialize;

use super::beside::{self, Line, Pair};
use super::charts::{self, TopicAxis, Waveform};
use super::heard::{self, Heard, Players};
use super::lanes::{self, Lanes};
use super::transcript::{self, Turn};
use super::words::{self, Face};
use super::{CostLine, ReportData, TextsDeleted, fields};
use crate::compare::{FieldResult, FieldVerdict, StepFinding};
use crate::model::{OutcomeStatus, Pipeline};

#[derive(Serialize)]
pub(super) struct Page {
    verdict: Face,
    sentence: String,
    recording: String,
    about: Vec<(&'static str, String)>,
    texts_deleted: Option<String>,
    failures: Vec<(&'static str, String)>,
    reasons: Vec<Reason>,
    counts: Vec<Count>,
    borne: Vec<(String, String)>,
    fields: Vec<fields::Row>,
    details: Vec<fields::Detail>,
    texts: Vec<SideBySide>,
    players: Players,
    turns: Vec<Turn>,
    turns_changed: usize,
    lanes: Option<Lanes>,
    waveform: Option<Waveform>,
    topics: Option<TopicAxis>,
    steps: Vec<StepRow>,
    overhead: Option<String>,
    spared: Option<String>,
    pinned: Option<PinnedSteps>,
    costs: Vec<CostRow>,
    totals: Option<(String, String)>,
}

/// Where the differences come from.
#[derive(Serialize)]
struct PinnedSteps {
    sentence: String,
    steps: Vec<String>,
}

#[derive(Serialize)]
struct Reason {
    face: Face,
    field: &'static str,
    label: &'static str,
    told: String,
    has_detail: bool,
}

#[derive(Serialize)]
struct Count {
    face: Face,
    count: usize,
}

#[derive(Serialize)]
struct SideBySide {
    label: &'static str,
    same: bool,
    /// Whether a fact is marked on either side.
    marked: bool,
    control: Option<Vec<Line>>,
    candidate: Option<Vec<Line>>,
}

#[derive(Serialize)]
struct StepRow {
    name: String,
    control: String,
    candidate: String,
    control_percent: f64,
    candidate_percent: f64,
}

#[derive(Serialize)]
struct CostRow {
    pipeline: &'static str,
    step: String,
    what: String,
    amount: String,
    cost: String,
}

pub(super) fn page(data: &ReportData, heard: &Heard) -> Page {
    let comparison = &data.comparison;
    let both_ended = [&data.control, &data.candidate]
        .iter()
        .all(|outcome| outcome.status == OutcomeStatus::Ended);
    // Half a transcript struck out word by word tells nobody anything.
    let (turns, lanes) = if both_ended {
        let steps = transcript::aligned(&data.control, &data.candidate);
        (
            transcript::turns((&data.control, &data.candidate), &steps, heard),
            lanes::lanes(&data.control, &data.candidate, &steps),
        )
    } else {
        (Vec::new(), None)
    };
    Page {
        verdict: words::of_recording(comparison.verdict),
        sentence: words::sentence(comparison),
        recording: data.recording.to_string(),
        about: about(data),
        texts_deleted: data.texts_deleted.as_ref().map(TextsDeleted::sentence),
        failures: data.failures(),
        reasons: comparison
            .reasons()
            .into_iter()
            .take(5)
            .map(reason)
            .collect(),
        counts: counts(data),
        borne: data
            .borne
            .iter()
            .map(|borne| (borne.sentence(), borne.reason.clone()))
            .collect(),
        fields: comparison.fields.iter().map(fields::row).collect(),
        details: comparison
            .fields
            .iter()
            .filter(|result| fields::has_detail(result))
            .map(fields::detail)
            .collect(),
        texts: side_by_side(data),
        players: heard::players(heard),
        turns_changed: turns.iter().filter(|turn| turn.is_changed()).count(),
        turns,
        lanes,
        waveform: charts::waveform(&data.control, &data.candidate),
        topics: charts::topics(&data.control, &data.candidate),
        steps: steps(data),
        costs: data
            .costs
            .iter()
            .map(|line| cost_row(line, &data.currency))
            .collect(),
        totals: totals(data),
        overhead: data.overhead(),
        spared: data.spared(),
        pinned: data.pinned.as_ref().map(|pinned| PinnedSteps {
            sentence: pinned.sentence(),
            steps: pinned.told().map(StepFinding::sentence).collect(),
        }),
    }
}

fn about(data: &ReportData) -> Vec<(&'static str, String)> {
    let run = |id: &Option<crate::model::RunId>| {
        id.as_ref()
            .map_or_else(|| "recorded elsewhere".to_owned(), ToString::to_string)
    };
    let digest: String = data.comparison.policy.chars().take(12).collect();
    vec![
        ("Environment", data.environment.clone()),
        ("Flag", data.flag.clone()),
        ("Compared", data.compared_at.clone()),
        ("Control run", run(&data.control_run)),
        ("Candidate run", run(&data.candidate_run)),
        ("Policy", digest),
    ]
}

fn counts(data: &ReportData) -> Vec<Count> {
    [
        FieldVerdict::Differs,
        FieldVerdict::NotComparable,
        FieldVerdict::WithinNoise,
        FieldVerdict::Match,
    ]
    .into_iter()
    .map(|verdict| Count {
        face: words::of_field(verdict),
        count: data.comparison.count(verdict),
    })
    .filter(|count| count.count > 0)
    .collect()
}

fn reason(result: &FieldResult) -> Reason {
    Reason {
        face: words::of_field(result.verdict),
        field: result.field.as_str(),
        label: result.field.label(),
        told: result.reason.clone(),
        has_detail: fields::has_detail(result),
    }
}

fn side_by_side(data: &ReportData) -> Vec<SideBySide> {
    let (left, right) = (&data.control, &data.candidate);
    let names = beside::names(left, right);
    [
        ("Title", &left.title, &right.title),
        ("Short summary", &left.short_summary, &right.short_summary),
        ("Long summary", &left.long_summary, &right.long_summary),
    ]
    .into_iter()
    .filter(|(_, left, right)| left.is_some() || right.is_some())
    .map(|(label, left, right)| {
        let pair = Pair::of(label, (left.as_deref(), right.as_deref()), &names);
        SideBySide {
            label,
            same: pair.same,
            marked: pair.marked,
            control: pair.left,
            candidate: pair.right,
        }
    })
    .collect()
}

fn steps(data: &ReportData) -> Vec<StepRow> {
    let steps = charts::paired_steps(&data.control, &data.candidate);
    let longest = steps
        .iter()
        .flat_map(|step| [step.control_ms, step.candidate_ms])
        .flatten()
        .fold(1.0, f64::max);
    let told = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), words::span);
    let percent = |ms: Option<f64>| ms.map_or(0.0, |ms| (ms / longest * 1000.0).round() / 10.0);
    let row = |step: charts::PairedStep| StepRow {
        control: told(step.control_ms),
        candidate: told(step.candidate_ms),
        control_percent: percent(step.control_ms),
        candidate_percent: percent(step.candidate_ms),
        name: step.name,
    };
    steps.into_iter().map(row).collect()
}

fn cost_row(line: &CostLine, currency: &str) -> CostRow {
    CostRow {
        pipeline: match line.pipeline {
            Pipeline::Control => "control",
            Pipeline::Candidate => "candidate",
        },
        step: line.step.clone(),
        what: line.what.clone(),
        amount: format!("{} {}", words::number(line.amount), line.unit)
            .trim_end()
            .to_owned(),
        cost: line
            .cost
            .map_or_else(|| "–".to_owned(), |cost| money(cost, currency)),
    }
}

fn totals(data: &ReportData) -> Option<(String, String)> {
    let told = |pipeline| {
        data.total_cost(pipeline)
            .map(|cost| money(cost, &data.currency))
    };
    let (control, candidate) = (told(Pipeline::Control), told(Pipeline::Candidate));
    let unknown = || "unknown".to_owned();
    (control.is_some() || candidate.is_some()).then(|| {
        (
            control.unwrap_or_else(unknown),
            candidate.unwrap_or_else(unknown),
        )
    })
}

fn money(cost: f64, currency: &str) -> String {
    format!("{cost:.4} {currency}")
}
