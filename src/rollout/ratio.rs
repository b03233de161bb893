//! Whether routes fall as they should: of the rooms or recordings that a bucket decided, as many are
//! inside as the percentage says, but for chance. More or fewer is a fault of the router, and whatever is
//! concluded from its samples is void.
//!
//! The test is the exact binomial one, two-sided by the method of small likelihoods (as R's `binom.test`).

use serde::Serialize;
use statrs::distribution::{Binomial, Discrete};

use super::{Percent, Phase};

/// Chance alone does less likely things so seldom that something is wrong: once in a thousand looks.
pub const SUSPICIOUS: f64 = 0.001;

/// How the buckets of one phase and percentage fell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The phase.
    pub phase: Phase,
    /// The percentage.
    pub percent: Percent,
    /// Different rooms in cutover, recordings in shadow.
    pub drawn: u64,
    /// Of these, inside.
    pub went_in: u64,
}

/// The same with what it means.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// How they fell.
    #[serde(skip)]
    pub drawn: Drawn,
    /// How likely it is that chance alone makes it so, or less likely still.
    pub p: f64,
}

impl Ratio {
    /// Judges how buckets fell.
    pub fn of(drawn: Drawn) -> Self {
        let share = f64::from(drawn.percent.hundredths()) / 10_000.0;
        Self {
            drawn,
            p: likelihood(drawn.drawn, drawn.went_in, share),
        }
    }

    /// Whether it is not to be believed.
    pub fn is_off(&self) -> bool {
        self.p < SUSPICIOUS
    }

    /// For people.
    pub fn told(&self) -> String {
        let Drawn {
            phase,
            percent,
            drawn,
            went_in,
        } = self.drawn;
        let what = match phase {
            Phase::Cutover => "rooms",
            Phase::Infrastructure | Phase::Parallel | Phase::Shadow | Phase::Cleanup => {
                "recordings"
            }
        };
        let share = if drawn == 0 {
            0.0
        } else {
            went_in as f64 * 100.0 / drawn as f64
        };
        format!(
            "{phase} {percent} %: {went_in} of {drawn} {what} went in, {share:.1} % (p = {:.2e})",
            self.p
        )
    }
}

/// How likely chance alone makes what was seen, or something no likelier.
fn likelihood(drawn: u64, went_in: u64, share: f64) -> f64 {
    let Ok(chance) = Binomial::new(share, drawn) else {
        return 1.0;
    };
    // What is as likely differs in the last digits.
    let seen = chance.pmf(went_in) * (1.0 + 1e-7);
    let all = (0..=drawn).map(|number| chance.pmf(number));
    all.filter(|one| *one <= seen).sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(drawn: u64, went_in: u64, hundredths: u16) -> Ratio {
        Ratio::of(Drawn {
            phase: Phase::Shadow,
            percent: Percent::from_hundredths(hundredths).unwrap(),
            drawn,
            went_in,
        })
    }

    /// Computed with Python in fractions: the sum of all likelihoods that are not above the one seen.
    #[test]
    fn the_test_is_the_exact_one() {
        for (drawn, went_in, hundredths, p) in GOLDEN {
            let found = ratio(drawn, went_in, hundredths).p;
            assert!(
                (found - p).abs() <= 1e-9 + p * 1e-6,
                "{went_in} of {drawn} at {hundredths}: {found} and not {p}"
            );
        }
    }

    #[test]
    fn only_what_chance_hardly_does_is_off() {
        for (drawn, went_in, hundredths, is_off) in [
            (0, 0, 1000, false),
            (1, 1, 1000, false),
            (3, 3, 1000, false),
            (4, 4, 1000, true),
            (100, 10, 1000, false),
            (1000, 150, 1000, true),
            (1000, 50, 1000, true),
            (5, 0, 0, false),
            (5, 1, 0, true),
            (5, 5, 10_000, false),
            (5, 4, 10_000, true),
        ] {
            let found = ratio(drawn, went_in, hundredths);
            assert_eq!(found.is_off(), is_off, "{}", found.told());
        }
    }

    #[test]
    fn it_is_told_with_its_figures() {
        let told = ratio(1000, 150, 1000).told();
        assert!(
            told.starts_with("shadow 10 %: 150 of 1000 recordings went in, 15.0 % (p = "),
            "{told}"
        );
    }

    #[test]
    fn of_buckets_as_they_are_none_is_off() {
        for hundredths in [1, 100, 1000, 5000, 9000] {
            let percent = Percent::from_hundredths(hundredths).unwrap();
            let went_in = (0..5000)
                .map(|number| crate::rollout::bucket("f:e", &format!("r{number}")))
                .filter(|bucket| *bucket < percent.hundredths())
                .count();
            let found = ratio(5000, went_in as u64, hundredths);
            assert!(!found.is_off(), "{}", found.told());
        }
    }

    const GOLDEN: [(u64, u64, u16, f64); 10] = [
        (10, 0, 1000, 0.612_579_511),
        (10, 4, 1000, 0.012_795_198_4),
        (40, 4, 1000, 1.0),
        (100, 22, 1000, 0.000_338_479_403_876_090_54),
        (250, 1, 100, 0.527_635_041_029_069_6),
        (300, 12, 100, 6.292_191_267_817_833e-5),
        (1000, 540, 5000, 0.012_444_146_277_171_78),
        (1000, 150, 1000, 6.536_140_136_047_172e-7),
        (36, 36, 10000, 1.0),
        (7, 2, 1250, 0.214_608_192_443_847_66),
    ];
}
