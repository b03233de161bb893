//! How often somebody may try something that should seldom be tried.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// At once.
    pub at_once: u32,
    /// After that, one each.
    pub every: TimeDelta,
}

/// More whose count is kept are not: the oldest are forgotten.
const MOST: usize = 10_000;

/// Counts who tried how often.
#[derive(Debug)]
pub struct Meter {
    pace: Pace,
    /// When each would have all its tries back.
    whole_at: HashMap<String, DateTime<Utc>>,
}

impl Meter {
    /// One that nobody has tried yet.
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            whole_at: HashMap::new(),
        }
    }

    /// How long `who` has to wait for another try, without trying.
    pub fn wait(&self, who: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
        let whole_at = *self.whole_at.get(who)?;
        let used = whole_at + self.pace.every - now;
        let most = self.pace.every * i32::try_from(self.pace.at_once).unwrap_or(i32::MAX);
        (used > most).then(|| used - most)
    }

    /// One more try of `who`, or how long they have to wait for it.
    pub fn take(&mut self, who: &str, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        if let Some(wait) = self.wait(who, now) {
            return Err(wait);
        }
        if self.whole_at.len() >= MOST && !self.whole_at.contains_key(who) {
            self.forget(now);
        }
        let whole_at = self.whole_at.entry(who.to_owned()).or_insert(now);
        *whole_at = now.max(*whole_at) + self.pace.every;
        Ok(())
    }

    /// Forgets those who have all their tries back, or else the one that will have them first.
    fn forget(&mut self, now: DateTime<Utc>) {
        self.whole_at.retain(|_, whole_at| *whole_at > now);
        if self.whole_at.len() >= MOST {
            let first = self.whole_at.iter().min_by_key(|(_, whole_at)| **whole_at);
            if let Some(first) = first.map(|(who, _)| who.clone()) {
                self.whole_at.remove(&first);
            }
        }
    }
}
