//! What the page shows, in its order, as plain values: the template decides nothing.

mod coverage;
mod soft;
mod times;

use serde::Serialize;

use super::{Changes, EvidenceReport, Links, TypicalStep, beside, charts, sentences, timeline};
use crate::{
    gate::{Line, Severity},
    report::words::{Face, span},
};
use coverage::{Language, languages};
use soft::{Soft, forest_row, soft, without_mirrors};
use times::{Times, times};

#[derive(Serialize)]
pub(super) struct Page<'a> {
    verdict: Face,
    headline: String,
    lead: String,
    about: Vec<(&'static str, String)>,
    changes: Option<&'a Changes>,
    changed: Vec<String>,
    since: Vec<(&'static str, &'static str)>,
    reasons: Vec<Asked<'a>>,
    lines: Vec<Asked<'a>>,
    fields: Vec<Field>,
    forest: Option<String>,
    forest_rows: Vec<[String; 4]>,
    failures: Option<String>,
    failures_rows: Vec<[String; 3]>,
    failures_needed: String,
    soft: Vec<Soft>,
    without_mirrors: String,
    times: Option<Times>,
    cost: String,
    spent: String,
    waterfall: Option<String>,
    steps_of: usize,
    steps: Vec<[String; 3]>,
    languages: Vec<Language>,
    languages_left_out: usize,
    classes: Option<String>,
    class_rows: Vec<[String; 4]>,
    defects: Option<Vec<Planted>>,
    reviews: Option<Vec<(&'static str, String)>>,
    in_force: String,
    put_up_with: Vec<[String; 4]>,
    preferred: Vec<String>,
    reliability: Vec<(&'static str, String)>,
    timeline: String,
    happened: Vec<[String; 3]>,
    happened_left_out: usize,
    ended: Vec<[String; 6]>,
    worst: Vec<Bad>,
}

#[derive(Serialize)]
struct Asked<'a> {
    face: Face,
    name: &'a str,
    observed: &'a str,
    bound: &'a str,
    action: String,
}

#[derive(Serialize)]
struct Field {
    label: String,
    kind: String,
    face: Face,
    raw: String,
    noise: String,
    excess: String,
    evidence: String,
    way: f64,
    remark: String,
    mix: String,
}

#[derive(Serialize)]
struct Planted {
    name: String,
    severity: String,
    share: String,
    way: f64,
    caught: String,
}

#[derive(Serialize)]
struct Bad {
    recording: String,
    run: String,
    why: String,
    link: Option<String>,
}

pub(super) fn page(report: &EvidenceReport, links: Links) -> Page<'_> {
    let decision = &report.decision;
    let mut happened = report.timeline.told();
    let happened_left_out = happened.len().saturating_sub(HAPPENED);
    happened.truncate(HAPPENED);
    Page {
        verdict: sentences::verdict(decision.verdict),
        headline: sentences::headline(decision),
        lead: sentences::lead(decision),
        about: about(report),
        changes: report.changes.as_ref(),
        changed: report.changes.as_ref().map_or_else(Vec::new, Changes::said),
        since: match links {
            Links::Server => SINCE.to_vec(),
            Links::Command | Links::Beside => Vec::new(),
        },
        reasons: decision.reasons.iter().map(asked).collect(),
        lines: decision.lines.iter().map(asked).collect(),
        fields: fields(report),
        forest: (!report.soft.is_empty()).then(|| charts::forest(&report.soft)),
        forest_rows: report.soft.iter().map(forest_row).collect(),
        failures: (!report.failures.is_empty()).then(|| {
            let threshold = decision.counts.threshold;
            charts::evidence(&report.failures, threshold, "recordings", (1000.0, 280.0))
        }),
        failures_rows: thin(&report.failures)
            .map(|step| {
                [
                    step.n.to_string(),
                    format!("{:.2}", step.evidence),
                    format!("{:.2}", step.against),
                ]
            })
            .collect(),
        failures_needed: format!("{:.2}", decision.counts.threshold),
        soft: report
            .soft
            .iter()
            .map(|field| soft(report, field))
            .collect(),
        without_mirrors: without_mirrors(report),
        times: times(report),
        cost: line_of(report, "cost"),
        spent: beside::spent(report.beside.spent),
        waterfall: (!report.steps.steps.is_empty()).then(|| charts::waterfall(&report.steps)),
        steps_of: report.steps.recordings,
        steps: report.steps.steps.iter().map(step).collect(),
        languages: languages(&decision.coverage.cells)
            .into_iter()
            .take(LANGUAGES)
            .collect(),
        languages_left_out: languages(&decision.coverage.cells)
            .len()
            .saturating_sub(LANGUAGES),
        classes: (!report.classes.is_empty()).then(|| charts::pareto(&report.classes)),
        class_rows: classes(report),
        defects: report
            .self_test
            .as_ref()
            .map(|test| test.defects.iter().map(planted).collect()),
        reviews: reviews(report),
        in_force: sentences::in_force(decision.in_force),
        put_up_with: report.looked_at.in_force(),
        preferred: report.looked_at.preferred(),
        reliability: reliability(report),
        timeline: timeline::drawn(&report.timeline),
        happened,
        happened_left_out,
        ended: report.timeline.counted(),
        worst: report
            .worst
            .iter()
            .map(|worst| Bad {
                recording: worst.recording.to_string(),
                run: worst.run.to_string(),
                why: worst.why.clone(),
                link: links.of(&worst.run),
            })
            .collect(),
    }
}

/// What changes may be told since with one click.
const SINCE: [(&str, &str); 3] = [
    ("yesterday", "/evidence?since=1d"),
    ("a week ago", "/evidence?since=7d"),
    ("a month ago", "/evidence?since=30d"),
];

