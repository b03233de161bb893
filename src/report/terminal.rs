//! The report for a terminal: the verdict, its reasons, a table of fields, times and costs. No
//! meeting text, so that it may be pasted anywhere.

use std::fmt::Write;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use console::Style;

use super::words::{self, Face, Tone};
use super::{ReportData, charts};
use crate::compare::{FieldResult, FieldVerdict};
use crate::model::Pipeline;

/// One line under the header; rows need none to be told apart.
const HEADER_LINE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Columns the report fits into.
const WIDTH: u16 = 100;

/// Renders for people; colours only when asked, so that files and pipes stay plain.
pub fn render(data: &ReportData, colour: bool) -> String {
    let face = words::of_recording(data.comparison.verdict);
    let mut text = String::new();
    let mut line = |part: &str| {
        text.push_str(part);
        text.push('\n');
    };
    line(&format!(
        "{}  {}",
        painted(face, &face.label.to_uppercase(), colour),
        words::sentence(&data.comparison)
    ));
    line(&format!("recording {}", data.recording));
    line(&format!(
        "{} · {} · {}",
        data.environment, data.flag, data.compared_at
    ));
    if let Some(deleted) = &data.texts_deleted {
        line(&deleted.sentence());
    }
    line("");
    for result in data.comparison.reasons().into_iter().take(5) {
        let face = words::of_field(result.verdict);
        line(&format!(
            "  {} {}: {}",
            styled(face.tone, colour).apply_to(face.sign),
            result.field.label(),
            result.reason
        ));
    }
    if !data.comparison.reasons().is_empty() {
        line("");
    }
    line(&paint_verdicts(&fields(data), colour));
    let steps = charts::paired_steps(&data.control, &data.candidate);
    if !steps.is_empty() {
        line("");
        line(&times(&steps));
    }
    if !data.borne.is_empty() {
        line("");
        line("borne for a while:");
        for borne in &data.borne {
            line(&format!("  {}", borne.sentence()));
        }
    }
    if let Some(pinned) = &data.pinned {
        line("");
        line(&pinned.sentence());
        for found in pinned.told() {
            line(&format!("  {}", found.sentence()));
        }
    }
    if let Some(costs) = costs(data) {
        line("");
        line(&costs);
    }
    if let Some(spared) = data.spared() {
        line(&spared);
    }
    text
}

fn fields(data: &ReportData) -> String {
    let mut table = table(&["field", "verdict", "", "measured", "allowed", "why"]);
    for result in &data.comparison.fields {
        let face = words::of_field(result.verdict);
        let (measured, allowed) = numbers(result);
        table.add_row([
            result.field.label().to_owned(),
            format!("{} {}", face.sign, face.label),
            words::strictness(result.strictness).to_owned(),
            measured,
            allowed,
            reason_beside_numbers(result),
        ]);
    }
    table.trim_fmt()
}

/// What the numbers in the row do not say already.
fn reason_beside_numbers(result: &FieldResult) -> String {
    match result.verdict {
        FieldVerdict::Match => String::new(),
        FieldVerdict::WithinNoise
            if result.measured.iter().any(|number| number.bound.is_some()) =>
        {
            String::new()
        }
        FieldVerdict::WithinNoise | FieldVerdict::Differs | FieldVerdict::NotComparable => {
            result.reason.clone()
        }
    }
}

/// The numbers that decide: those outside their limits, or else the first judged one.
fn numbers(result: &FieldResult) -> (String, String) {
    let judged = || {
        result
            .measured
            .iter()
            .filter(|number| number.bound.is_some())
    };
    let outside: Vec<_> = judged().filter(|number| !number.holds).collect();
    let shown = if outside.is_empty() {
        judged().take(1).collect()
    } else {
        outside
    };
    let lines = |of: &dyn Fn(&crate::compare::Measured) -> String| {
        shown
            .iter()
            .map(|number| of(number))
            .collect::<Vec<_>>()
            .join("\n")
    };
    (
        lines(&|number| format!("{} {}", words::name(number), words::value(number))),
        lines(&|number| words::limit(number.bound)),
    )
}

fn times(steps: &[charts::PairedStep]) -> String {
    let mut table = table(&["step", "control", "candidate"]);
    let told = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), words::span);
    for step in steps {
        table.add_row([
            step.name.clone(),
            told(step.control_ms),
            told(step.candidate_ms),
        ]);
    }
    let sum = |of: fn(&charts::PairedStep) -> Option<f64>| {
        steps.iter().filter_map(of).reduce(|sum, ms| sum + ms)
    };
    table.add_row([
        "all steps".to_owned(),
        told(sum(|step| step.control_ms)),
        told(sum(|step| step.candidate_ms)),
    ]);
    right_aligned(&mut table, &[1, 2]);
    table.trim_fmt()
}

fn costs(data: &ReportData) -> Option<String> {
    let told = |pipeline| {
        data.total_cost(pipeline)
            .map(|cost| format!("{cost:.4} {}", data.currency))
    };
    let (control, candidate) = (told(Pipeline::Control), told(Pipeline::Candidate));
    if control.is_none() && candidate.is_none() {
        return None;
    }
    let unknown = || "unknown".to_owned();
    let mut text = String::new();
    write!(
        text,
        "cost: control {}, candidate {}",
        control.unwrap_or_else(unknown),
        candidate.unwrap_or_else(unknown)
    )
    .ok()?;
    if let Some(overhead) = data.overhead() {
        write!(text, "; {overhead}").ok()?;
    }
    Some(text)
}

/// A table as wide as a report.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(HEADER_LINE)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(header.to_vec());
    table
}

fn right_aligned(table: &mut Table, columns: &[usize]) {
    for &at in columns {
        if let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// The table is laid out plain, since escapes would count as width; its verdicts are known texts
/// and coloured afterwards.
fn paint_verdicts(table: &str, colour: bool) -> String {
    if !colour {
        return table.to_owned();
    }
    [
        FieldVerdict::Match,
        FieldVerdict::WithinNoise,
        FieldVerdict::Differs,
        FieldVerdict::NotComparable,
    ]
    .into_iter()
    .map(words::of_field)
    .fold(table.to_owned(), |table, face| {
        let plain = format!("{} {}", face.sign, face.label);
        table.replace(
            &plain,
            &styled(face.tone, colour).apply_to(&plain).to_string(),
        )
    })
}

/// A verdict with its sign.
pub(super) fn painted(face: Face, text: &str, colour: bool) -> String {
    styled(face.tone, colour)
        .bold()
        .apply_to(format!("{} {text}", face.sign))
        .to_string()
}

/// How a tone looks.
pub(super) fn styled(tone: Tone, colour: bool) -> Style {
    let style = Style::new().force_styling(colour);
    match tone {
        Tone::Good => style.green(),
        Tone::Noise => style.yellow(),
        Tone::Bad => style.red(),
        Tone::Open => style.magenta(),
    }
}
