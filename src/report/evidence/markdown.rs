//! The first screen as Markdown, for a chat: the verdict, its reasons, the fields. Nothing in it names a
//! recording, a run or a person.

use std::fmt::Write;

use super::{EvidenceReport, sentences};

/// Renders as Markdown.
pub fn render(report: &EvidenceReport) -> String {
    let decision = &report.decision;
    let about = &report.about;
    let mut text = format!(
        "## {} {} · {} · {}\n\n{}\n\n",
        sentences::verdict(decision.verdict).sign,
        sentences::headline(decision),
        cell(&about.environment),
        cell(&about.flag),
        cell(&sentences::lead(decision))
    );
    for (name, value) in [
        ("Evidence", sentences::amount(decision)),
        ("Not counted", sentences::left_out(decision)),
        ("GO expected", report.expected.said.clone()),
        ("In force", sentences::in_force(decision.in_force)),
        (
            "Digest",
            format!(
                "`{}` under versions `{}`, {}",
                about.digest, about.versions, about.at
            ),
        ),
    ] {
        // Writing to a string does not fail.
        let _ = writeln!(text, "- {name}: {}", cell(&value));
    }
    if let Some(changes) = &report.changes {
        let _ = write!(text, "\n**Changed since {}**\n\n", cell(&changes.since));
        for said in changes.said() {
            let _ = writeln!(text, "- {}", cell(&said));
        }
    }
    if !decision.reasons.is_empty() {
        text.push_str(
            "\n| | what | observed | has to be | missing |\n| --- | --- | --- | --- | --- |\n",
        );
        for line in &decision.reasons {
            row(
                &mut text,
                &[
                    sentences::of_line(line.state).sign.to_owned(),
                    line.name.clone(),
                    line.observed.clone(),
                    line.bound.clone(),
                    sentences::action(line),
                ],
            );
        }
    }
    if !decision.fields.is_empty() {
        text.push_str("\n| | field | differs | noise | excess | evidence |\n| --- | --- | --- | --- | --- | --- |\n");
        for field in &decision.fields {
            let face = sentences::of_field(field.state);
            row(
                &mut text,
                &[
                    format!("{} {}", face.sign, face.label),
                    format!("{} ({})", field.label, sentences::kind(field.kind)),
                    sentences::rate(field.differs, field.compared),
                    sentences::noise(field),
                    sentences::excess(report, field),
                    format!("{:.1} of {:.1}", field.evidence, field.threshold),
                ],
            );
        }
    }
    text
}

fn row(text: &mut String, cells: &[String]) {
    for one in cells {
        text.push_str("| ");
        text.push_str(&cell(one));
        text.push(' ');
    }
    text.push_str("|\n");
}

/// What would end a cell or begin a tag does not.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
        .replace('<', "&lt;")
        .replace('\n', " ")
}