/// Rows of what happened.
const HAPPENED: usize = 100;

/// Languages whose coverage is drawn.
const LANGUAGES: usize = 6;

/// About twenty of them, the last among them: a table is for reading.
fn thin<T>(all: &[T]) -> impl Iterator<Item = &T> {
    let every = all.len().div_ceil(20).max(1);
    let last = all.len();
    let kept = all.iter().zip(1..);
    kept.filter(move |(_, at)| usize::is_multiple_of(*at, every) || *at == last)
        .map(|(one, _)| one)
}

fn about(report: &EvidenceReport) -> Vec<(&'static str, String)> {
    let about = &report.about;
    vec![
        ("Environment", about.environment.clone()),
        ("Flag", about.flag.clone()),
        ("Evidence", sentences::amount(&report.decision)),
        ("Not counted", sentences::left_out(&report.decision)),
        ("GO expected", report.expected.said.clone()),
        ("Put up with", sentences::in_force(report.decision.in_force)),
        ("Digest of the evidence", about.digest.clone()),
        ("Versions", about.versions.clone()),
        ("Read", about.at.clone()),
    ]
}

fn asked(line: &Line) -> Asked<'_> {
    Asked {
        face: sentences::of_line(line.state),
        name: &line.name,
        observed: &line.observed,
        bound: &line.bound,
        action: sentences::action(line),
    }
}

fn fields(report: &EvidenceReport) -> Vec<Field> {
    let rows = report.decision.fields.iter();
    rows.map(|row| Field {
        label: row.label.clone(),
        kind: sentences::kind(row.kind),
        face: sentences::of_field(row.state),
        raw: unbroken(&sentences::rate(row.differs, row.compared)),
        noise: unbroken(&sentences::noise(row)),
        excess: sentences::excess(report, row).replace('-', "−"),
        evidence: format!("{:.1} of {:.1}", row.evidence, row.threshold).replace('-', "−"),
        way: sentences::way(row.evidence, row.threshold),
        remark: sentences::remark(row),
        mix: report.looked_at.mix_of(&row.name),
    })
    .collect()
}

/// `0 of 10000`, and `(0 %)` each stay on one line.
fn unbroken(text: &str) -> String {
    let text = text.replace(" %", "\u{a0}%").replace("< ", "<\u{a0}");
    text.replace("> ", ">\u{a0}")
        .replace(" of ", "\u{a0}of\u{a0}")
}

fn line_of(report: &EvidenceReport, name: &str) -> String {
    let mut lines = report.decision.lines.iter();
    let line = lines.find(|line| line.name == name);
    line.map_or_else(String::new, |line| {
        format!("{} ({}): {}", line.name, line.state.label(), line.observed)
    })
}

fn step(step: &TypicalStep) -> [String; 3] {
    let told =
        |seconds: Option<f64>| seconds.map_or_else(|| "not known".to_owned(), |s| span(1000.0 * s));
    [
        step.name.clone(),
        told(step.control_s),
        told(step.candidate_s),
    ]
}

fn classes(report: &EvidenceReport) -> Vec<[String; 4]> {
    let all: i64 = report.classes.iter().map(|one| one.count).sum();
    let mut so_far = 0;
    let row = |class: &super::ClassCount| {
        so_far += class.count;
        [
            class.class.clone(),
            format!("{:?}", class.severity),
            class.count.to_string(),
            sentences::percent(so_far as f64 / all.max(1) as f64),
        ]
    };
    report.classes.iter().map(row).collect()
}

fn planted(defect: &crate::gate::Defect) -> Planted {
    let share = defect.caught as f64 / defect.of.max(1) as f64;
    let grave = matches!(defect.severity, Severity::S0 | Severity::S1);
    Planted {
        name: defect.name.clone(),
        severity: format!("{:?}", defect.severity),
        share: match defect.of {
            0 => "could not be planted".to_owned(),
            _ if grave && share < 0.95 => format!("{}, too rarely", sentences::percent(share)),
            _ => sentences::percent(share),
        },
        way: sentences::way(share, 1.0),
        caught: format!("{} of {}", defect.caught, defect.of),
    }
}

fn reviews(report: &EvidenceReport) -> Option<Vec<(&'static str, String)>> {
    let reviews = report.reviews?;
    Some(vec![
        ("Open, severity S0", reviews.open_s0.to_string()),
        ("Open, severity S1", reviews.open_s1.to_string()),
        (
            "Obligations met",
            format!("{} of {}", reviews.done, reviews.needed),
        ),
    ])
}

fn reliability(report: &EvidenceReport) -> Vec<(&'static str, String)> {
    let told = &report.reliability;
    let all = told.recordings;
    let share = told.candidate_share.map_or_else(
        || "no recordings so far".to_owned(),
        |share| {
            format!(
                "{} ({} to {}, Wilson's 95 % interval; shown, and decides nothing)",
                sentences::percent(share.value),
                sentences::percent(share.low),
                sentences::percent(share.high)
            )
        },
    );
    vec![
        (
            "Candidate failed where the control ended well",
            sentences::rate(told.candidate_failed, all),
        ),
        (
            "Candidate not in time",
            sentences::rate(told.candidate_late, all),
        ),
        ("Candidate without a result", share),
        (
            "Control failed (does not count)",
            told.control_failed.to_string(),
        ),
        (
            "Effects the same",
            if told.effects_told == 0 {
                "no control told what it sent and stored".to_owned()
            } else {
                sentences::rate(told.effects_equal, told.effects_told)
            },
        ),
        ("Latency", line_of(report, "latency")),
        ("Self-test", line_of(report, "self-test")),
        (
            "Last rehearsal",
            beside::rehearsed(report.beside.rehearsal.as_ref()),
        ),
    ]
}
