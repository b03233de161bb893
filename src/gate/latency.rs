//! Is the candidate as fast? Paired ratios candidate / control of the same recording, with bounds that
//! assume nothing of their distribution.

use schemars::JsonSchema;
use serde::Serialize;

use super::bernoulli::ln_upper;
use super::intervals::{exact_lower, exact_upper};

/// What the ratios of all recordings say.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Paired {
    /// Recordings with both times.
    pub n: u64,
    /// The median of candidate / control.
    pub median_ratio: f64,
    /// The Hodges-Lehmann ratio: the median of all pairs' geometric means.
    pub hodges_lehmann_ratio: f64,
    /// Upper 95 % bound of the median ratio, an order statistic; none below five recordings.
    pub median_upper: Option<f64>,
    /// Lower 95 % bound of the median ratio.
    pub median_lower: Option<f64>,
    /// Recordings where the candidate took more than [`FAR_SLOWER`] times as long.
    pub far_slower: u64,
    /// Upper 95 % bound of their share.
    pub far_slower_upper: f64,
    /// Lower 95 % bound of their share.
    pub far_slower_lower: f64,
}

/// A ratio that users notice in a single recording.
pub const FAR_SLOWER: f64 = 1.5;
/// The share of such recordings that is put up with.
pub const FAR_SLOWER_SHARE: f64 = 0.10;

/// Most recordings whose pairs are looked at for the Hodges-Lehmann ratio; their number grows with
/// the square.
const PAIRS_OF: usize = 2_000;

impl Paired {
    /// Of (control, candidate) in any one unit. Times that are no positive numbers are left out; none
    /// where none is left.
    pub fn of(sides: &[(f64, f64)]) -> Option<Self> {
        let is_time = |time: f64| time.is_finite() && time > 0.0;
        let mut logs: Vec<f64> = sides
            .iter()
            .filter(|(control, candidate)| is_time(*control) && is_time(*candidate))
            .map(|(control, candidate)| (candidate / control).ln())
            .collect();
        if logs.is_empty() {
            return None;
        }
        logs.sort_unstable_by(f64::total_cmp);
        let n = logs.len() as u64;
        let far = logs.iter().filter(|log| **log > FAR_SLOWER.ln()).count() as u64;
        let at = upper_place(n);
        let place = |at: u64| logs[usize::try_from(at).unwrap_or(usize::MAX) - 1].exp();
        Some(Self {
            n,
            median_ratio: median(&logs).exp(),
            hodges_lehmann_ratio: hodges_lehmann(&logs).exp(),
            median_upper: at.map(place),
            median_lower: at.map(|at| place(n + 1 - at)),
            far_slower: far,
            far_slower_upper: exact_upper(far, n),
            far_slower_lower: exact_lower(far, n),
        })
    }
}

/// The 1-based place of the order statistic that is above the median with at least 95 %: the least k
/// with P(Bin(n, 1/2) < k) >= 0.95.
fn upper_place(n: u64) -> Option<u64> {
    // P(Bin(n, p) >= k) = I_p(k, n - k + 1)
    let is_enough = |k: u64| ln_upper(0.5, k as f64, (n - k + 1) as f64) >= 0.95_f64.ln();
    (n / 2 + 1..=n).find(|k| is_enough(*k))
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

fn hodges_lehmann(sorted: &[f64]) -> f64 {
    let every = sorted.len().div_ceil(PAIRS_OF);
    let some: Vec<f64> = sorted.iter().copied().step_by(every).collect();
    let mut means: Vec<f64> = Vec::with_capacity(some.len() * (some.len() + 1) / 2);
    for (at, one) in some.iter().enumerate() {
        means.extend(some[at..].iter().map(|other| f64::midpoint(*one, *other)));
    }
    means.sort_unstable_by(f64::total_cmp);
    median(&means)
}

/// Wilcoxon's signed-rank test that ratios are symmetric about 1, two-sided; for people to see. Exact
/// up to 50 recordings without ties, by the normal distribution otherwise.
pub fn wilcoxon(sides: &[(f64, f64)]) -> Option<f64> {
    let mut logs: Vec<f64> = sides
        .iter()
        .map(|(control, candidate)| (candidate / control).ln())
        .filter(|log| log.is_finite() && *log != 0.0)
        .collect();
    let n = logs.len();
    if n == 0 {
        return None;
    }
    let left_out = sides.len() - n;
    logs.sort_unstable_by(|one, other| one.abs().total_cmp(&other.abs()));
    let (mut above, mut ties, mut at) = (0.0, 0.0, 0);
    while at < n {
        // Ratios of whole seconds tie but for their last bits.
        let same = |log: &&f64| (log.abs() - logs[at].abs()).abs() <= 1e-12 * logs[at].abs();
        let count = logs[at..].iter().take_while(same).count();
        let rank = (2 * at + count + 1) as f64 / 2.0;
        above += rank
            * logs[at..at + count]
                .iter()
                .filter(|log| **log > 0.0)
                .count() as f64;
        ties += (count * count * count - count) as f64;
        at += count;
    }
    let all = n as f64;
    let total = all * (all + 1.0) / 2.0;
    let lesser = above.min(total - above);
    if ties == 0.0 && left_out == 0 && n <= 50 {
        return Some(exact_p(n, lesser));
    }
    let variance = all * (all + 1.0) * (2.0 * all + 1.0) / 24.0 - ties / 48.0;
    let z = (lesser - total / 2.0) / variance.sqrt();
    Some(statrs::function::erf::erfc(-z / std::f64::consts::SQRT_2).min(1.0))
}

/// Of all sums of ranks, how many are so small, twice.
fn exact_p(n: usize, lesser: f64) -> f64 {
    let total = n * (n + 1) / 2;
    let mut ways = vec![0.0_f64; total + 1];
    ways[0] = 1.0;
    for rank in 1..=n {
        for sum in (rank..=total).rev() {
            ways[sum] += ways[sum - rank];
        }
    }
    let so_small: f64 = ways
        .iter()
        .enumerate()
        .take_while(|(sum, _)| *sum as f64 <= lesser)
        .map(|(_, ways)| ways)
        .sum();
    (2.0 * so_small / 2.0_f64.powi(i32::try_from(n).unwrap_or(i32::MAX))).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_the_upper_bound_is_the_sign_tests() {
        for (n, place) in [
            (1, None),
            (4, None),
            (5, Some(5)),
            (10, Some(9)),
            (20, Some(15)),
            (100, Some(59)),
        ] {
            assert_eq!(upper_place(n), place, "{n}");
        }
    }

    #[test]
    fn times_that_are_none_are_left_out() {
        let bad = [
            (f64::NAN, 1.0),
            (0.0, 1.0),
            (1.0, -1.0),
            (1.0, f64::INFINITY),
        ];
        assert_eq!(Paired::of(&bad), None);
        assert_eq!(Paired::of(&[]), None);
        let mut some = bad.to_vec();
        some.push((2.0, 1.0));
        assert_eq!(Paired::of(&some).map(|paired| paired.n), Some(1));
    }

    #[test]
    fn twice_as_long_is_seen_in_the_bounds() {
        let slow: Vec<(f64, f64)> = (1..=40).map(|s| (f64::from(s), f64::from(2 * s))).collect();
        let paired = Paired::of(&slow).expect("there are times");
        assert!(
            paired
                .median_lower
                .is_some_and(|low| (low - 2.0).abs() < 1e-9)
        );
        assert_eq!(paired.far_slower, 40);
        assert!(paired.far_slower_lower > 0.9);
    }
}
