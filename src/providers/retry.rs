//! When a failed request is sent again. Small repetitions that fit into a task's own timeout; the
//! workflow engine repeats the task when these did not help.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use super::Cause;

/// A policy for one kind of call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Requests in all; 1 means never again.
    pub attempts: u32,
    /// The first wait; each further one doubles.
    pub base: Duration,
    /// No wait of our own is longer.
    pub cap: Duration,
    /// The longest `Retry-After` that is waited for. A longer one ends the call: the task had
    /// better be put back.
    pub patience: Duration,
    /// The whole call. Another request is only begun when it could use its whole timeout, so that
    /// a call never takes longer.
    pub budget: Duration,
}

/// An unusable answer is asked for once more, not longer: it is the service's considered opinion.
const BAD_ANSWERS: u32 = 2;

impl Retry {
    /// Three requests, half a second apart at first, each with its whole `timeout`.
    pub const fn standard(timeout: Duration) -> Self {
        Self {
            attempts: 3,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(8),
            patience: Duration::from_secs(20),
            budget: timeout
                .saturating_mul(3)
                .saturating_add(Duration::from_secs(45)),
        }
    }

    /// One request only.
    pub const fn never() -> Self {
        Self {
            attempts: 1,
            base: Duration::ZERO,
            cap: Duration::ZERO,
            patience: Duration::ZERO,
            budget: Duration::ZERO,
        }
    }

    /// How long to wait before the next request, or `None` to give up. `attempt` counts from 1,
    /// `elapsed` is the whole call so far, `timeout` what a further request may take, and `luck`
    /// (0 to 1) spreads callers that failed together: a wait is between half of its length and all
    /// of it.
    pub fn wait(
        &self,
        cause: &Cause,
        attempt: u32,
        elapsed: Duration,
        timeout: Duration,
        luck: f64,
    ) -> Option<Duration> {
        let allowed = if cause.is_bad_answer() {
            self.attempts.min(BAD_ANSWERS)
        } else {
            self.attempts
        };
        if cause.is_permanent() || attempt >= allowed {
            return None;
        }
        let own = self
            .base
            .saturating_mul(
                1_u32
                    .checked_shl(attempt.saturating_sub(1))
                    .unwrap_or(u32::MAX),
            )
            .min(self.cap)
            .mul_f64(0.5 + luck.clamp(0.0, 1.0) / 2.0);
        let wait = match cause.retry_after() {
            Some(asked) if asked > self.patience => return None,
            Some(asked) => asked.max(own),
            None => own,
        };
        let end = elapsed.saturating_add(wait).saturating_add(timeout);
        (end <= self.budget).then_some(wait)
    }
}

/// A number between 0 and 1 that differs between callers.
pub(super) fn luck() -> f64 {
    f64::from((RandomState::new().hash_one(()) >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy() -> Retry {
        Retry {
            attempts: 4,
            base: SECOND,
            cap: SECOND * 3,
            patience: SECOND * 10,
            budget: SECOND * 100,
        }
    }

    fn busy(retry_after: Option<Duration>) -> Cause {
        Cause::Busy {
            status: 429,
            retry_after,
        }
    }

    fn wait(cause: &Cause, attempt: u32) -> Option<Duration> {
        policy().wait(cause, attempt, Duration::ZERO, SECOND, 1.0)
    }

    #[test]
    fn waits_double_up_to_the_cap_and_end_with_the_attempts() {
        let waits: Vec<_> = (1..=4).map(|attempt| wait(&busy(None), attempt)).collect();
        assert_eq!(
            waits,
            [Some(SECOND), Some(SECOND * 2), Some(SECOND * 3), None]
        );
    }

    #[test]
    fn luck_shortens_a_wait_by_half_at_most() {
        let shortest = policy().wait(&busy(None), 1, Duration::ZERO, SECOND, 0.0);
        assert_eq!(shortest, Some(SECOND / 2));
    }

    #[test]
    fn retry_after_is_respected_up_to_the_patience() {
        assert_eq!(wait(&busy(Some(SECOND * 7)), 1), Some(SECOND * 7));
        assert_eq!(wait(&busy(Some(SECOND * 11)), 1), None);
    }

    #[test]
    fn a_request_that_might_outlast_the_budget_is_not_begun() {
        let last = |elapsed| policy().wait(&busy(None), 1, elapsed, SECOND * 9, 1.0);
        assert_eq!(last(SECOND * 90), Some(SECOND));
        assert_eq!(last(SECOND * 91), None);
    }

    #[test]
    fn permanent_causes_are_never_repeated_and_bad_answers_once() {
        assert_eq!(wait(&Cause::Refused { status: 401 }, 1), None);
        let bad = Cause::BadAnswer("no JSON".to_owned());
        assert!(wait(&bad, 1).is_some());
        assert_eq!(wait(&bad, 2), None);
    }
}
