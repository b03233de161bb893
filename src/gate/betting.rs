//! Is the mean of a bounded quantity below a margin? A gambler bets against "it is not" before each
//! value is seen, on what the values before it say (Waudby-Smith and Ramdas); being rich is
//! evidence, and looking at the purse after every value keeps the error below alpha.

/// What is bet against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bet {
    /// Against "the mean is at least so much". Wins where the candidate is no worse than that.
    Below(f64),
    /// Against "the mean is at most so much". Wins where the candidate is worse than that.
    Above(f64),
}

/// The purse after all values so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wealth {
    bet: Bet,
    bound: f64,
    seen: f64,
    sum: f64,
    squares: f64,
    log: f64,
}

impl Wealth {
    /// Before anything is seen. Values are clipped to `[-bound, bound]`.
    pub const fn new(bet: Bet, bound: f64) -> Self {
        Self {
            bet,
            bound,
            seen: 0.0,
            sum: 0.0,
            squares: 0.0,
            log: 0.0,
        }
    }

    /// The purse after these values.
    pub fn of(bet: Bet, bound: f64, values: impl IntoIterator<Item = f64>) -> Self {
        let mut wealth = Self::new(bet, bound);
        for value in values {
            wealth.see(value);
        }
        wealth
    }

    /// Bets on the next value, and sees it. What is no number is the worst there is for whoever hopes
    /// for PASS.
    pub fn see(&mut self, value: f64) {
        let value = if value.is_nan() { self.bound } else { value };
        let value = value.clamp(-self.bound, self.bound);
        let (gain, most_lost) = match self.bet {
            Bet::Below(margin) => (margin - value, self.bound - margin),
            Bet::Above(margin) => (value - margin, self.bound + margin),
        };
        let n = self.seen + 1.0;
        let mean = self.sum / n;
        let variance =
            ((0.25 * self.bound * self.bound + self.squares) / n - mean * mean).max(1e-6);
        let stake = (mean / (variance + mean * mean)).clamp(0.0, 0.9 / most_lost);
        self.log += (stake * gain).ln_1p();
        self.seen = n;
        self.sum += gain;
        self.squares += gain * gain;
    }

    /// The logarithm of the purse, which began at 1.
    pub const fn log(&self) -> f64 {
        self.log
    }
}

/// The fewest values that can show a mean below the margin.
pub fn least_to_pass(margin: f64, bound: f64, alpha: f64) -> f64 {
    (super::threshold(alpha) / (0.9 * margin / (bound - margin)).ln_1p()).ceil()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::gate::{ALPHA, threshold};

    #[test]
    fn the_fewest_that_can_pass_are_thirty_two_for_a_bound_of_ten_margins() {
        for margin in [0.02, 0.05, 0.10] {
            assert!((least_to_pass(margin, 10.0 * margin, ALPHA) - 32.0).abs() < 1e-9);
        }
    }

    #[test]
    fn what_is_no_number_speaks_against_the_candidate() {
        let good = Wealth::of(Bet::Below(0.05), 0.5, vec![0.0; 100]);
        assert!(good.log() >= threshold(ALPHA));
        let none = Wealth::of(Bet::Below(0.05), 0.5, vec![f64::NAN; 100]);
        assert!(none.log() <= 0.0);
        let alarm = Wealth::of(Bet::Above(0.05), 0.5, vec![f64::NAN; 100]);
        assert!(alarm.log() >= threshold(ALPHA));
    }

    proptest! {
        #[test]
        fn a_purse_is_never_lost_whole(values in prop::collection::vec(-2.0_f64..2.0, 0..200)) {
            for bet in [Bet::Below(0.05), Bet::Above(0.0), Bet::Above(0.05)] {
                let wealth = Wealth::of(bet, 0.5, values.iter().copied());
                prop_assert!(wealth.log().is_finite());
            }
        }
    }
}
