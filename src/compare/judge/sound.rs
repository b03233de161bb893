//! Duration, waveform and mix.

use serde_json::json;

use super::Finding;
use crate::compare::difference::Difference;
use crate::compare::metrics::{envelope, series};
use crate::model::Outcome;

pub(super) fn duration(control: &Outcome, candidate: &Outcome) -> Finding {
    let difference = || {
        Difference::between(
            "/duration_ms",
            control.duration_ms.map(|ms| json!(ms)),
            candidate.duration_ms.map(|ms| json!(ms)),
        )
    };
    match (control.duration_ms, candidate.duration_ms) {
        (None, None) => Finding::equal(),
        (Some(left), Some(right)) => {
            let distance = (right - left).abs();
            let equal = distance <= 0.0;
            Finding {
                equal,
                numbers: vec![("difference_ms", Some(distance))],
                differences: if equal {
                    Vec::new()
                } else {
                    vec![difference()]
                },
                ..Finding::default()
            }
        }
        (Some(_), None) | (None, Some(_)) => Finding::one_sided(difference(), "duration"),
    }
}

/// Over the common part, the greatest differences first. The legacy drops an incomplete last chunk, so a row may be one shorter.
pub(super) fn waveform(control: &Outcome, candidate: &Outcome) -> Finding {
    let (left, right) = (&control.waveform, &candidate.waveform);
    if left.is_empty() != right.is_empty() {
        let some = |row: &Vec<f64>| (!row.is_empty()).then(|| json!({"length": row.len()}));
        return Finding::one_sided(
            Difference::between("/waveform", some(left), some(right)),
            "waveform",
        );
    }
    let common = left.len().min(right.len());
    let measured = series::distance(&left[..common], &right[..common]);
    let equal = left == right;
    let length = (left.len().abs_diff(right.len())) as f64;
    let apart = |at: usize| (left[at] - right[at]).abs();
    let mut changed: Vec<usize> = (0..common).filter(|&at| apart(at) > 0.0).collect();
    changed.sort_by(|one, other| apart(*other).total_cmp(&apart(*one)));
    let mut differences: Vec<Difference> = changed
        .into_iter()
        .map(|at| {
            Difference::between(
                format!("/waveform/{at}"),
                Some(json!(left[at])),
                Some(json!(right[at])),
            )
        })
        .collect();
    if left.len() != right.len() {
        let (left, right) = (json!(left.len()), json!(right.len()));
        differences.insert(
            0,
            Difference::between("/waveform/length", Some(left), Some(right)),
        );
    }
    Finding {
        equal,
        numbers: vec![
            ("max_abs", measured.map(|distance| distance.max_abs)),
            ("mean_abs", measured.map(|distance| distance.mean_abs)),
            // Two equal flat rows correlate, though Pearson cannot say so.
            (
                "pearson",
                if equal {
                    Some(1.0)
                } else {
                    measured.and_then(|distance| distance.pearson)
                },
            ),
            ("length_difference", Some(length)),
        ],
        differences,
        ..Finding::default()
    }
}

/// A mix that could not be read is not held against either side: what lies in the store is
/// judged by `objects`.
pub(super) fn audio(control: &Outcome, candidate: &Outcome) -> Finding {
    let (left, right) = match (&control.audio, &candidate.audio) {
        (Some(left), Some(right)) => (left, right),
        (None, None) => return Finding::equal(),
        (Some(_), None) => return Finding::not_comparable("the candidate's mix was not read"),
        (None, Some(_)) => return Finding::not_comparable("the control's mix was not read"),
    };
    let measured = envelope::likeness(left, right);
    let mut differences = Vec::new();
    let mut broken = Vec::new();
    for (name, left, right) in [
        ("sample_rate", left.sample_rate, right.sample_rate),
        (
            "channels",
            u32::from(left.channels),
            u32::from(right.channels),
        ),
    ] {
        if left != right {
            broken.push(format!("{name} changed from {left} to {right}"));
            differences.push(Difference::between(
                format!("/audio/{name}"),
                Some(json!(left)),
                Some(json!(right)),
            ));
        }
    }
    if left.samples != right.samples {
        differences.push(Difference::between(
            "/audio/samples",
            Some(json!(left.samples)),
            Some(json!(right.samples)),
        ));
    }
    Finding {
        equal: left == right,
        broken,
        numbers: vec![
            ("correlation", measured.correlation),
            ("gain_db", measured.gain_db.map(f64::abs)),
            ("duration_difference_ms", Some(measured.duration_ms.abs())),
        ],
        differences,
        ..Finding::default()
    }
}
