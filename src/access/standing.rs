//! Whether a token or a session still counts, and where somebody may be led after signing in.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::SessionLimits;

/// What all tokens begin with, so that people and scanners know one when they see it.
const TOKEN: &str = "swy_";

/// Letters of a token after that: 244 random bits.
const LETTERS: usize = 64;

/// Whether a text could be a token of ours at all; nobody is asked about what could not.
pub fn has_token_shape(text: &str) -> bool {
    let letters = text.strip_prefix(TOKEN);
    letters.is_some_and(|letters| {
        letters.len() == LETTERS && letters.bytes().all(|letter| letter.is_ascii_hexdigit())
    })
}

/// Why a token does not count any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// Somebody took it back.
    Revoked,
    /// Its time is over.
    Expired(DateTime<Utc>),
}

impl std::fmt::Display for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Revoked => f.write_str("this token was revoked"),
            Self::Expired(at) => write!(f, "this token expired on {}", at.format("%Y-%m-%d")),
        }?;
        f.write_str("; have another made with `switchyard token create`")
    }
}

/// Whether a token counts.
pub fn token_stands(
    expires_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), Spent> {
    match revoked_at {
        Some(_) => Err(Spent::Revoked),
        None if now >= expires_at => Err(Spent::Expired(expires_at)),
        None => Ok(()),
    }
}

/// Why a session does not count any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// It has lasted as long as one may.
    Old,
    /// Nobody used it for too long.
    Idle,
}

impl std::fmt::Display for Over {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Old => "your session has lasted as long as one may; sign in again",
            Self::Idle => "nobody used your session for a while; sign in again",
        })
    }
}

/// When a session that began and was seen then ends if it is not used again, or why it is over.
pub fn session_stands(
    started_at: DateTime<Utc>,
    seen_at: DateTime<Utc>,
    limits: SessionLimits,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Over> {
    let ends_at = started_at + TimeDelta::hours(limits.hours);
    let idle_at = seen_at + TimeDelta::minutes(limits.idle_minutes);
    if now >= ends_at {
        Err(Over::Old)
    } else if now >= idle_at {
        Err(Over::Idle)
    } else {
        Ok(ends_at)
    }
}

/// A page of ours that somebody asked for before they signed in; the first page where it is anything
/// else, so that no link of others leads them on from here.
pub fn local_path(wanted: &str) -> &str {
    let is_plain = wanted.starts_with('/')
        && !wanted.starts_with("//")
        && wanted.len() <= 512
        && wanted
            .bytes()
            .all(|letter| letter.is_ascii_graphic() && letter != b'\\');
    let leads_back = ["/sign-in", "/sign-out", "/api/", "/ofrep/"];
    if is_plain && !leads_back.iter().any(|path| wanted.starts_with(path)) {
        wanted
    } else {
        "/"
    }
}
