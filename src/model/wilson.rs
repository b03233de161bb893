//! Wilson's score interval of a rate (Wilson 1927). For people to see and for samples of a fixed size; what
//! is looked at again and again may not decide by it.

/// The normal distribution's 97.5th percentile.
const TWO_SIDED: f64 = 1.959_963_984_540_054;
/// The normal distribution's 95th percentile.
const ONE_SIDED: f64 = 1.644_853_626_951_472_2;

/// The 95 % interval; all there is where nothing was seen.
pub fn interval(successes: u64, of: u64) -> (f64, f64) {
    at(successes, of, TWO_SIDED)
}

/// The rate is at least this, one-sided, 95 %.
pub fn lower(successes: u64, of: u64) -> f64 {
    at(successes, of, ONE_SIDED).0
}

/// The rate is at most this, one-sided, 95 %.
pub fn upper(successes: u64, of: u64) -> f64 {
    at(successes, of, ONE_SIDED).1
}

fn at(successes: u64, of: u64, z: f64) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, rate) = (of as f64, successes as f64 / of as f64);
    let centre = (rate + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (rate * (1.0 - rate) / n + z * z / (4.0 * n * n)).sqrt();
    let low = if successes == 0 { 0.0 } else { centre - half };
    let high = if successes == of { 1.0 } else { centre + half };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oracle is `scipy.stats.binomtest(x, n).proportion_ci(0.95, "wilson")`, two-sided and one-sided.
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
            let found = lower(successes, of);
            assert!(
                (found - known).abs() < 1e-9,
                "{successes} of {of}: {found} is not {known}"
            );
            assert!((upper(of - successes, of) - (1.0 - known)).abs() < 1e-9);
        }
    }

    #[test]
    fn what_was_not_seen_may_be_anything() {
        assert_eq!(interval(0, 0), (0.0, 1.0));
        assert_eq!((lower(0, 0), upper(0, 0)), (0.0, 1.0));
    }
}
