//! Is the evidence enough? Pure: facts and rules in, PASS, FAIL or NOT YET with its reasons out.
//!
//! Everything that decides is valid under continuous looking: whoever reads the gate after every
//! recording promotes a candidate at the bound in at most one of twenty migrations. What was not
//! looked at never passes.

mod asked;
mod bernoulli;
mod betting;
mod counts;
mod course;
mod coverage;
mod decision;
mod facts;
mod fields;
mod intervals;
mod latency;
mod line;
mod soak;
mod sprt;

#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use bernoulli::{clean_needed, log_e_above, log_e_below};
pub use betting::{Bet, Wealth, least_to_pass};
pub use counts::Counts;
pub use course::{Course, FieldCourse, Step, course};
pub use coverage::{Cell, Coverage, DurationClass, Stratum, TrackClass};
pub use decision::{Decision, Noise, decide};
pub use facts::{
    Defect, Distance, Ended, Facts, FieldFacts, FieldKind, FieldRule, InForce, LeftOut, NoisePair,
    Pair, Reviews, Rules, SelfTest, Severity, Sides,
};
pub use fields::{FieldRow, FieldState, Interval};
pub use intervals::{exact_lower, exact_two_sided, exact_upper, newcombe};
pub use latency::{FAR_SLOWER, Paired, wilcoxon};
pub use line::{Line, LineState, Who};
pub use soak::{OVERDUE, RunBeside, Served, ServedEnd, Soak, SoakCounts, soak};
pub use sprt::log_likelihood_ratio;

/// How often a wrong PASS, or a wrong alarm, is put up with.
pub const ALPHA: f64 = 0.05;

/// What the logarithm of an e-value has to reach: ln(1/alpha) (Ville's inequality).
pub fn threshold(alpha: f64) -> f64 {
    -alpha.ln()
}

/// How many there are, as recordings are counted.
fn count(all: usize) -> i64 {
    i64::try_from(all).unwrap_or(i64::MAX)
}

/// A count as the tests take it.
fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A number that was rounded already, as recordings are counted.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is beyond becomes the most there is"
)]
const fn whole(rounded: f64) -> i64 {
    rounded as i64
}
