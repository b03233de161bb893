//! The audit chain: who changed what, when and why, each entry holding the hash of the one before.
//! Changing or removing an entry breaks every hash that follows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The hash before the first entry.
pub const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One entry, without its hash.
///
/// The fields are in alphabetical order and hold text and whole numbers alone, so that what serde
/// writes is the canonical form of RFC 8785, which is what is hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// What was done, e.g. `flip`.
    pub action: String,
    /// Who did it.
    pub actor: String,
    /// What it was after, for people.
    pub after: String,
    /// When, in milliseconds since the epoch.
    pub at: i64,
    /// What it was before, for people.
    pub before: String,
    /// Where.
    pub environment: String,
    /// Which migration.
    pub flag: String,
    /// The hash of the entry before.
    pub previous: String,
    /// Why.
    pub reason: String,
    /// 1 for the first entry.
    pub seq: i64,
}

impl Entry {
    /// SHA-256 of the canonical form, in hex.
    pub fn hash(&self) -> String {
        let canonical = serde_json::to_vec(self).expect("text and numbers can be written");
        hex::encode(Sha256::digest(canonical))
    }
}

/// An entry and the hash that is kept with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sealed {
    /// The entry.
    #[serde(flatten)]
    pub entry: Entry,
    /// Its hash as it was when it was written.
    pub hash: String,
}

/// Where a chain is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry is missing before this one, or there is one too many.
    #[error("entry {found} stands where entry {expected} belongs")]
    Sequence {
        /// The number that belongs there.
        expected: i64,
        /// The one that stands there.
        found: i64,
    },
    /// An entry names another predecessor than the one there is.
    #[error("entry {0} does not follow from the entry before it")]
    Predecessor(i64),
    /// An entry is not what it was when it was written.
    #[error("entry {0} was changed after it was written")]
    Content(i64),
    /// Entries at the end are missing.
    #[error("the chain ends at entry {found}, and entry {expected} was written")]
    End {
        /// The newest entry that was written.
        expected: i64,
        /// The newest there is.
        found: i64,
    },
}

/// What has been read of a chain so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    seq: i64,
    hash: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            seq: 0,
            hash: BEGINNING.to_owned(),
        }
    }
}

impl Chain {
    /// A chain whose newest entry has this number and this hash.
    pub const fn at(seq: i64, hash: String) -> Self {
        Self { seq, hash }
    }

    /// The chain as it was before an entry, by what the entry says of that. An export may begin
    /// anywhere; that nothing is missing before it, it cannot show.
    pub fn before(sealed: &Sealed) -> Self {
        Self::at(sealed.entry.seq - 1, sealed.entry.previous.clone())
    }

    /// Adds an entry: gives it its number, its predecessor and its hash.
    pub fn seal(&mut self, mut entry: Entry) -> Sealed {
        entry.seq = self.seq + 1;
        entry.previous.clone_from(&self.hash);
        let hash = entry.hash();
        (self.seq, self.hash) = (entry.seq, hash.clone());
        Sealed { entry, hash }
    }

    /// Takes the next entry of a chain that was kept, if it follows from what was read.
    pub fn check(&mut self, sealed: &Sealed) -> Result<(), Broken> {
        let entry = &sealed.entry;
        if entry.seq != self.seq + 1 {
            return Err(Broken::Sequence {
                expected: self.seq + 1,
                found: entry.seq,
            });
        }
        if entry.previous != self.hash {
            return Err(Broken::Predecessor(entry.seq));
        }
        if entry.hash() != sealed.hash {
            return Err(Broken::Content(entry.seq));
        }
        (self.seq, self.hash) = (entry.seq, sealed.hash.clone());
        Ok(())
    }

    /// Says whether this is all that was written: `head` is the newest number and hash kept apart.
    pub fn ends_at(&self, seq: i64, hash: &str) -> Result<(), Broken> {
        if self.seq != seq {
            return Err(Broken::End {
                expected: seq,
                found: self.seq,
            });
        }
        if self.hash == hash {
            Ok(())
        } else {
            Err(Broken::Content(seq))
        }
    }

    /// How many entries were read.
    pub const fn len(&self) -> i64 {
        self.seq
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.seq == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(action: &str) -> Entry {
        Entry {
            action: action.to_owned(),
            actor: "ana".to_owned(),
            after: "shadow 10 %".to_owned(),
            at: 1_760_954_400_000,
            before: "parallel".to_owned(),
            environment: "staging".to_owned(),
            flag: "f".to_owned(),
            previous: String::new(),
            reason: "naïve \"☕\"\n".to_owned(),
            seq: 0,
        }
    }

    fn chain() -> Vec<Sealed> {
        let mut chain = Chain::default();
        ["flip", "hold", "release"]
            .map(|action| chain.seal(entry(action)))
            .into()
    }

    fn read(sealed: &[Sealed]) -> Result<Chain, Broken> {
        let mut chain = Chain::default();
        for entry in sealed {
            chain.check(entry)?;
        }
        Ok(chain)
    }

    #[test]
    fn a_chain_reads_as_it_was_written() {
        let written = chain();
        let read = read(&written).expect("it is whole");
        let last = &written[2];
        assert_eq!(read.ends_at(3, &last.hash), Ok(()));
    }

    #[test]
    fn whatever_is_changed_or_taken_away_is_noticed() {
        let written = chain();
        let mut changed = written.clone();
        changed[1].entry.reason = "another".to_owned();
        assert_eq!(read(&changed), Err(Broken::Content(2)));
        // Even with a hash that fits.
        changed[1].hash = changed[1].entry.hash();
        assert_eq!(read(&changed), Err(Broken::Predecessor(3)));

        let mut missing = written.clone();
        missing.remove(1);
        let gap = Broken::Sequence {
            expected: 2,
            found: 3,
        };
        assert_eq!(read(&missing), Err(gap));
        let cut = read(&written[..2]).expect("what is there is whole");
        let end = Broken::End {
            expected: 3,
            found: 2,
        };
        assert_eq!(cut.ends_at(3, &written[2].hash), Err(end));
    }

    #[test]
    fn a_chain_may_be_read_from_anywhere() {
        let written = chain();
        let mut chain = Chain::before(&written[1]);
        for sealed in &written[1..] {
            chain.check(sealed).expect("it follows");
        }
        assert_eq!(chain.len(), 3);
        let mut chain = Chain::before(&written[0]);
        chain.check(&written[0]).expect("it is the first");
        let mut forged = written[2].clone();
        forged.entry.actor = "bo".to_owned();
        let mut chain = Chain::before(&forged);
        assert_eq!(chain.check(&forged), Err(Broken::Content(3)));
    }

    /// Computed with Python: `hashlib.sha256(json.dumps(…, sort_keys=True, separators=(",", ":"),
    /// ensure_ascii=False).encode())`, which is RFC 8785 where there are no fractions.
    #[test]
    fn the_hash_is_of_the_canonical_form() {
        let mut entry = entry("flip");
        entry.seq = 1;
        entry.previous = BEGINNING.to_owned();
        let golden = "cbd3b0462ddb1f52f8d0e12e684a9e61ac9d897ded9dfdccf2ae07f213658859";
        assert_eq!(entry.hash(), golden);
    }
}
