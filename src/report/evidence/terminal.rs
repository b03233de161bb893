//! The first screen for a terminal, and what speaks most against the candidate.

use super::{EvidenceReport, sentences};
use crate::{
    gate::{FieldState, LineState},
    report::terminal::{painted, styled, table},
};

/// Renders for people; colours only when asked, so that files and pipes stay plain.
pub fn render(report: &EvidenceReport, colour: bool) -> String {
    let decision = &report.decision;
    let about = &report.about;
    let mut text = String::new();
    let mut line = |part: &str| {
        text.push_str(part);
        text.push('\n');
    };
    let face = sentences::verdict(decision.verdict);
    line(&painted(face, &sentences::headline(decision), colour));
    line(&sentences::lead(decision));
    line(&format!(
        "{} · {} · {}",
        about.environment, about.flag, about.at
    ));
    line(&format!(
        "{}; not counted: {}",
        sentences::amount(decision),
        sentences::left_out(decision)
    ));
    line(&format!(
        "GO expected {}; in force: {}",
        report.expected.said,
        sentences::in_force(decision.in_force)
    ));
    line(&format!(
        "evidence {} under versions {}",
        about.digest, about.versions
    ));
    if let Some(changes) = &report.changes {
        line("");
        line(&format!("changed since {}:", changes.since));
        for said in changes.said() {
            line(&format!("  {said}"));
        }
    }
    if !decision.reasons.is_empty() {
        line("");
        let mut reasons = table(&["", "what", "observed", "has to be", "missing"]);
        for reason in &decision.reasons {
            reasons.add_row([
                sentences::of_line(reason.state).sign.to_owned(),
                reason.name.clone(),
                reason.observed.clone(),
                reason.bound.clone(),
                sentences::action(reason),
            ]);
        }
        line(&reasons.trim_fmt());
    }
    line("");
    line(&fields(report, colour));
    let unseen: Vec<&str> = decision
        .lines
        .iter()
        .filter(|asked| asked.state == LineState::NotLooked)
        .map(|asked| asked.name.as_str())
        .collect();
    if !unseen.is_empty() {
        line("");
        line(&format!("not looked at: {}", unseen.join(", ")));
    }
    if !report.worst.is_empty() {
        line("");
        let mut worst = table(&["speaks most against it", "why"]);
        for bad in &report.worst {
            worst.add_row([format!("switchyard report {}", bad.run), bad.why.clone()]);
        }
        line(&worst.trim_fmt());
    }
    text
}

fn fields(report: &EvidenceReport, colour: bool) -> String {
    let mut table = table(&["field", "", "differs", "noise", "excess", "evidence"]);
    for field in &report.decision.fields {
        let face = sentences::of_field(field.state);
        table.add_row([
            format!("{}\n{}", field.label, sentences::kind(field.kind)),
            format!("{} {}", face.sign, face.label),
            sentences::rate(field.differs, field.compared),
            sentences::noise(field),
            sentences::excess(report, field),
            format!("{:.1} of {:.1}", field.evidence, field.threshold),
        ]);
    }
    let mut text = table.trim_fmt();
    if colour {
        for state in [
            FieldState::Pass,
            FieldState::Fail,
            FieldState::NotYet,
            FieldState::Counted,
            FieldState::DryRun,
            FieldState::NotLooked,
        ] {
            let face = sentences::of_field(state);
            let said = format!("{} {}", face.sign, face.label);
            let painted = styled(face.tone, colour).apply_to(&said).to_string();
            text = text.replace(&said, &painted);
        }
    }
    text
}
