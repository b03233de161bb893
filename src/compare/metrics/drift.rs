//! How far the times of matched words lie apart.

/// Distances in seconds, hypothesis minus reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// Median of the absolute distances.
    pub median_abs: f64,
    /// 95th percentile of the absolute distances.
    pub p95_abs: f64,
    /// The greatest absolute distance.
    pub max_abs: f64,
    /// Median with sign: a whole track that is late or early shows here.
    pub median_signed: f64,
}

/// Measures pairs of `(reference start, hypothesis start)`; none when no word matched.
pub fn drift(pairs: &[(f64, f64)]) -> Option<Drift> {
    let signed: Vec<f64> = pairs.iter().map(|(left, right)| right - left).collect();
    let absolute: Vec<f64> = signed.iter().map(|distance| distance.abs()).collect();
    Some(Drift {
        median_abs: percentile(&absolute, 50.0)?,
        p95_abs: percentile(&absolute, 95.0)?,
        max_abs: percentile(&absolute, 100.0)?,
        median_signed: percentile(&signed, 50.0)?,
    })
}

/// Percentile with linear interpolation between neighbours, as `numpy.percentile` has it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the position is between 0 and the number of values"
)]
pub fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let position = percent / 100.0 * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * position.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_track_shows_in_the_signed_median() {
        let measured = drift(&[(1.0, 2.0), (2.0, 3.0), (3.0, 4.0)]).expect("three words");
        assert!((measured.median_signed - 1.0).abs() < 1e-12);
    }

    #[test]
    fn without_matched_words_there_is_no_drift() {
        assert_eq!(drift(&[]), None);
    }
}
