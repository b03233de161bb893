//! Times as people write them on the command line.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

/// A day, or a moment.
#[derive(Clone, Copy)]
pub(super) struct Moment(pub DateTime<Utc>);

impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(day) = text.parse::<NaiveDate>() {
            return Ok(Self(day.and_time(NaiveTime::MIN).and_utc()));
        }
        DateTime::parse_from_rfc3339(text)
            .map(|at| Self(at.to_utc()))
            .map_err(|_| "write a day like 2026-03-01, or 2026-03-01T12:00:00Z".to_owned())
    }
}
