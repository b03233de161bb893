//! What may be deleted because its time is over, and what is needed all the same.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::RetentionDays;

/// A class of data, by how long it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// What was said in meetings and who was there, of runs: checkpoints, intents, reports, answers.
    Texts,
    /// The same of what the legacy pipeline made.
    Controls,
    /// Paid answers that runs share.
    Answers,
    /// Everything else that is known of a run: verdicts, numbers, attempts, its route.
    Numbers,
    /// What people were told.
    Notices,
}

impl Class {
    /// All of them, in the order in which they are deleted.
    pub const ALL: [Self; 5] = [
        Self::Texts,
        Self::Controls,
        Self::Answers,
        Self::Numbers,
        Self::Notices,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Texts => "texts",
            Self::Controls => "controls",
            Self::Answers => "answers",
            Self::Numbers => "numbers",
            Self::Notices => "notices",
        }
    }

    /// The class of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }

    /// Days it is kept.
    pub const fn days(self, days: &RetentionDays) -> i64 {
        match self {
            Self::Texts | Self::Controls | Self::Answers => days.texts_days,
            Self::Numbers => days.numbers_days,
            Self::Notices => days.notices_days,
        }
    }

    /// What is older than this has been kept long enough.
    pub fn until(self, days: &RetentionDays, now: DateTime<Utc>) -> DateTime<Utc> {
        now - TimeDelta::days(self.days(days))
    }

    /// What is deleted when, for people.
    pub fn rule(self, days: &RetentionDays) -> String {
        let number = self.days(days);
        match self {
            Self::Texts => format!(
                "texts of runs: {number} days after the run was settled, at once where its transcript was deleted"
            ),
            Self::Controls => {
                format!("texts of controls: {number} days after it was taken, and no run needs it")
            }
            Self::Answers => {
                format!("answers that runs share: {number} days after they were given")
            }
            Self::Numbers => format!(
                "numbers of runs: {number} days after the run ended, and neither the evidence nor the phase counts it"
            ),
            Self::Notices => format!("notices: {number} days after everybody had them"),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is known of an ended run that decides whether its texts are needed.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// When it ended, or was compared last.
    pub settled_at: DateTime<Utc>,
    /// It has a control and was not compared with it since it ended.
    pub uncompared: bool,
    /// Its route is not over: the control may be at work.
    pub routed: bool,
    /// It owns its recording, and not everything was delivered.
    pub undelivered: bool,
    /// A mirror of its recording is under way.
    pub mirrored: bool,
    /// It belongs to a replay that has not ended it.
    pub replayed: bool,
    /// People are asked to look at it, and have not decided.
    pub reviewed: bool,
    /// Its transcript was deleted in Reflector.
    pub source_gone: bool,
}

/// Why texts are needed though their time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// They were not compared yet.
    Comparison,
    /// The control may be at work.
    Route,
    /// Not everything was delivered.
    Delivery,
    /// A mirror is under way.
    Mirror,
    /// A replay is under way.
    Replay,
    /// People have not decided.
    Review,
}

impl Need {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Comparison => "not compared yet",
            Self::Route => "its route is not over",
            Self::Delivery => "it owns its recording and has not delivered everything",
            Self::Mirror => "a mirror of its recording is under way",
            Self::Replay => "its replay is under way",
            Self::Review => "people are asked to look at it",
        }
    }
}

/// How the texts of an ended run stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// They are deleted.
    Due,
    /// Their time is not over.
    NotYet,
    /// Their time is over, and they are needed.
    Needed(Need),
}

/// How the texts of an ended run stand; those of runs settled before `until` have been kept long enough. A
/// deleted transcript takes its texts along, whoever was asked to look at them.
pub fn stands(known: &Known, until: DateTime<Utc>) -> Stands {
    if !known.source_gone && known.settled_at >= until {
        return Stands::NotYet;
    }
    let needs = [
        (known.routed, Need::Route),
        (known.undelivered, Need::Delivery),
        (known.mirrored, Need::Mirror),
        (known.replayed, Need::Replay),
        (known.uncompared, Need::Comparison),
        (known.reviewed && !known.source_gone, Need::Review),
    ];
    let need = needs.into_iter().find(|(is_needed, _)| *is_needed);
    need.map_or(Stands::Due, |(_, need)| Stands::Needed(need))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_452_800, 0).expect("a time")
    }

    fn known() -> Known {
        Known {
            settled_at: noon(),
            uncompared: false,
            routed: false,
            undelivered: false,
            mirrored: false,
            replayed: false,
            reviewed: false,
            source_gone: false,
        }
    }

    #[test]
    fn texts_go_when_their_time_is_over_and_no_sooner() {
        let days = RetentionDays::default();
        let at = |days| noon() + TimeDelta::days(days);
        let stands_at = |now| stands(&known(), Class::Texts.until(&days, now));
        assert_eq!(stands_at(at(30)), Stands::NotYet);
        assert_eq!(stands_at(at(30) + TimeDelta::milliseconds(1)), Stands::Due);
    }

    #[test]
    fn whatever_needs_texts_keeps_them_however_old_they_are() {
        let later = noon() + TimeDelta::days(1000);
        let with = |set: fn(&mut Known)| {
            let mut known = known();
            set(&mut known);
            stands(&known, later)
        };
        for (stands, need) in [
            (with(|known| known.uncompared = true), Need::Comparison),
            (with(|known| known.routed = true), Need::Route),
            (with(|known| known.undelivered = true), Need::Delivery),
            (with(|known| known.mirrored = true), Need::Mirror),
            (with(|known| known.replayed = true), Need::Replay),
            (with(|known| known.reviewed = true), Need::Review),
        ] {
            assert_eq!(stands, Stands::Needed(need));
        }
    }

    #[test]
    fn a_deleted_transcript_takes_its_texts_along_at_once() {
        let mut known = known();
        (known.source_gone, known.reviewed) = (true, true);
        assert_eq!(stands(&known, noon() - TimeDelta::days(1)), Stands::Due);
        known.routed = true;
        let still = stands(&known, noon() - TimeDelta::days(1));
        assert_eq!(still, Stands::Needed(Need::Route));
    }

    #[test]
    fn every_class_is_read_back_by_its_name() {
        for class in Class::ALL {
            assert_eq!(Class::parse(class.as_str()), Some(class));
            let days = class.days(&RetentionDays::default()).to_string();
            assert!(class.rule(&RetentionDays::default()).contains(&days));
        }
    }
}
