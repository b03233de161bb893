//! Which recordings the control runs a second time on, and when: pure.

use chrono::{DateTime, Timelike, Utc};

use super::{Position, bucket};
use crate::model::{Consent, Mirroring, RecordingId};

/// What a mirror is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// The control served: how far does it differ from itself?
    Noise,
    /// The candidate served: would the control have done the same?
    Reverse,
}

impl Direction {
    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Noise => "noise",
            Self::Reverse => "reverse",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Noise, Self::Reverse]
            .into_iter()
            .find(|direction| direction.as_str() == name)
    }

    /// Percent of recordings it is wanted for.
    pub const fn percent(self, limits: &Mirroring) -> f64 {
        match self {
            Self::Noise => limits.percent,
            Self::Reverse => limits.reverse_percent,
        }
    }
}

/// Mirrors of a day so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MirrorsToday {
    /// Begun, by hand or by themselves.
    pub begun: i64,
    /// What those begun by themselves are taken to have cost, in US dollars.
    pub usd: f64,
}

/// Why no mirror begins by itself now; none where one may.
pub fn paused(
    position: Position,
    limits: &Mirroring,
    today: MirrorsToday,
    shed: Option<&str>,
    now: DateTime<Utc>,
) -> Option<String> {
    match position {
        Position::Shadow(_) | Position::Cutover(_) | Position::Soak => {}
        Position::Infrastructure
        | Position::Parallel
        | Position::Draining
        | Position::Archived
        | Position::Removed => {
            return Some(format!(
                "the migration is in {position}; mirrors run by themselves from `shadow` to `soak`"
            ));
        }
    }
    if !is_within(limits.from_hour, limits.until_hour, now.hour()) {
        return Some(format!(
            "mirrors begin from {}:00 to {}:00 UTC",
            limits.from_hour, limits.until_hour
        ));
    }
    if today.begun >= limits.per_day {
        return Some(format!(
            "{} of {} mirrors were begun today",
            today.begun, limits.per_day
        ));
    }
    if let Some(most) = limits.max_usd.filter(|most| today.usd >= *most) {
        return Some(format!(
            "today's mirrors are taken to have cost ${:.2} of ${most:.2}",
            today.usd
        ));
    }
    shed.map(ToOwned::to_owned)
}

/// Whether an hour lies from one to before another, over midnight where that one is earlier.
const fn is_within(from: u32, until: u32, hour: u32) -> bool {
    if from == until {
        true
    } else if from < until {
        from <= hour && hour < until
    } else {
        from <= hour || hour < until
    }
}

/// Whether a recording is among those mirrored. Its bucket is another one than that of the shadow: the
/// share is one of the recordings that are shadowed.
pub fn is_drawn(direction: Direction, limits: &Mirroring, salt: &str, key: &RecordingId) -> bool {
    let salt = format!("mirror:{}:{salt}", direction.as_str());
    // In buckets of 0.01 %.
    f64::from(bucket(&salt, key.as_str())) < direction.percent(limits) * 100.0
}

/// Why a recording may not be run again for its people's sake; none where it may. What nobody answered
/// is no consent.
pub fn withheld(consents: &[Consent], unanswered: bool) -> Option<&'static str> {
    if consents.iter().any(|one| !one.consent_given) {
        Some("somebody denied consent")
    } else if consents.is_empty() && !unanswered {
        Some(
            "nobody has answered whether they consent; `mirrors.unanswered = true` mirrors such recordings too",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::Percent;

    fn at(hour: u32) -> DateTime<Utc> {
        let text = format!("2026-03-02T{hour:02}:30:00Z");
        text.parse().expect("it is a time")
    }

    fn half() -> Percent {
        Percent::from_hundredths(5_000).expect("it is at most 100")
    }

    #[test]
    fn mirrors_begin_where_somebody_runs_beside_and_never_before_or_after() {
        let (limits, none) = (Mirroring::default(), MirrorsToday::default());
        for (position, may) in [
            (Position::Infrastructure, false),
            (Position::Parallel, false),
            (Position::Shadow(half()), true),
            (Position::Cutover(half()), true),
            (Position::Soak, true),
            (Position::Draining, false),
            (Position::Archived, false),
            (Position::Removed, false),
        ] {
            let why = paused(position, &limits, none, None, at(3));
            assert_eq!(why.is_none(), may, "{position}: {why:?}");
        }
    }

    #[test]
    fn a_day_has_its_number_its_money_and_its_hours() {
        let limits = Mirroring {
            per_day: 2,
            max_usd: Some(1.5),
            from_hour: 22,
            until_hour: 5,
            ..Mirroring::default()
        };
        let why = |begun, usd, shed, hour| {
            let today = MirrorsToday { begun, usd };
            paused(Position::Soak, &limits, today, shed, at(hour))
        };
        assert_eq!(why(1, 1.49, None, 23), None);
        assert_eq!(why(1, 1.49, None, 4), None);
        for (today, hour, told) in [
            ((1, 1.49, None), 5, "mirrors begin from 22:00 to 5:00 UTC"),
            ((1, 1.49, None), 21, "mirrors begin from 22:00 to 5:00 UTC"),
            ((2, 0.0, None), 23, "2 of 2 mirrors were begun today"),
            (
                (1, 1.5, None),
                23,
                "today's mirrors are taken to have cost $1.50 of $1.50",
            ),
            ((0, 0.0, Some("shed: so much")), 23, "shed: so much"),
        ] {
            assert_eq!(why(today.0, today.1, today.2, hour).as_deref(), Some(told));
        }
    }

    #[test]
    fn the_share_of_recordings_is_kept_and_each_stays_what_it_is() {
        let limits = Mirroring::default();
        let drawn = |direction, percent| {
            let limits = Mirroring {
                percent,
                reverse_percent: percent,
                ..limits.clone()
            };
            let of = move |number: &u32| {
                let key = RecordingId::new(format!("rec_{number}"));
                is_drawn(direction, &limits, "flag:staging", &key)
            };
            (0..2_000).filter(of).collect::<Vec<u32>>()
        };
        for direction in [Direction::Noise, Direction::Reverse] {
            assert!(drawn(direction, 0.0).is_empty());
            assert_eq!(drawn(direction, 100.0).len(), 2_000);
            let fifth = drawn(direction, 20.0);
            assert!((320..480).contains(&fifth.len()), "{}", fifth.len());
            let more = drawn(direction, 40.0);
            assert!(fifth.iter().all(|one| more.contains(one)));
        }
    }

    #[test]
    fn without_everybodys_consent_nothing_is_run_again() {
        let said = |consent_given| Consent {
            user_id: None,
            consent_given,
        };
        assert_eq!(withheld(&[said(true)], false), None);
        assert!(withheld(&[said(true), said(false)], true).is_some());
        assert!(withheld(&[], false).is_some());
        assert_eq!(withheld(&[], true), None);
    }

    #[test]
    fn a_direction_is_read_by_the_name_it_is_written_by() {
        for direction in [Direction::Noise, Direction::Reverse] {
            assert_eq!(Direction::parse(direction.as_str()), Some(direction));
        }
    }
}
