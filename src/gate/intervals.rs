//! Intervals of rates, for people to see. None of them may decide: looked at after every recording, a
//! 95 % interval promotes a candidate at the bound in three of ten migrations.

use super::bernoulli::{ln_lower, ln_upper};
use crate::model::wilson;

/// The exact (Clopper and Pearson) 95 % interval of a rate.
pub fn exact_two_sided(successes: u64, n: u64) -> (f64, f64) {
    (
        exact_low(successes, n, 0.025),
        exact_high(successes, n, 0.025),
    )
}

/// The exact lower bound of a rate, one-sided, 95 %.
pub fn exact_lower(successes: u64, n: u64) -> f64 {
    exact_low(successes, n, 0.05)
}

/// The exact upper bound of a rate, one-sided, 95 %.
pub fn exact_upper(successes: u64, n: u64) -> f64 {
    exact_high(successes, n, 0.05)
}

fn exact_low(successes: u64, n: u64, tail: f64) -> f64 {
    if successes == 0 {
        return 0.0;
    }
    let (a, b) = (successes as f64, (n - successes) as f64 + 1.0);
    // P(at least so many successes) rises with the rate.
    bisect(|rate| ln_lower(rate, a, b) < tail.ln())
}

fn exact_high(successes: u64, n: u64, tail: f64) -> f64 {
    if successes >= n {
        return 1.0;
    }
    let (a, b) = (successes as f64 + 1.0, (n - successes) as f64);
    // P(at most so many successes) falls with the rate.
    bisect(|rate| ln_upper(rate, a, b) > tail.ln())
}

/// Where the answer changes from yes to no, to the last bit.
fn bisect(is_below: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if is_below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// The difference of two rates, raw less noise, with Newcombe's 95 % interval, which is made of both
/// rates' Wilson intervals. None where one was not seen at all.
pub fn newcombe(raw: (u64, u64), noise: (u64, u64)) -> Option<(f64, f64, f64)> {
    if raw.1 == 0 || noise.1 == 0 {
        return None;
    }
    let rate = |(x, n): (u64, u64)| x as f64 / n as f64;
    let (one, other) = (rate(raw), rate(noise));
    let ((one_low, one_high), (other_low, other_high)) = (
        wilson::interval(raw.0, raw.1),
        wilson::interval(noise.0, noise.1),
    );
    let difference = one - other;
    let low = difference - (one - one_low).hypot(other_high - other);
    let high = difference + (one_high - one).hypot(other - other_low);
    Some((difference, low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_seen_may_be_anything() {
        assert_eq!(exact_two_sided(0, 0), (0.0, 1.0));
        assert_eq!(newcombe((1, 2), (0, 0)), None);
    }
}
