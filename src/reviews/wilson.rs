//! Wilson's score interval (Wilson 1927), one-sided at 95 %: `z = 1.6449`.

const Z: f64 = 1.644_853_626_951_472_2;

fn bound(successes: u64, of: u64, sign: f64) -> Option<f64> {
    if of == 0 {
        return None;
    }
    let (n, share) = (of as f64, successes as f64 / of as f64);
    let centre = share + Z * Z / (2.0 * n);
    let spread = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some(((centre + sign * spread) / (1.0 + Z * Z / n)).clamp(0.0, 1.0))
}

/// The share is at least this, with 95 % confidence; none without any trial.
pub fn lower(successes: u64, of: u64) -> Option<f64> {
    bound(successes, of, -1.0)
}

/// The share is at most this, with 95 % confidence; none without any trial.
pub fn upper(successes: u64, of: u64) -> Option<f64> {
    bound(successes, of, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oracle is `scipy.stats.binomtest(x, n, alternative="greater").proportion_ci(0.95, "wilson")`.
    #[test]
    fn bounds_are_those_of_the_oracle() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/metric_cases.json"
        );
        let text = std::fs::read_to_string(path).expect("the cases are there");
        let all: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let cases = all["suites"]["wilson"]["cases"].as_array().expect("cases");
        assert!(!cases.is_empty());
        for case in cases {
            let number = |name: &str| case[name].as_u64().expect("a count");
            let (successes, of) = (number("successes"), number("n"));
            let known = case["expected"]["wilson_one_sided_lower_95"]
                .as_f64()
                .expect("a bound");
            let found = lower(successes, of).expect("there were trials");
            assert!(
                (found - known).abs() < 1e-9,
                "{successes} of {of}: {found} is not {known}"
            );
            let mirrored = upper(of - successes, of).expect("there were trials");
            assert!((mirrored - (1.0 - known)).abs() < 1e-9);
        }
        assert_eq!(lower(0, 0), None);
    }
}
