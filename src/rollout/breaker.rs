//! Whether Conductor may be relied on.

use std::fmt;

/// How far the breaker is. It decides routing, never the phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Conductor is well.
    Closed,
    /// There was a bad sign, which is not confirmed.
    Suspect,
    /// Conductor is not well: nothing is started there.
    Open,
    /// It may be well again: one recording at a time is tried.
    HalfOpen,
    /// It is well again: more and more is started there.
    Recovering,
    /// It opened too often: only a person closes it.
    Latched,
}

impl BreakerState {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Closed,
        Self::Suspect,
        Self::Open,
        Self::HalfOpen,
        Self::Recovering,
        Self::Latched,
    ];

    /// The name in SQL, JSON and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Suspect => "suspect",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Recovering => "recovering",
            Self::Latched => "latched",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
