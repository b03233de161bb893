//! How far a migration is in an environment.

use std::{fmt, str::FromStr};

/// One of the five phases; there are no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The control serves; Conductor is only watched.
    Infrastructure,
    /// The control serves; the candidate runs on replays and synthetic recordings alone.
    Parallel,
    /// The control serves; the candidate runs beside it on a percentage of recordings.
    Shadow,
    /// The candidate serves a percentage of rooms; beside the others it runs as in shadow.
    Cutover,
    /// The candidate serves everybody.
    Cleanup,
}

impl Phase {
    /// All, in order.
    pub const ALL: [Self; 5] = [
        Self::Infrastructure,
        Self::Parallel,
        Self::Shadow,
        Self::Cutover,
        Self::Cleanup,
    ];

    /// The name in SQL, JSON and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Infrastructure => "infrastructure",
            Self::Parallel => "parallel",
            Self::Shadow => "shadow",
            Self::Cutover => "cutover",
            Self::Cleanup => "cleanup",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == name)
    }

    /// Whether the candidate serves anybody.
    pub const fn lets_candidate_serve(self) -> bool {
        match self {
            Self::Infrastructure | Self::Parallel | Self::Shadow => false,
            Self::Cutover | Self::Cleanup => true,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no phase.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no phase; write infrastructure, parallel, shadow, cutover or cleanup")]
pub struct NoPhase(String);

impl FromStr for Phase {
    type Err = NoPhase;

    fn from_str(name: &str) -> Result<Self, NoPhase> {
        Self::parse(name).ok_or_else(|| NoPhase(name.to_owned()))
    }
}

/// A percentage in steps of 0.01 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u16);

impl Percent {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(10_000);

    /// So many hundredths of a percent; none above 10000.
    pub const fn from_hundredths(hundredths: u16) -> Option<Self> {
        if hundredths <= Self::ALL.0 {
            Some(Self(hundredths))
        } else {
            None
        }
    }

    /// In hundredths of a percent, 0 to 10000.
    pub const fn hundredths(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        match (rest, rest % 10) {
            (0, _) => write!(f, "{whole}"),
            (_, 0) => write!(f, "{whole}.{}", rest / 10),
            _ => write!(f, "{whole}.{rest:02}"),
        }
    }
}

/// A text that is no percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a percentage is a number from 0 to 100 with at most two decimals; write e.g. `12.5`")]
pub struct NoPercent;

impl FromStr for Percent {
    type Err = NoPercent;

    fn from_str(text: &str) -> Result<Self, NoPercent> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let are_digits =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || !are_digits(decimals) || whole.len() > 3 || decimals.len() > 2 {
            return Err(NoPercent);
        }
        let whole: u16 = whole.parse().map_err(|_| NoPercent)?;
        let hundredths: u16 = format!("{decimals:0<2}").parse().map_err(|_| NoPercent)?;
        Self::from_hundredths(whole * 100 + hundredths).ok_or(NoPercent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_read_by_the_name_it_is_written_by() {
        for phase in Phase::ALL {
            assert_eq!(phase.to_string().parse(), Ok(phase));
        }
        assert_eq!(Phase::parse("Shadow"), None);
    }

    #[test]
    fn a_percentage_is_read_as_it_is_written_to_a_hundredth() {
        for (text, hundredths) in [("0", 0), ("0.01", 1), ("1.5", 150), ("12.34", 1234)] {
            let percent = Percent::from_hundredths(hundredths).unwrap();
            assert_eq!(text.parse(), Ok(percent));
            assert_eq!(percent.to_string(), text);
        }
        assert_eq!("100".parse(), Ok(Percent::ALL));
        for text in [
            "", "100.01", "101", "-1", "1.234", "1,5", ".5", "5.", "+5", "99999",
        ] {
            assert_eq!(text.parse::<Percent>(), Err(NoPercent), "{text}");
        }
    }
}
