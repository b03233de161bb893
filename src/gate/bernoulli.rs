//! Is the rate of failures below a bound, or above one? E-processes of a truncated Beta(1/2, 1/2)
//! mixture: each is a nonnegative supermartingale under what it speaks against, so looking after
//! every recording keeps the error below alpha.
//!
//! All in logarithms, and the smaller tail always by its own continued fraction: with thousands of
//! recordings the tails are far below what a double holds.

#![allow(
    clippy::many_single_char_names,
    reason = "named as in the formulas that they are checked against"
)]

use statrs::function::gamma::ln_gamma;

const HALF: f64 = 0.5;

/// Evidence that the rate is below `p0`: reaches ln(1/alpha) with at most alpha where it is not.
pub fn log_e_below(failures: u64, n: u64, p0: f64) -> f64 {
    log_e(failures, n, p0, ln_lower)
}

/// Evidence that the rate is above `p1`: reaches ln(1/alpha) with at most alpha where it is not.
pub fn log_e_above(failures: u64, n: u64, p1: f64) -> f64 {
    log_e(failures, n, p1, ln_upper)
}

fn log_e(failures: u64, n: u64, p: f64, ln_tail: fn(f64, f64, f64) -> f64) -> f64 {
    let failures = failures.min(n);
    let (x, clean) = (failures as f64, (n - failures) as f64);
    let (a, b) = (HALF + x, HALF + clean);
    ln_beta(a, b) + ln_tail(p, a, b)
        - ln_beta(HALF, HALF)
        - ln_tail(p, HALF, HALF)
        - x * p.ln()
        - clean * (-p).ln_1p()
}

/// How many recordings it takes in all, `failures` of them not clean, until the rate is shown to be
/// below `p0`. None where no number below a million does.
pub fn clean_needed(failures: u64, p0: f64, alpha: f64) -> Option<u64> {
    let enough = |n: u64| log_e_below(failures, n, p0) >= super::threshold(alpha);
    let (mut low, mut high) = (failures, failures.max(1));
    while !enough(high) {
        if high > 1_000_000 {
            return None;
        }
        low = high;
        high *= 2;
    }
    while low + 1 < high {
        let middle = low.midpoint(high);
        if enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

pub(super) fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// `ln I_x(a, b)`, the regularised incomplete beta function.
pub(super) fn ln_lower(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if x >= 1.0 {
        return 0.0;
    }
    if x < (a + 1.0) / (a + b + 2.0) {
        ln_by_fraction(x, a, b)
    } else {
        (-ln_by_fraction(1.0 - x, b, a).exp()).ln_1p()
    }
}

/// `ln (1 - I_x(a, b))`.
pub(super) fn ln_upper(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return f64::NEG_INFINITY;
    }
    if x < (a + 1.0) / (a + b + 2.0) {
        (-ln_by_fraction(x, a, b).exp()).ln_1p()
    } else {
        ln_by_fraction(1.0 - x, b, a)
    }
}

/// Lentz's method on the continued fraction of the incomplete beta function (DLMF 8.17.22), good
/// where `x` is left of the mean.
fn ln_by_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let not_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..10_000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / not_zero(1.0 + even * d);
        c = not_zero(1.0 + even / c);
        fraction *= c * d;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / not_zero(1.0 + odd * d);
        c = not_zero(1.0 + odd / c);
        let factor = c * d;
        fraction *= factor;
        if (factor - 1.0).abs() < 1e-16 {
            break;
        }
    }
    a * x.ln() + b * (-x).ln_1p() - a.ln() - ln_beta(a, b) + fraction.ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::gate::{ALPHA, threshold};

    #[test]
    fn so_many_clean_recordings_are_needed() {
        for (p0, row) in [
            (0.10, [36, 64, 86, 105, 123]),
            (0.05, [74, 131, 174, 213, 249]),
            (0.02, [188, 330, 440, 538, 629]),
            (0.01, [377, 663, 883, 1079, 1262]),
        ] {
            for (failures, needed) in (0..).zip(row) {
                assert_eq!(
                    clean_needed(failures, p0, ALPHA),
                    Some(needed),
                    "{p0} {failures}"
                );
            }
        }
    }

    #[test]
    fn tails_that_no_double_holds_are_still_numbers() {
        let evidence = log_e_below(5_000, 10_000, 0.05);
        assert!(evidence.is_finite() && evidence < -3.0, "{evidence}");
        let evidence = log_e_above(5_000, 10_000, 0.01);
        assert!(evidence.is_finite() && evidence > 1_000.0, "{evidence}");
        assert!(log_e_below(0, 1_000_000, 0.05).is_finite());
    }

    proptest! {
        #[test]
        fn a_clean_recording_never_lowers_the_evidence_and_a_failure_never_raises_it(
            n in 0_u64..3_000, draw in any::<u64>(), p in 0.005_f64..0.3,
        ) {
            let failures = draw % (n + 1);
            let now = log_e_below(failures, n, p);
            prop_assert!(log_e_below(failures, n + 1, p) >= now - 1e-9);
            prop_assert!(log_e_below(failures + 1, n + 1, p) <= now + 1e-9);
            let now = log_e_above(failures, n, p);
            prop_assert!(log_e_above(failures, n + 1, p) <= now + 1e-9);
            prop_assert!(log_e_above(failures + 1, n + 1, p) >= now - 1e-9);
        }

        #[test]
        fn nothing_seen_is_no_evidence(p in 0.005_f64..0.5) {
            prop_assert!(log_e_below(0, 0, p).abs() < 1e-9);
            prop_assert!(log_e_above(0, 0, p).abs() < 1e-9);
            prop_assert!(log_e_below(0, 0, p) < threshold(ALPHA));
        }
    }
}
