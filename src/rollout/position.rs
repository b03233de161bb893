//! Where a migration stands in an environment: its phase, and what is below it.

use std::{fmt, str::FromStr};

use super::{Percent, Phase};

/// A phase with its sub-state; there are no others, and the order is that of going forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// The control serves; Conductor is only watched.
    Infrastructure,
    /// The candidate runs on replays and synthetic recordings.
    Parallel,
    /// The candidate runs beside on so many recordings.
    Shadow(Percent),
    /// The candidate serves so many rooms; beside the others it runs as in shadow.
    Cutover(Percent),
    /// The candidate serves all rooms, and it is watched whether that lasts.
    Soak,
    /// Nothing new is started on Celery, and what is there ends.
    Draining,
    /// What Celery did is exported; it can still be gone back to.
    Archived,
    /// Nothing can be dispatched to Celery any more.
    Removed,
}

/// A position without its percentage, as people write it.
const NAMES: [&str; 8] = [
    "infrastructure",
    "parallel",
    "shadow",
    "cutover",
    "soak",
    "draining",
    "archived",
    "removed",
];

impl Position {
    /// The phase it belongs to.
    pub const fn phase(self) -> Phase {
        match self {
            Self::Infrastructure => Phase::Infrastructure,
            Self::Parallel => Phase::Parallel,
            Self::Shadow(_) => Phase::Shadow,
            Self::Cutover(_) | Self::Soak => Phase::Cutover,
            Self::Draining | Self::Archived | Self::Removed => Phase::Cleanup,
        }
    }

    /// Of recordings in shadow, of rooms in cutover; where no percentage is chosen, none or all.
    pub const fn percent(self) -> Percent {
        match self {
            Self::Infrastructure | Self::Parallel => Percent::NONE,
            Self::Shadow(percent) | Self::Cutover(percent) => percent,
            Self::Soak | Self::Draining | Self::Archived | Self::Removed => Percent::ALL,
        }
    }

    /// The sub-state's name in SQL and JSON; empty where the phase has none.
    pub const fn sub(self) -> &'static str {
        match self {
            Self::Infrastructure | Self::Parallel | Self::Shadow(_) | Self::Cutover(_) => "",
            Self::Soak => "soak",
            Self::Draining => "draining",
            Self::Archived => "archived",
            Self::Removed => "removed",
        }
    }

    /// Reads what [`phase`](Self::phase), [`percent`](Self::percent) and [`sub`](Self::sub) say.
    pub fn of(phase: Phase, percent: Percent, sub: &str) -> Option<Self> {
        match (phase, sub) {
            (Phase::Infrastructure, "") => Some(Self::Infrastructure),
            (Phase::Parallel, "") => Some(Self::Parallel),
            (Phase::Shadow, "") => Some(Self::Shadow(percent)),
            (Phase::Cutover, "") => Some(Self::Cutover(percent)),
            (Phase::Cutover, "soak") => Some(Self::Soak),
            (Phase::Cleanup, "draining") => Some(Self::Draining),
            (Phase::Cleanup, "archived") => Some(Self::Archived),
            (Phase::Cleanup, "removed") => Some(Self::Removed),
            _ => None,
        }
    }

    /// How many steps it is from the beginning; percentages are no steps of their own.
    pub const fn step(self) -> usize {
        match self {
            Self::Infrastructure => 0,
            Self::Parallel => 1,
            Self::Shadow(_) => 2,
            Self::Cutover(_) => 3,
            Self::Soak => 4,
            Self::Draining => 5,
            Self::Archived => 6,
            Self::Removed => 7,
        }
    }

    /// The name without a percentage.
    pub const fn name(self) -> &'static str {
        NAMES[self.step()]
    }

    /// The name of the step after this one; none after the last.
    pub fn next(self) -> Option<&'static str> {
        NAMES.get(self.step() + 1).copied()
    }

    /// All positions in order; those that go by a percentage with that one.
    pub fn all(percent: Percent) -> [Self; 8] {
        [
            Self::Infrastructure,
            Self::Parallel,
            Self::Shadow(percent),
            Self::Cutover(percent),
            Self::Soak,
            Self::Draining,
            Self::Archived,
            Self::Removed,
        ]
    }

    /// Whether a percentage is chosen with it.
    pub const fn has_percent(self) -> bool {
        match self {
            Self::Shadow(_) | Self::Cutover(_) => true,
            Self::Infrastructure
            | Self::Parallel
            | Self::Soak
            | Self::Draining
            | Self::Archived
            | Self::Removed => false,
        }
    }

    /// Whether Celery may be given work of this migration at all.
    pub const fn has_celery(self) -> bool {
        match self {
            Self::Infrastructure
            | Self::Parallel
            | Self::Shadow(_)
            | Self::Cutover(_)
            | Self::Soak
            | Self::Draining
            | Self::Archived => true,
            Self::Removed => false,
        }
    }

    /// Whether the candidate runs beside on recordings of the past.
    pub const fn has_replays(self) -> bool {
        match self {
            Self::Parallel | Self::Shadow(_) | Self::Cutover(_) | Self::Soak => true,
            Self::Infrastructure | Self::Draining | Self::Archived | Self::Removed => false,
        }
    }

    /// The same with a percentage, where it has one.
    #[must_use]
    pub const fn at(self, percent: Percent) -> Self {
        match self {
            Self::Shadow(_) => Self::Shadow(percent),
            Self::Cutover(_) => Self::Cutover(percent),
            Self::Infrastructure
            | Self::Parallel
            | Self::Soak
            | Self::Draining
            | Self::Archived
            | Self::Removed => self,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.has_percent(), self.sub()) {
            (true, _) => write!(f, "{} {} %", self.phase(), self.percent()),
            (false, "") => write!(f, "{}", self.phase()),
            (false, sub) => write!(f, "{} {sub}", self.phase()),
        }
    }
}

/// A text that names no position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no phase; write infrastructure, parallel, shadow, cutover, soak, draining, archived or removed"
)]
pub struct NoPosition(String);

impl FromStr for Position {
    type Err = NoPosition;

    /// Reads a name without a percentage, which is 0 then.
    fn from_str(name: &str) -> Result<Self, NoPosition> {
        let mut all = Self::all(Percent::NONE).into_iter();
        all.find(|position| position.name() == name)
            .ok_or_else(|| NoPosition(name.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Position> {
        let half = Percent::from_hundredths(5000).unwrap();
        NAMES
            .iter()
            .map(|name| name.parse::<Position>().unwrap().at(half))
            .collect()
    }

    #[test]
    fn a_position_is_read_from_what_it_is_kept_as() {
        for position in all() {
            let (phase, percent) = (position.phase(), position.percent());
            assert_eq!(
                Position::of(phase, percent, position.sub()),
                Some(position),
                "{position}"
            );
        }
        assert_eq!(
            Position::of(Phase::Cleanup, Percent::ALL, ""),
            None,
            "cleanup is never without a sub-state"
        );
    }

    #[test]
    fn positions_are_in_the_order_of_going_forward() {
        for pair in all().windows(2) {
            assert!(pair[0] < pair[1], "{} before {}", pair[0], pair[1]);
            assert_eq!(pair[0].next(), Some(pair[1].name()));
        }
        assert!(Position::Shadow(Percent::NONE) < Position::Shadow(Percent::ALL));
    }

    #[test]
    fn only_in_removed_is_there_no_celery() {
        for position in all() {
            assert_eq!(position.has_celery(), position != Position::Removed);
        }
    }
}
