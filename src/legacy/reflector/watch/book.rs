//! What was heard of each watched transcript. Knows no Redis and no clock.

use std::collections::HashMap;

use serde::Deserialize;
use tokio::time::Instant;

use super::WatchLimits;
use crate::model::{OutcomeStatus, Published, TranscriptId};

/// What was published of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The messages in order, with their exact bytes.
    pub published: Vec<Published>,
    /// How the run ended, as far as that was heard.
    pub ended: Option<OutcomeStatus>,
    /// Whether this is all of the run: its first message (`STATUS` processing) was heard, its
    /// last (`STATUS` ended or error), and nothing can have been missed between.
    pub complete: bool,
}

/// No more transcripts can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more transcripts are watched than the limit of {limit} allows")]
pub struct TooMany {
    /// How many may be watched at once.
    pub limit: usize,
}

/// How a watched transcript stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It is not watched.
    NotWatched,
    /// Nothing changes before this instant, unless something is heard.
    Until(Instant),
    /// Nothing more is taken.
    Over,
}

pub(super) struct Book {
    limits: WatchLimits,
    entries: HashMap<TranscriptId, Entry>,
    /// Bytes kept in all entries.
    bytes: usize,
}

struct Entry {
    published: Vec<Published>,
    bytes: usize,
    /// The run's first message was heard, and none can have been missed since.
    whole: bool,
    /// The run said more than is kept, or something that is no text.
    too_much: bool,
    ended: Option<OutcomeStatus>,
    /// Once this has come, nothing more is taken.
    until: Instant,
}

/// As much of a message as says what it is.
#[derive(Deserialize)]
struct Message<D> {
    event: String,
    data: D,
}

#[derive(Deserialize)]
struct StatusData {
    value: String,
}

#[derive(Deserialize)]
struct UserData {
    id: TranscriptId,
}

/// What a message on a transcript's channel does to its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Begins,
    GoesOn,
    Ends(OutcomeStatus),
}

impl Book {
    pub(super) fn new(limits: WatchLimits) -> Self {
        Self {
            limits,
            entries: HashMap::new(),
            bytes: 0,
        }
    }

    /// Begins to keep what is said of a transcript; goes on where that is under way.
    pub(super) fn watch(&mut self, id: &TranscriptId, now: Instant) -> Result<(), TooMany> {
        // Runs nobody came for, and an earlier run of this one.
        let stale = |entry: &Entry| entry.until + self.limits.patience <= now;
        let mut gone: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| stale(entry))
            .map(|(id, _)| id.clone())
            .collect();
        if self.look(id, now) == Look::Over {
            gone.push(id.clone());
        }
        for id in gone {
            self.take(&id);
        }
        if self.entries.contains_key(id) {
            return Ok(());
        }
        let limit = self.limits.transcripts;
        if self.entries.len() >= limit {
            return Err(TooMany { limit });
        }
        let entry = Entry {
            published: Vec::new(),
            bytes: 0,
            whole: false,
            too_much: false,
            ended: None,
            until: now + self.limits.patience,
        };
        self.entries.insert(id.clone(), entry);
        Ok(())
    }

    pub(super) fn look(&self, id: &TranscriptId, now: Instant) -> Look {
        match self.entries.get(id) {
            None => Look::NotWatched,
            Some(entry) if entry.until <= now => Look::Over,
            Some(entry) => Look::Until(entry.until),
        }
    }

    pub(super) fn take(&mut self, id: &TranscriptId) -> Option<Heard> {
        let entry = self.entries.remove(id)?;
        self.bytes -= entry.bytes;
        Some(Heard {
            complete: entry.whole && entry.ended.is_some(),
            published: entry.published,
            ended: entry.ended,
        })
    }

    /// Messages may have been missed up to now.
    pub(super) fn gap(&mut self, now: Instant) {
        for entry in self.entries.values_mut() {
            // What began and ended before is whole all the same; what has not begun may yet be.
            if now < entry.until {
                entry.whole = false;
            }
        }
    }

    /// Takes a message in, if it is of a watched transcript's run.
    pub(super) fn hear(&mut self, channel: &str, payload: &[u8], now: Instant) {
        let (id, turn) = if let Some(id) = channel.strip_prefix("ts:") {
            let id = TranscriptId::new(id);
            if !self.entries.contains_key(&id) {
                return;
            }
            (id, turn(payload))
        } else if let Some(id) = told_to_owner(payload) {
            (id, Turn::GoesOn)
        } else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if entry.until <= now {
            return;
        }
        if turn == Turn::Begins {
            if entry.ended.is_some() {
                // Another run; this one is over.
                entry.until = now;
                return;
            }
            self.bytes -= entry.clear();
            entry.whole = true;
            entry.too_much = false;
        }
        let bytes = channel.len() + payload.len();
        let fits = !entry.too_much
            && entry.bytes + bytes <= self.limits.bytes_each
            && self.bytes + bytes <= self.limits.bytes_all;
        match std::str::from_utf8(payload) {
            Ok(payload) if fits => {
                entry.published.push(Published {
                    channel: channel.to_owned(),
                    payload: payload.to_owned(),
                });
                entry.bytes += bytes;
                self.bytes += bytes;
            }
            _ => {
                self.bytes -= entry.clear();
                entry.whole = false;
                entry.too_much = true;
            }
        }
        if let Turn::Ends(status) = turn {
            entry.ended = Some(status);
            entry.until = entry.until.min(now + self.limits.grace);
        }
    }
}

impl Entry {
    /// Forgets all messages. Returns how many bytes they took.
    fn clear(&mut self) -> usize {
        self.published = Vec::new();
        std::mem::take(&mut self.bytes)
    }
}

/// What a message on a transcript's own channel means for its run.
fn turn(payload: &[u8]) -> Turn {
    // Most are no status, and some are long: their data is not built.
    let Ok(message) = serde_json::from_slice::<Message<serde::de::IgnoredAny>>(payload) else {
        return Turn::GoesOn;
    };
    if message.event != "STATUS" {
        return Turn::GoesOn;
    }
    match serde_json::from_slice::<Message<StatusData>>(payload) {
        Ok(message) => match message.data.value.as_str() {
            "processing" => Turn::Begins,
            "ended" => Turn::Ends(OutcomeStatus::Ended),
            "error" => Turn::Ends(OutcomeStatus::Error),
            _ => Turn::GoesOn,
        },
        Err(_) => Turn::GoesOn,
    }
}

/// The transcript a message on its owner's channel is about. Only three kinds are the pipeline's;
/// the others tell what people do.
fn told_to_owner(payload: &[u8]) -> Option<TranscriptId> {
    let message: Message<UserData> = serde_json::from_slice(payload).ok()?;
    let of_the_pipeline = [
        "TRANSCRIPT_STATUS",
        "TRANSCRIPT_DURATION",
        "TRANSCRIPT_FINAL_TITLE",
    ];
    of_the_pipeline
        .contains(&message.event.as_str())
        .then_some(message.data.id)
}

#[cfg(test)]
mod tests;
