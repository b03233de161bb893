//! Isolation of runs: they read live inputs and write only below a prefix of their own.

use crate::model::{ObjectKey, RunId};

/// The room a run lives in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Isolation {
    prefix: String,
}

impl Isolation {
    /// The room of a shadow run.
    pub fn of(run: &RunId) -> Self {
        Self {
            prefix: format!("shadow/{run}/"),
        }
    }

    /// Where a live run keeps what it makes until it is published, so that one that lost its
    /// recording cannot overwrite what its successor made.
    pub fn of_live(run: &RunId) -> Self {
        Self {
            prefix: format!("runs/{run}/"),
        }
    }

    /// Where a run keeps what a live one would write at `live_key`.
    pub fn key(&self, live_key: &str) -> ObjectKey {
        ObjectKey::new(format!("{}{live_key}", self.prefix))
    }

    /// Whether a key is the run's own to write and delete.
    pub fn owns(&self, key: &ObjectKey) -> bool {
        key.as_str().starts_with(&self.prefix)
    }

    /// The key a live run would have used.
    pub fn live_key<'a>(&self, key: &'a ObjectKey) -> Option<&'a str> {
        key.as_str().strip_prefix(self.prefix.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_owns_nothing_outside_its_own_prefix() {
        let room = Isolation::of(&RunId::new("run_1"));
        let own = room.key("t/audio.mp3");
        assert_eq!(own.as_str(), "shadow/run_1/t/audio.mp3");
        assert_eq!(room.live_key(&own), Some("t/audio.mp3"));
        assert!(room.owns(&own));
        for foreign in ["t/audio.mp3", "shadow/run_10/t/audio.mp3", "shadow/run_1"] {
            assert!(!room.owns(&ObjectKey::new(foreign)), "{foreign}");
        }
    }
}
