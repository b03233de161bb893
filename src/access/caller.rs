//! Who asks.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Action, Denied, Powers, Reach};
use crate::model::{EnvironmentName, Role, digest};

/// Somebody whose request may be looked at. A handler gets it as an argument.
#[derive(Clone, Debug)]
pub struct Caller {
    /// How they are called in the audit trail; none where nobody signs in.
    pub name: Option<String>,
    /// What they may do.
    pub powers: Powers,
    /// What says who they are.
    pub by: By,
    /// What a form of theirs sends back as `csrf`.
    pub csrf: String,
    /// When they have to show again who they are.
    pub until: Option<DateTime<Utc>>,
}

/// What says who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// Nobody has to sign in: whoever can reach a loopback address is the local operator.
    Loopback,
    /// A token, by its id.
    Token(String),
    /// A session, by the hash of what its cookie holds.
    Session(String),
}

impl Caller {
    /// Whoever is at this machine, where nobody has to sign in.
    pub fn local(csrf: String) -> Self {
        Self {
            name: None,
            powers: Powers::everywhere(Role::Admin),
            by: By::Loopback,
            csrf,
            until: None,
        }
    }

    /// Whether they may do that there.
    pub fn may(&self, action: Action, environment: &EnvironmentName) -> Result<(), Denied> {
        self.powers.may(action, environment)
    }

    /// Where they may do that.
    pub fn reach(&self, action: Action) -> Reach {
        self.powers.reach(action)
    }

    /// How they are called, for pages.
    pub fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or("local operator")
    }
}

/// Why somebody is turned away before anything is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turned {
    /// They did not say who they are.
    Unknown,
    /// What they showed is no token or session of ours, or not any more; says which and what helps.
    Invalid(String),
    /// They failed too often, and have to wait.
    TooOften(TimeDelta),
}

impl fmt::Display for Turned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str(
                "sign in at /sign-in, or send a token as `authorization: Bearer TOKEN`; an admin makes one with `switchyard token create`",
            ),
            Self::Invalid(why) => f.write_str(why),
            Self::TooOften(wait) => write!(
                f,
                "too many tokens from your address were none of ours; try again in {} s",
                wait.num_seconds().max(1)
            ),
        }
    }
}

/// What forms send back to show that a page of ours made them: who holds the cookie can tell it, and
/// it does not tell the cookie.
pub fn csrf_of(secret: &str) -> String {
    digest::of_text(&format!("csrf:{secret}"))
}

/// Whether two secrets are the same, in a time that tells nothing of where they differ.
pub fn is_same(one: &str, other: &str) -> bool {
    let differs = |(one, other): (u8, u8)| one ^ other;
    one.len() == other.len()
        && one
            .bytes()
            .zip(other.bytes())
            .map(differs)
            .fold(0, |all, one| all | one)
            == 0
}
