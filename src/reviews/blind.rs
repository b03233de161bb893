//! Blind side-by-sides: which text is better, asked without saying whose it is.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::wilson;

/// The least share of side-by-sides in which the candidate has to be as good or better, with 95 %
/// confidence.
pub const BLIND_LEAST: f64 = 0.45;

/// A side, as a reviewer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one on the left.
    Left,
    /// The one on the right.
    Right,
    /// Neither is better.
    Tie,
}

/// Whose text was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The candidate's.
    Candidate,
    /// Neither.
    Tie,
    /// The control's.
    Control,
}

impl Side {
    /// Reads `left`, `right` or `tie`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "left" => Some(Self::Left),
            "right" => Some(Self::Right),
            "tie" => Some(Self::Tie),
            _ => None,
        }
    }

    /// Whose it was.
    pub const fn choice(self, candidate_left: bool) -> Choice {
        match (self, candidate_left) {
            (Self::Tie, _) => Choice::Tie,
            (Self::Left, true) | (Self::Right, false) => Choice::Candidate,
            (Self::Left, false) | (Self::Right, true) => Choice::Control,
        }
    }
}

impl Choice {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Candidate, Self::Tie, Self::Control];

    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Tie => "tie",
            Self::Control => "control",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == name)
    }
}

/// What somebody chose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chosen {
    /// The side-by-side.
    pub item: String,
    /// Who.
    pub by: String,
    /// Whose text they found better.
    pub choice: Choice,
    /// When.
    pub at: DateTime<Utc>,
}

/// How side-by-sides came out, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Tally {
    /// The candidate's was better.
    pub win: u64,
    /// Neither was, or both say the same.
    pub tie: u64,
    /// The control's was better.
    pub loss: u64,
    /// The share of wins and ties is at least this, with 95 % confidence.
    pub at_least: Option<f64>,
}

/// Counts choices, and `same` side-by-sides whose texts are equal.
pub fn tally(choices: impl Iterator<Item = Choice>, same: u64) -> Tally {
    let mut tally = Tally {
        tie: same,
        ..Tally::default()
    };
    for choice in choices {
        match choice {
            Choice::Candidate => tally.win += 1,
            Choice::Tie => tally.tie += 1,
            Choice::Control => tally.loss += 1,
        }
    }
    let good = tally.win + tally.tie;
    let all = good + tally.loss;
    tally.at_least = (all > 0).then(|| wilson::lower(good, all));
    tally
}

/// Cohen's kappa of pairs of choices on the same side-by-sides: 1 is full agreement, 0 what chance
/// gives. None without a pair, and where chance alone already agrees always.
pub fn kappa(pairs: &[(Choice, Choice)]) -> Option<f64> {
    if pairs.is_empty() {
        return None;
    }
    let n = pairs.len() as f64;
    let share = |is: &dyn Fn(&(Choice, Choice)) -> bool| {
        pairs.iter().filter(|pair| is(pair)).count() as f64 / n
    };
    let observed = share(&|(one, other)| one == other);
    let by_chance: f64 = Choice::ALL
        .into_iter()
        .map(|choice| share(&|(one, _)| *one == choice) * share(&|(_, other)| *other == choice))
        .sum();
    (by_chance < 1.0).then(|| (observed - by_chance) / (1.0 - by_chance))
}
