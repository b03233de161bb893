//! Rules of routing: what people said of single rooms and recordings, and whose turn comes when.
//!
//! [`route`](super::route) asks in this order, and the first that decides ends it:
//!
//! 1. The phase. Before shadow the control serves alone, in cleanup the candidate does: no rule counts.
//! 2. What was said of the recording, then what was said of its room. *Exclude*: the control alone.
//!    *Control*: the control, and beside it what the phase says. *Candidate*: the candidate, whatever
//!    percentage and reach are; it counts from cutover on, and waits until then.
//! 3. The reach, from cutover on: rooms of cohorts after it stay with the control, as in shadow.
//! 4. The bucket and the percentage.
//!
//! What shadow runs may use in a day comes last: it takes candidates from beside, and never changes who
//! serves.

use std::{collections::BTreeSet, fmt};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{RecordingId, RoomId};

/// The last cohort, which is always there: every room that no other holds.
pub const ALL: &str = "all";

/// Longer than any id, name or reason has to be.
const LONGEST: usize = 500;

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// All recordings of a room.
    Room,
    /// One recording.
    Recording,
}

impl Whose {
    /// The name in JSON and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::Recording => "recording",
        }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// The control alone, and nothing beside.
    Exclude,
    /// Pinned to the control.
    Control,
    /// Pinned to the candidate, from cutover on.
    Candidate,
}

impl Says {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exclude => "exclude",
            Self::Control => "control",
            Self::Candidate => "candidate",
        }
    }

    /// What was done, for people.
    const fn done(self) -> &'static str {
        match self {
            Self::Exclude => "excluded",
            Self::Control => "pinned to the control",
            Self::Candidate => "pinned to the candidate",
        }
    }
}

/// Who said something, why and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// What was said of a room or a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What it is about.
    pub whose: Whose,
    /// Its id.
    pub key: String,
    /// What it says.
    pub says: Says,
    /// Who said so.
    #[serde(flatten)]
    pub signed: Signed,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the {} is {} by {}: {}",
            self.whose,
            self.says.done(),
            self.signed.by,
            self.signed.reason
        )
    }
}

/// The rooms of a cohort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Rooms {
    /// These.
    Named(BTreeSet<RoomId>),
    /// Those of a kind.
    Of(RoomKind),
}

/// A kind of rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    /// Rooms that are known to call no customer's webhook.
    WithoutWebhook,
}

/// Rooms whose turn comes together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cohort {
    /// Its name.
    pub name: String,
    /// Its rooms; one that an earlier cohort holds is that one's.
    pub rooms: Rooms,
}

/// All rules of one migration in one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// What was said of rooms and recordings; of each at most once.
    pub rules: Vec<Rule>,
    /// In the order in which their turn comes; `all` comes after them.
    pub cohorts: Vec<Cohort>,
    /// Who gave the cohorts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cohorts_signed: Option<Signed>,
    /// The last cohort that the percentage of cutover is of; none: `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reach: Option<String>,
    /// Who set the reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reach_signed: Option<Signed>,
}

/// A change somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Says something of a room or a recording, instead of what was said before.
    Say {
        /// What it is about.
        whose: Whose,
        /// Its id.
        key: String,
        /// What.
        says: Says,
    },
    /// Says nothing of it any more.
    Remove {
        /// What it is about.
        whose: Whose,
        /// Its id.
        key: String,
    },
    /// Other cohorts.
    Cohorts(Vec<Cohort>),
    /// Another reach.
    Reach(String),
}

/// Why a change makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Senseless {
    /// There is nothing to remove.
    #[error("nothing is said of the {whose} `{key}`; `switchyard routing` lists what is")]
    NotSaid {
        /// What it is about.
        whose: Whose,
        /// Its id.
        key: String,
    },
    /// There is no such cohort.
    #[error("there is no cohort `{name}`; there are {known}")]
    NoCohort {
        /// The name.
        name: String,
        /// Those there are.
        known: String,
    },
    /// The reach would be a cohort that is gone.
    #[error(
        "cutover reaches as far as cohort `{0}`, which is none of these; keep it, or set another reach first with `switchyard routing reach NAME`"
    )]
    ReachGone(String),
    /// A cohort cannot be called that.
    #[error("`{0}` cannot be the name of a cohort; write a name of its own, other than `all`")]
    Name(String),
    /// Two cohorts hold the same room.
    #[error("room `{0}` is in two cohorts; leave it in one")]
    Twice(RoomId),
    /// A text is missing or endless.
    #[error("{0} has to have 1 to 500 characters")]
    Text(&'static str),
}

