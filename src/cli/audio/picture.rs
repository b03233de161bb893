//! Small pictures of sound, of block characters.

use console::Term;

/// Nothing, and eighths of a line.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Where nobody reads the width of the terminal.
const USUAL_WIDTH: usize = 80;
/// What levels are drawn from, in dB of full scale.
const QUIET_DB: f64 = -60.0;

/// How many characters a picture may be wide.
pub(super) fn width() -> usize {
    let told = Term::stdout().size_checked();
    let columns = told.map_or(USUAL_WIDTH, |(_, columns)| usize::from(columns));
    columns.clamp(20, 255)
}

/// A waveform between 0 and 1 in two lines.
pub(super) fn waveform(values: &[f64]) -> [String; 2] {
    bars(&fitted(values, width()))
}

/// The largest of each of so many parts.
fn fitted(values: &[f64], width: usize) -> Vec<f64> {
    let width = width.min(values.len());
    (0..width)
        .map(|part| {
            let from = part * values.len() / width;
            let to = (part + 1) * values.len() / width;
            values[from..to].iter().copied().fold(0.0, f64::max)
        })
        .collect()
}

/// Values between 0 and 1 as bars of two lines; what is not quite 0 is seen.
fn bars(values: &[f64]) -> [String; 2] {
    let eighths = |value: f64| {
        let whole = (value.clamp(0.0, 1.0) * 16.0).round();
        let least = if value > 0.0 { 1.0 } else { 0.0 };
        // Between 0 and 16.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let whole = whole.max(least) as usize;
        whole
    };
    let upper = values
        .iter()
        .map(|value| EIGHTHS[eighths(*value).saturating_sub(8)]);
    let lower = values.iter().map(|value| EIGHTHS[eighths(*value).min(8)]);
    [upper.collect(), lower.collect()]
}

/// Levels in dB of full scale in one line, from -60 dB on; `·` is silence.
pub(super) fn levels(levels: &[Option<f64>]) -> String {
    levels
        .iter()
        .map(|level| match level {
            None => '·',
            Some(level) => {
                let share = (1.0 - level / QUIET_DB).clamp(0.0, 1.0);
                // Between 1 and 8.
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let eighths = (share * 8.0).ceil().max(1.0) as usize;
                EIGHTHS[eighths]
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waveform_is_drawn_in_two_lines_and_fits() {
        assert_eq!(bars(&[0.0, 0.01, 0.5, 0.75, 1.0]), ["   ▄█", " ▁███"]);
        assert_eq!(fitted(&[0.1, 0.9, 0.2, 0.3], 2), [0.9, 0.3]);
        assert_eq!(fitted(&[0.1], 80), [0.1]);
    }

    #[test]
    fn silence_is_no_quiet_sound() {
        let drawn = levels(&[None, Some(-90.0), Some(-30.0), Some(0.0)]);
        assert_eq!(drawn, "·▁▄█");
    }
}
