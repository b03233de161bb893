//! When a notice is tried again, when it is given up, and how many are told at once.

use chrono::{DateTime, TimeDelta, Utc};

/// How long is waited after the first failure; after each more, twice as long.
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(2);

/// And never longer than this.
pub const LAST_WAIT: TimeDelta = TimeDelta::minutes(10);

/// A receiver that asks to be left alone for longer is asked again after this.
const LONGEST_ASKED: TimeDelta = TimeDelta::hours(1);

/// What is older is given up once it was tried often enough: nobody acts on yesterday's news.
pub const GIVE_UP: TimeDelta = TimeDelta::hours(24);

/// Tries before anything is given up, however old it is: nobody may have been there to try.
pub const LEAST_TRIES: i64 = 5;

/// What happens after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is tried again then.
    Again(DateTime<Utc>),
    /// It is not tried any more.
    GivenUp,
}

/// What happens after a notice could not be told: `tries` so far, this one counted. `asked` is how long
/// the receiver asked to be left alone.
pub fn after_failure(
    tries: i64,
    created_at: DateTime<Utc>,
    asked: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> Next {
    if tries >= LEAST_TRIES && now - created_at >= GIVE_UP {
        return Next::GivenUp;
    }
    Next::Again(now + left_alone(tries, asked))
}

/// How long a receiver is left alone after so many failures in a row, whatever there is to tell.
pub fn left_alone(failures: i64, asked: Option<TimeDelta>) -> TimeDelta {
    let doublings = u32::try_from(failures.clamp(1, 17) - 1).unwrap_or(16);
    let own = FIRST_WAIT.checked_mul(1 << doublings);
    let own = own.unwrap_or(LAST_WAIT).min(LAST_WAIT);
    asked.map_or(own, |asked| asked.min(LONGEST_ASKED).max(own))
}

/// How many of those that wait are told now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Each by itself.
    Singly,
    /// All of them in one: a storm.
    Together,
    /// None, until the minute is over.
    Wait,
}

/// How those that wait are told where `lately` were told in the last minute, and no more than
/// `per_minute` are to be.
pub const fn pace(waiting: usize, lately: usize, per_minute: usize) -> Pace {
    let room = per_minute.saturating_sub(lately);
    if waiting <= room {
        Pace::Singly
    } else if room == 0 {
        Pace::Wait
    } else if waiting == 1 {
        Pace::Singly
    } else {
        Pace::Together
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_452_800, 0).expect("a time")
    }

    #[test]
    fn each_failure_is_waited_after_twice_as_long_and_never_for_ever() {
        let seconds = |tries| left_alone(tries, None).num_seconds();
        assert_eq!([1, 2, 3, 9].map(seconds), [2, 4, 8, 512]);
        assert_eq!([10, 64, i64::MAX, 0].map(seconds), [600, 600, 600, 2]);
    }

    #[test]
    fn a_receiver_is_left_alone_for_as_long_as_it_asks_up_to_an_hour() {
        let asked = |seconds| Some(TimeDelta::seconds(seconds));
        assert_eq!(left_alone(1, asked(30)).num_seconds(), 30);
        assert_eq!(left_alone(8, asked(30)).num_seconds(), 256);
        assert_eq!(left_alone(1, asked(86_400)).num_seconds(), 3600);
    }

    #[test]
    fn a_notice_is_given_up_after_a_day_and_no_fewer_than_five_tries() {
        let hours = |hours| noon() + TimeDelta::hours(hours);
        let next = |tries, at| after_failure(tries, noon(), None, at);
        assert_eq!(
            next(1, hours(30)),
            Next::Again(hours(30) + TimeDelta::seconds(2))
        );
        assert_eq!(next(5, hours(24)), Next::GivenUp);
        assert!(matches!(next(300, hours(23)), Next::Again(_)));
    }

    #[test]
    fn a_storm_is_told_in_one_and_nothing_more_until_the_minute_is_over() {
        for (waiting, lately, paced) in [
            (0, 0, Pace::Singly),
            (10, 0, Pace::Singly),
            (11, 0, Pace::Together),
            (2, 9, Pace::Together),
            (1, 9, Pace::Singly),
            (1, 10, Pace::Wait),
            (500, 12, Pace::Wait),
        ] {
            assert_eq!(pace(waiting, lately, 10), paced, "{waiting} after {lately}");
        }
    }
}
