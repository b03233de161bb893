//! Wald's sequential test of two rates, shown beside the e-process: it charges many clean recordings
//! for one failure and calls what lies between the two rates bad, so it never decides.

/// The logarithm of the likelihood ratio of the good rate against the bad one.
pub fn log_likelihood_ratio(failures: u64, n: u64, good: f64, bad: f64) -> f64 {
    let (x, clean) = (failures as f64, n.saturating_sub(failures) as f64);
    clean * ((1.0 - good) / (1.0 - bad)).ln() + x * (good / bad).ln()
}
