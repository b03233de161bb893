//! The gate: what it says, what it asked with each number and its bound, and what is missing.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    super::{Door, error::PageError},
    Page,
    frame::{Frame, Place},
    page,
};
use crate::{
    access::Caller,
    controller::Looked,
    gate::{
        Cell, Counts, FieldKind, FieldRow, FieldState, LeftOut, Line, LineState, SoakCounts, Who,
    },
    model::GateVerdict,
    rollout::Evidence,
};

#[derive(Serialize)]
struct GatePage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    verdict: GateVerdict,
    line: String,
    /// When it was asked.
    at: DateTime<Utc>,
    evidence: Evidence,
    counts: Counts,
    left_out: LeftOut,
    reasons: Vec<Asked>,
    lines: Vec<Asked>,
    fields: Vec<Field>,
    noise: String,
    cells: Vec<CellLine>,
    soak: Soak,
}

/// One thing that was asked.
#[derive(Serialize)]
struct Asked {
    name: String,
    state: LineState,
    observed: String,
    bound: String,
    missing: String,
    who: &'static str,
    eta_days: Option<i64>,
}

impl From<&Line> for Asked {
    fn from(line: &Line) -> Self {
        Self {
            name: line.name.clone(),
            state: line.state,
            observed: line.observed.clone(),
            bound: line.bound.clone(),
            missing: line.missing.clone(),
            who: line.who.map_or("", Who::label),
            eta_days: line.eta_days,
        }
    }
}

#[derive(Serialize)]
struct Field {
    name: String,
    label: String,
    kind: String,
    state: FieldState,
    differs: i64,
    compared: i64,
    noise: String,
    excess: String,
    /// From 0 to 1: how far the evidence is on its way.
    share: f64,
    evidence: String,
    threshold: String,
    note: String,
    missing: String,
}

impl From<&FieldRow> for Field {
    fn from(row: &FieldRow) -> Self {
        Self {
            kind: match row.kind {
                FieldKind::Hard => "hard".to_owned(),
                FieldKind::Soft(margin) => format!("soft, margin {margin}"),
            },
            noise: match row.noise_pairs {
                0 => "–".to_owned(),
                pairs => format!("{} of {pairs}", row.noise_differs),
            },
            excess: row.excess_told(),
            share: row.share(),
            evidence: format!("{:.2}", row.evidence),
            threshold: format!("{:.2}", row.threshold),
            name: row.name.clone(),
            label: row.label.clone(),
            state: row.state,
            differs: row.differs,
            compared: row.compared,
            note: row.note.clone(),
            missing: row.missing.clone(),
        }
    }
}

#[derive(Serialize)]
struct CellLine {
    tracks: String,
    duration: String,
    language: String,
    recordings: i64,
}

impl From<&Cell> for CellLine {
    fn from(cell: &Cell) -> Self {
        Self {
            tracks: cell.stratum.tracks.to_string(),
            duration: cell.stratum.duration.to_string(),
            language: cell.stratum.language.clone(),
            recordings: cell.recordings,
        }
    }
}

/// What serving came to.
#[derive(Serialize)]
struct Soak {
    verdict: GateVerdict,
    line: String,
    lines: Vec<Asked>,
    counts: SoakCounts,
}

pub(super) async fn show(State(door): State<Door>, caller: Caller) -> Result<Page, PageError> {
    let looked = door.mover.looked().await?;
    let Looked {
        evidence,
        decision,
        at,
    } = (*looked).clone();
    let soak = door.mover.soak().await?;
    let shown = GatePage {
        frame: Frame::at(Place::Evidence, &door, &caller),
        verdict: decision.verdict,
        at,
        evidence,
        counts: decision.counts,
        left_out: decision.left_out,
        reasons: decision.reasons.iter().map(Asked::from).collect(),
        lines: decision.lines.iter().map(Asked::from).collect(),
        fields: decision.fields.iter().map(Field::from).collect(),
        noise: decision.noise.to_string(),
        cells: decision.coverage.cells.iter().map(CellLine::from).collect(),
        soak: Soak {
            verdict: soak.verdict,
            lines: soak.lines.iter().map(Asked::from).collect(),
            counts: soak.counts,
            line: soak.line,
        },
        line: decision.line,
    };
    Ok(page("gate.html", &shown)?)
}