/// Which cohort a room is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn<'a> {
    /// Its name.
    pub cohort: &'a str,
    /// Whether the percentage of cutover is of it as well.
    pub is_reached: bool,
}

impl Rules {
    /// No rules at all.
    pub const NONE: Self = Self {
        rules: Vec::new(),
        cohorts: Vec::new(),
        cohorts_signed: None,
        reach: None,
        reach_signed: None,
    };

    /// What is kept from the candidate, for people; none where nothing is. In cleanup no rule counts, so
    /// that whoever goes there takes all of it back.
    pub fn kept_back(&self) -> Option<String> {
        let kept = |rule: &&Rule| matches!(rule.says, Says::Exclude | Says::Control);
        let kept = match self.rules.iter().filter(kept).count() {
            0 => None,
            1 => Some("one room or recording".to_owned()),
            more => Some(format!("{more} rooms or recordings")),
        };
        let reach = self.reach.as_deref().filter(|reach| *reach != ALL);
        let after = reach.map(|reach| format!("the cohorts after `{reach}`"));
        match (kept, after) {
            (None, after) => after,
            (kept, None) => kept,
            (Some(kept), Some(after)) => Some(format!("{kept} and {after}")),
        }
    }

    /// What was said of the recording or, where nothing was, of its room.
    pub fn said(&self, recording: &RecordingId, room: Option<&RoomId>) -> Option<&Rule> {
        let of = |whose: Whose, key: &str| {
            let mut rules = self.rules.iter();
            rules.find(|rule| rule.whose == whose && rule.key == key)
        };
        of(Whose::Recording, recording.as_str()).or_else(|| of(Whose::Room, room?.as_str()))
    }

    /// The last cohort that the percentage of cutover is of.
    pub fn reach(&self) -> &str {
        self.reach.as_deref().unwrap_or(ALL)
    }

