//! What of a recording can be heard beside its report.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Plays from the word that is clicked. Everything on the page is there without it: words are links to
/// the sound at their time.
pub const SCRIPT: &str = include_str!("listen.js");

/// The one script of a report as policies name it, `sha256-` and Base64.
pub fn script_hash() -> String {
    let hash = Sha256::digest(SCRIPT.as_bytes());
    format!("sha256-{}", BASE64_STANDARD.encode(hash))
}

/// The sound of both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// What the control mixed.
    pub control: Side,
    /// What the candidate did.
    pub candidate: Side,
}

/// The sound of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// It is at that address, relative to the page.
    Plays(String),
    /// There is none, for that reason.
    Silent(String),
}

impl Side {
    pub(super) fn address(&self) -> Option<&str> {
        match self {
            Self::Plays(address) => Some(address),
            Self::Silent(_) => None,
        }
    }
}

impl Heard {
    /// Nothing, for one reason.
    pub fn nothing(why: &str) -> Self {
        Self {
            control: Side::Silent(why.to_owned()),
            candidate: Side::Silent(why.to_owned()),
        }
    }

    /// Whether a side can be heard.
    pub fn is_playable(&self) -> bool {
        self.control
            .address()
            .or(self.candidate.address())
            .is_some()
    }

    /// Where a word is played that the control has, the candidate, or both.
    pub(super) fn at(&self, in_candidate: bool) -> Option<&str> {
        let (control, candidate) = (self.control.address(), self.candidate.address());
        if in_candidate {
            candidate.or(control)
        } else {
            control.or(candidate)
        }
    }
}

/// The part of the page that plays.
#[derive(Serialize)]
pub struct Players {
    sides: Vec<Player>,
    /// None where there is nothing to play.
    script: Option<&'static str>,
    /// The same reason for both sides.
    why: Option<String>,
}

#[derive(Serialize)]
struct Player {
    name: &'static str,
    id: &'static str,
    address: Option<String>,
    why: String,
}

/// The players of what can be heard.
pub fn players(heard: &Heard) -> Players {
    let side = |name, id, side: &Side| {
        let (address, why) = match side {
            Side::Plays(address) => (Some(address.clone()), String::new()),
            Side::Silent(why) => (None, why.clone()),
        };
        Player {
            name,
            id,
            address,
            why,
        }
    };
    let why = match (&heard.control, &heard.candidate) {
        (Side::Silent(one), Side::Silent(other)) if one == other => Some(one.clone()),
        _ => None,
    };
    Players {
        sides: vec![
            side("Control", "sound-control", &heard.control),
            side("Candidate", "sound-candidate", &heard.candidate),
        ],
        script: heard.is_playable().then_some(SCRIPT),
        why,
    }
}
