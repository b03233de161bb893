//! What people are told: in the form each sort of receiver takes, when, and how many at once.
//!
//! A notice never holds what was said in a meeting, nor names of others than those who turn the
//! migration. What operators wrote as a reason is in it: forms see to it that no text of theirs calls
//! everybody in a channel.

mod link;
mod pace;
mod slack;
mod summary;
mod webhook;
mod zulip;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::model::{Gravity, NoticeKind};

pub use link::page;
pub use pace::{GIVE_UP, LAST_WAIT, LEAST_TRIES, Next, Pace, after_failure, left_alone, pace};
pub use slack::message as slack;
pub use summary::{Covered, Summary, summary};
pub use webhook::{SIGNATURE, body as webhook, signed};
pub use zulip::{Post, post as zulip, topic};

/// A notice as it is told to one receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Its id; the same however often it is told.
    pub id: String,
    /// Where it happened.
    pub environment: String,
    /// To which migration.
    pub flag: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// How grave it is.
    pub gravity: Gravity,
    /// One sentence or two.
    pub text: String,
    /// The same for machines.
    pub document: Value,
    /// When it came to be.
    pub at: DateTime<Utc>,
    /// The page of the console where something can be done about it.
    pub link: String,
}

/// Longer texts are cut: receivers refuse them.
const LONGEST: usize = 2500;

/// A text as it may be told, cut where it is too long.
fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LONGEST).collect();
    kept + "…"
}

#[cfg(test)]
pub(crate) fn told(text: &str) -> Told {
    Told {
        id: "ntc_0123456789ab".to_owned(),
        environment: "production".to_owned(),
        flag: "daily_diarization_pipeline".to_owned(),
        kind: NoticeKind::Hold,
        gravity: Gravity::Warning,
        text: text.to_owned(),
        document: serde_json::json!({ "hold": "hold_1" }),
        at: DateTime::from_timestamp(1_772_452_800, 0).expect("a time"),
        link: "https://switchyard.example.com/phases/production/daily_diarization_pipeline"
            .to_owned(),
    }
}