    /// The cohort of a room; a recording without a room is of the last.
    pub fn turn(&self, room: Option<&RoomId>, without_webhook: bool) -> Turn<'_> {
        let holds = |cohort: &Cohort| match (&cohort.rooms, room) {
            (_, None) => false,
            (Rooms::Named(rooms), Some(room)) => rooms.contains(room),
            (Rooms::Of(RoomKind::WithoutWebhook), Some(_)) => without_webhook,
        };
        let at = self.cohorts.iter().position(holds);
        let reach = self.cohorts.iter().position(|one| one.name == self.reach());
        Turn {
            cohort: at.map_or(ALL, |at| self.cohorts[at].name.as_str()),
            is_reached: match (at, reach) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(at), Some(reach)) => at <= reach,
            },
        }
    }

    /// Whether the control has to serve anything at all once the candidate serves everybody: what is
    /// not known may then be just that.
    pub fn keep_any(&self) -> bool {
        self.reach() != ALL || self.rules.iter().any(|rule| rule.says != Says::Candidate)
    }

    /// The rules with a change, or what is wrong with it.
    pub fn with(&self, change: &Change, signed: &Signed) -> Result<Self, Senseless> {
        fits(&signed.by, "who it is by")?;
        fits(&signed.reason, "the reason")?;
        let mut after = self.clone();
        match change {
            Change::Say { whose, key, says } => {
                fits(key, "the id")?;
                after.forget(*whose, key);
                after.rules.push(Rule {
                    whose: *whose,
                    key: key.clone(),
                    says: *says,
                    signed: signed.clone(),
                });
                after
                    .rules
                    .sort_by(|one, other| (one.whose, &one.key).cmp(&(other.whose, &other.key)));
            }
            Change::Remove { whose, key } => {
                if !after.forget(*whose, key) {
                    return Err(Senseless::NotSaid {
                        whose: *whose,
                        key: key.clone(),
                    });
                }
            }
            Change::Cohorts(cohorts) => {
                check(cohorts)?;
                let reach = self.reach();
                if reach != ALL && cohorts.iter().all(|one| one.name != reach) {
                    return Err(Senseless::ReachGone(reach.to_owned()));
                }
                after.cohorts.clone_from(cohorts);
                after.cohorts_signed = Some(signed.clone());
            }
            Change::Reach(name) => {
                if name != ALL && self.cohorts.iter().all(|one| one.name != *name) {
                    return Err(Senseless::NoCohort {
                        name: name.clone(),
                        known: self.names().join(", "),
                    });
                }
                after.reach = (name != ALL).then(|| name.clone());
                after.reach_signed = Some(signed.clone());
            }
        }
        Ok(after)
    }

    /// Whether the candidate may serve something by `after` that it may not by these: a forward move.
    pub fn widen_to(&self, after: &Self) -> bool {
        // A pin to the candidate is more than no rule, and that is more than any other.
        let trust = |rules: &Self, whose: Whose, key: &str| {
            let mut said = rules.rules.iter();
            match said.find(|rule| rule.whose == whose && rule.key == key) {
                Some(rule) if rule.says == Says::Candidate => 2,
                None => 1,
                Some(_) => 0,
            }
        };
        let rules = self.rules.iter().chain(&after.rules);
        let mut rules = rules.map(|rule| (rule.whose, rule.key.as_str()));
        if rules.any(|(whose, key)| trust(after, whose, key) > trust(self, whose, key)) {
            return true;
        }
        let named = self.cohorts.iter().chain(&after.cohorts);
        let named = named.filter_map(|cohort| match &cohort.rooms {
            Rooms::Named(rooms) => Some(rooms),
            Rooms::Of(RoomKind::WithoutWebhook) => None,
        });
        // No cohort names a room of no name.
        let unnamed = RoomId::new("");
        let rooms = named.flatten().chain([&unnamed]).map(Some);
        rooms.chain([None]).any(|room| {
            [false, true].into_iter().any(|without_webhook| {
                after.turn(room, without_webhook).is_reached
                    && !self.turn(room, without_webhook).is_reached
            })
        })
    }

    /// The names of all cohorts in order.
    pub fn names(&self) -> Vec<&str> {
        let names = self.cohorts.iter().map(|cohort| cohort.name.as_str());
        names.chain([ALL]).collect()
    }

    /// What a change is about, as it is by these rules; for the audit trail.
    pub fn told(&self, change: &Change) -> String {
        match change {
            Change::Say { whose, key, .. } | Change::Remove { whose, key } => {
                let mut rules = self.rules.iter();
                let rule = rules.find(|rule| rule.whose == *whose && rule.key == *key);
                let says = rule.map_or("nothing", |rule| rule.says.as_str());
                format!("{whose} {key}: {says}")
            }
            Change::Cohorts(_) => {
                let cohorts = serde_json::to_string(&self.cohorts);
                format!("cohorts: {}", cohorts.expect("names can be written"))
            }
            Change::Reach(_) => format!("reach: {}", self.reach()),
        }
    }

    fn forget(&mut self, whose: Whose, key: &str) -> bool {
        let before = self.rules.len();
        self.rules
            .retain(|rule| rule.whose != whose || rule.key != key);
        self.rules.len() < before
    }
}

fn fits(text: &str, what: &'static str) -> Result<(), Senseless> {
    let is_there = !text.trim().is_empty() && text.chars().count() <= LONGEST;
    is_there.then_some(()).ok_or(Senseless::Text(what))
}

fn check(cohorts: &[Cohort]) -> Result<(), Senseless> {
    let mut rooms = BTreeSet::new();
    for (at, cohort) in cohorts.iter().enumerate() {
        let name = cohort.name.as_str();
        let is_taken = cohorts[..at].iter().any(|known| known.name == name);
        if is_taken || name == ALL || fits(name, "a name").is_err() {
            return Err(Senseless::Name(name.chars().take(40).collect()));
        }
        if let Rooms::Named(named) = &cohort.rooms {
            for room in named {
                fits(room.as_str(), "a room's id")?;
                if !rooms.insert(room) {
                    return Err(Senseless::Twice(room.clone()));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
