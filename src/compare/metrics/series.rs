//! Two rows of numbers side by side: the waveform's peaks, the envelope of the mix.

/// How far two equally long rows are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// The greatest difference.
    pub max_abs: f64,
    /// The mean difference.
    pub mean_abs: f64,
    /// Root of the mean squared difference.
    pub rmse: f64,
    /// Correlation after Pearson; none when a row is constant.
    pub pearson: Option<f64>,
}

/// Measures two rows; none when they are empty or differ in length.
pub fn distance(reference: &[f64], hypothesis: &[f64]) -> Option<Distance> {
    if reference.len() != hypothesis.len() || reference.is_empty() {
        return None;
    }
    let count = reference.len() as f64;
    let differences = || {
        reference
            .iter()
            .zip(hypothesis)
            .map(|(left, right)| (left - right).abs())
    };
    Some(Distance {
        max_abs: differences().fold(0.0, f64::max),
        mean_abs: differences().sum::<f64>() / count,
        rmse: (differences()
            .map(|difference| difference * difference)
            .sum::<f64>()
            / count)
            .sqrt(),
        pearson: pearson(reference, hypothesis),
    })
}

/// Correlation of two equally long rows; none when one is constant.
pub fn pearson(left: &[f64], right: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (left_mean, right_mean) = (mean(left), mean(right));
    let (mut covariance, mut left_variance, mut right_variance) = (0.0, 0.0, 0.0);
    for (left, right) in left.iter().zip(right) {
        let (left, right) = (left - left_mean, right - right_mean);
        covariance += left * right;
        left_variance += left * left;
        right_variance += right * right;
    }
    let scale = left_variance.sqrt() * right_variance.sqrt();
    (scale > 0.0).then(|| (covariance / scale).clamp(-1.0, 1.0))
}

/// Cosine of the angle between two rows; none when they differ in length or one is all zeros.
pub fn cosine(left: &[f64], right: &[f64]) -> Option<f64> {
    let product = |one: &[f64], other: &[f64]| -> f64 {
        one.iter().zip(other).map(|(one, other)| one * other).sum()
    };
    let scale = product(left, left).sqrt() * product(right, right).sqrt();
    let has_angle = left.len() == right.len() && scale > 0.0;
    has_angle.then(|| (product(left, right) / scale).clamp(-1.0, 1.0))
}

/// Root mean square; 0 for an empty row.
pub fn rms(values: &[f64]) -> f64 {
    let energy: f64 = values.iter().map(|value| value * value).sum();
    (energy / values.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_different_length_have_no_distance() {
        assert_eq!(distance(&[0.5, 1.0], &[0.5, 1.0, 0.0]), None);
    }

    #[test]
    fn silence_correlates_with_nothing() {
        assert_eq!(pearson(&[0.0, 0.0], &[0.1, 0.4]), None);
    }
}
