//! How fast a replay of history goes: so many recordings an hour, and for so much money.

use chrono::{DateTime, TimeDelta, Utc};

/// How a replay stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// So many are started in an hour.
    pub per_hour: i64,
    /// What all of it may cost, in US dollars.
    pub budget_usd: Option<f64>,
    /// Recordings that nothing was done about.
    pub waiting: i64,
    /// Runs under way.
    pub open: i64,
    /// Runs that have ended.
    pub ended: i64,
    /// What the runs under way have cost so far.
    pub usd_open: f64,
    /// What the ended ones cost.
    pub usd_ended: f64,
    /// When a run was started last.
    pub last_start: Option<DateTime<Utc>>,
    /// How long the ended ones took, on average.
    pub takes: Option<TimeDelta>,
}

/// Whether the next recording may be started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// Yes.
    Now,
    /// Not before then.
    At(DateTime<Utc>),
    /// Not before a run under way has ended, and what it cost is known.
    AfterAnother,
    /// No: it would cost more than everything may.
    Never {
        /// What was spent.
        usd: f64,
        /// What one recording costs on average.
        each: f64,
    },
}

impl Pace {
    /// Whether the next recording may be started. Money comes first: what runs under way will cost
    /// is taken to be what those before them did, so until one has ended they go one by one.
    pub fn next(&self, now: DateTime<Utc>) -> Next {
        if let Some(budget) = self.budget_usd {
            let usd = self.usd_open + self.usd_ended;
            let each = if self.ended == 0 {
                self.usd_open
            } else {
                self.usd_ended / self.ended as f64
            };
            let open = self.usd_open.max(each * self.open as f64);
            if self.usd_ended + open + each > budget || usd >= budget {
                return if self.open == 0 {
                    Next::Never { usd, each }
                } else {
                    Next::AfterAnother
                };
            }
            if self.ended == 0 && self.open > 0 {
                return Next::AfterAnother;
            }
        }
        match self.due() {
            Some(due) if due > now => Next::At(due),
            Some(_) | None => Next::Now,
        }
    }

    /// When all of it will have ended, as far as rate and experience tell; money is not asked.
    pub fn ends_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let takes = self.takes.unwrap_or_default();
        if self.waiting == 0 {
            return now + takes;
        }
        let first = self.due().map_or(now, |due| due.max(now));
        let more = i32::try_from(self.waiting - 1).unwrap_or(i32::MAX);
        let starting = self.interval().checked_mul(more);
        starting
            .and_then(|starting| first.checked_add_signed(starting))
            .and_then(|last| last.checked_add_signed(takes))
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn due(&self) -> Option<DateTime<Utc>> {
        self.last_start.map(|last| last + self.interval())
    }

    fn interval(&self) -> TimeDelta {
        TimeDelta::milliseconds(3_600_000 / self.per_hour.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_760_000_000 + seconds, 0).unwrap()
    }

    /// Sixty an hour, of which ten wait.
    fn pace() -> Pace {
        Pace {
            per_hour: 60,
            waiting: 10,
            ..Pace::default()
        }
    }

    #[test]
    fn starts_are_so_far_apart_that_there_are_so_many_an_hour() {
        let mut pace = pace();
        assert_eq!(pace.next(at(0)), Next::Now);
        pace.last_start = Some(at(0));
        assert_eq!(pace.next(at(59)), Next::At(at(60)));
        assert_eq!(pace.next(at(60)), Next::Now);
    }

    #[test]
    fn it_ends_when_the_last_has_been_started_and_run() {
        let mut pace = pace();
        assert_eq!(pace.ends_at(at(0)), at(9 * 60));
        pace.last_start = Some(at(0));
        pace.takes = Some(TimeDelta::seconds(30));
        assert_eq!(pace.ends_at(at(10)), at(10 * 60 + 30));
        pace.waiting = 0;
        assert_eq!(pace.ends_at(at(10)), at(40));
        pace.waiting = i64::MAX;
        assert!(pace.ends_at(at(10)) > at(1_000_000));
    }

    #[test]
    fn money_is_asked_first() {
        let with = |open, ended, usd_open, usd_ended| Pace {
            budget_usd: Some(1.0),
            open,
            ended,
            usd_open,
            usd_ended,
            ..pace()
        };
        let rows = [
            // Until one has ended, nobody knows what they cost.
            (with(0, 0, 0.0, 0.0), Next::Now),
            (with(1, 0, 0.1, 0.0), Next::AfterAnother),
            // Those under way will cost what others did.
            (with(1, 2, 0.0, 0.5), Next::Now),
            (with(2, 2, 0.0, 0.5), Next::AfterAnother),
            (with(0, 3, 0.0, 0.74), Next::Now),
            (with(0, 4, 0.0, 0.8), Next::Now),
            (
                with(0, 5, 0.0, 1.0),
                Next::Never {
                    usd: 1.0,
                    each: 0.2,
                },
            ),
            // One that cost all of it.
            (with(1, 0, 1.5, 0.0), Next::AfterAnother),
            (
                with(0, 1, 0.0, 1.5),
                Next::Never {
                    usd: 1.5,
                    each: 1.5,
                },
            ),
        ];
        for (pace, next) in rows {
            assert_eq!(pace.next(at(0)), next, "{pace:?}");
        }
    }
}
