//! How verdicts and numbers are put in words, the same in every rendering.

use serde::Serialize;

use crate::compare::{Bound, Comparison, FieldVerdict, Measured, Strictness, Verdict};
use crate::model::OutcomeStatus;

/// A verdict as people meet it. The sign carries the meaning where there is no colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Face {
    pub(super) sign: &'static str,
    pub(super) label: &'static str,
    pub(super) tone: Tone,
}

/// What a verdict means for the reader; also the name of its style in the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tone {
    Good,
    Noise,
    Bad,
    Open,
}

const fn face(sign: &'static str, label: &'static str, tone: Tone) -> Face {
    Face { sign, label, tone }
}

pub(super) const fn of_field(verdict: FieldVerdict) -> Face {
    match verdict {
        FieldVerdict::Match => face("✓", "match", Tone::Good),
        FieldVerdict::WithinNoise => face("≈", "within noise", Tone::Noise),
        FieldVerdict::Differs => face("✗", "differs", Tone::Bad),
        FieldVerdict::NotComparable => face("?", "not comparable", Tone::Open),
    }
}

pub(super) const fn of_recording(verdict: Verdict) -> Face {
    match verdict {
        Verdict::Match => face("✓", "Match", Tone::Good),
        Verdict::WithinNoise => face("≈", "Within noise", Tone::Noise),
        Verdict::Differs => face("✗", "Differs", Tone::Bad),
        Verdict::CandidateFailed => face("✗", "Candidate failed", Tone::Bad),
        Verdict::ControlFailed => face("?", "Control failed", Tone::Open),
        Verdict::BothFailed => face("?", "Both failed", Tone::Open),
        Verdict::NotComparable => face("?", "Not comparable", Tone::Open),
        Verdict::Pending => face("…", "Pending", Tone::Open),
        Verdict::TimedOut => face("✗", "Timed out", Tone::Bad),
    }
}

/// The verdict in a sentence.
pub(super) fn sentence(comparison: &Comparison) -> String {
    let all = comparison.fields.len();
    let of = |verdict| comparison.count(verdict);
    match comparison.verdict {
        Verdict::Match => format!("All {all} fields are the same."),
        Verdict::WithinNoise => {
            format!(
                "{} of {all} fields differ, all within their declared tolerance.",
                of(FieldVerdict::WithinNoise)
            )
        }
        Verdict::Differs => format!("{} of {all} fields differ.", of(FieldVerdict::Differs)),
        Verdict::CandidateFailed => "The control ended, the candidate did not.".to_owned(),
        Verdict::ControlFailed => "The candidate ended, the control did not.".to_owned(),
        Verdict::BothFailed => "Neither the control nor the candidate ended.".to_owned(),
        Verdict::NotComparable if is_withdrawn(comparison) => {
            "Consent was denied while the run was under way; nothing is left to compare.".to_owned()
        }
        Verdict::NotComparable => {
            format!(
                "{} of {all} fields could not be compared.",
                of(FieldVerdict::NotComparable)
            )
        }
        Verdict::Pending => "A side still runs.".to_owned(),
        Verdict::TimedOut => "The candidate did not end in time.".to_owned(),
    }
}

fn is_withdrawn(comparison: &Comparison) -> bool {
    [comparison.control, comparison.candidate].contains(&OutcomeStatus::Withdrawn)
}

pub(super) const fn strictness(strictness: Strictness) -> &'static str {
    match strictness {
        Strictness::Hard => "hard",
        Strictness::Soft => "soft",
    }
}

/// `0.031`, `7.5 ms`, or a dash when there is no value.
pub(super) fn value(measured: &Measured) -> String {
    measured.value.map_or_else(
        || "–".to_owned(),
        |value| with_unit(&number(value), &measured.unit),
    )
}

/// `≤ 0.02`; empty for a number nobody judges.
pub(super) fn limit(bound: Option<Bound>) -> String {
    match bound.map(|bound| (bound.at_least, bound.at_most)) {
        Some((Some(least), Some(most))) => format!("{} to {}", number(least), number(most)),
        Some((Some(least), None)) => format!("≥ {}", number(least)),
        Some((None, Some(most))) => format!("≤ {}", number(most)),
        Some((None, None)) | None => String::new(),
    }
}

/// At most four decimals, without trailing zeros.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

fn with_unit(number: &str, unit: &str) -> String {
    if unit.is_empty() {
        number.to_owned()
    } else {
        format!("{number} {unit}")
    }
}

/// `p95_s` as `p95 s`: names may break at blanks, and units are told apart.
pub(super) fn name(measured: &Measured) -> String {
    let plain = measured
        .name
        .strip_suffix(&format!("_{}", measured.unit.to_lowercase()));
    plain.unwrap_or(&measured.name).replace('_', " ")
}

/// `1:02:03` or `02:03`.
pub(super) fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0).floor();
    let (hours, minutes, seconds) = (
        (whole / 3600.0).floor(),
        (whole / 60.0).floor() % 60.0,
        whole % 60.0,
    );
    if hours > 0.0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

/// `850 ms`, `6.5 s`, `2 min 05 s`.
pub(super) fn span(ms: f64) -> String {
    if ms < 1000.0 {
        format!("{ms:.0} ms")
    } else if ms < 120_000.0 {
        format!("{:.1} s", ms / 1000.0)
    } else {
        let seconds = (ms / 1000.0).round();
        format!(
            "{:.0} min {:02.0} s",
            (seconds / 60.0).floor(),
            seconds % 60.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_complete() {
        assert_eq!(
            (clock(65.9), clock(3723.0)),
            ("01:05".to_owned(), "1:02:03".to_owned())
        );
        assert_eq!(
            (span(12.4), span(6540.0), span(125_000.0)),
            (
                "12 ms".to_owned(),
                "6.5 s".to_owned(),
                "2 min 05 s".to_owned()
            )
        );
    }
}
