//! Fields whose control ran twice.

use serde::Serialize;

use super::super::{EvidenceReport, SoftField, charts};
use crate::report::words::number;

#[derive(Serialize)]
pub(super) struct Soft {
    label: String,
    shares: String,
    evidence: String,
    rows: Vec<[String; 3]>,
    tests: String,
    unmeasured: usize,
}

pub(super) fn forest_row(field: &SoftField) -> [String; 4] {
    [
        field.label.clone(),
        format!("{:+.4}", field.excess.value),
        format!("{:+.4} to {:+.4}", field.excess.low, field.excess.high),
        number(field.margin),
    ]
}

pub(super) fn soft(report: &EvidenceReport, field: &SoftField) -> Soft {
    let at = |all: &[(f64, f64)], share: f64| {
        let found = all.iter().find(|one| one.1 >= share).or(all.last());
        found.map_or_else(|| "–".to_owned(), |one| number(one.0))
    };
    let row = |name: &str, share: f64| {
        [
            name.to_owned(),
            at(&field.candidate, share),
            at(&field.control, share),
        ]
    };
    let threshold = report
        .decision
        .fields
        .iter()
        .find(|row| row.name == field.name)
        .map_or(report.decision.counts.threshold, |row| row.threshold);
    let tests = field.steps.last().map_or_else(String::new, |last| {
        format!(
            "After {} mirrors {:.1} for the candidate and {:.1} against it, of {threshold:.1}.",
            last.n, last.evidence, last.against
        )
    });
    Soft {
        label: field.label.clone(),
        shares: charts::shares(field),
        evidence: charts::evidence(&field.steps, threshold, "mirrors", (480.0, 230.0)),
        rows: vec![
            row("a quarter within", 0.25),
            row("half within", 0.5),
            row("three quarters within", 0.75),
            row("95 % within", 0.95),
            row("all within", 1.0),
        ],
        tests: tests.replace('-', "−"),
        unmeasured: field.unmeasured,
    }
}

/// Soft fields of which nothing can be drawn.
pub(super) fn without_mirrors(report: &EvidenceReport) -> String {
    let is_drawn = |name: &str| report.soft.iter().any(|field| field.name == name);
    let rows = report.decision.fields.iter();
    let without: Vec<&str> = rows
        .filter(|row| matches!(row.kind, crate::gate::FieldKind::Soft(_)) && !is_drawn(&row.name))
        .map(|row| row.label.as_str())
        .collect();
    without.join(", ")
}
