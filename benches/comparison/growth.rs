//! How time and memory grow with the meeting, as a drawing.

use std::{fmt::Write as _, time::Duration};

use super::meeting::Size;

/// What a meeting took.
pub(super) struct Row {
    pub(super) size: Size,
    pub(super) took: Duration,
    /// Kilobytes, where the system tells.
    pub(super) memory: Option<u64>,
}

const LINE: usize = 26;
const LABELS: usize = 230;
const BARS: f64 = 400.0;

/// An SVG with a bar a meeting, first of seconds, then of megabytes.
pub(super) fn drawn(rows: &[Row]) -> String {
    let seconds: Vec<f64> = rows.iter().map(|row| row.took.as_secs_f64()).collect();
    let megabytes: Vec<f64> = rows
        .iter()
        .map(|row| row.memory.unwrap_or(0) as f64 / 1024.0)
        .collect();
    let height = (2 * rows.len() + 4) * LINE;
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='740' height='{height}' \
         font-family='sans-serif' font-size='13'>\n\
         <rect width='100%' height='100%' fill='white'/>\n"
    );
    let mut top = LINE;
    for (title, values, unit) in [
        ("Comparing all fields, seconds", seconds, "s"),
        ("Most memory of the process, megabytes", megabytes, "MB"),
    ] {
        let _ = writeln!(
            svg,
            "<text x='10' y='{top}' font-weight='bold'>{title}</text>"
        );
        let greatest = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        for (row, value) in rows.iter().zip(values) {
            top += LINE;
            let size = row.size;
            let width = value / greatest * BARS;
            let _ = writeln!(
                svg,
                "<text x='10' y='{top}'>{} h, {} speakers, {} words</text>\
                 <rect x='{LABELS}' y='{}' width='{width:.1}' height='16' fill='#4477aa'/>\
                 <text x='{:.1}' y='{top}'>{value:.2} {unit}</text>",
                size.hours,
                size.speakers,
                size.words,
                top - 13,
                LABELS as f64 + width + 6.0
            );
        }
        top += 2 * LINE;
    }
    svg + "</svg>\n"
}
