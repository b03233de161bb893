//! Who owns a recording, and the proof a visible effect asks for.

use crate::model::{RecordingId, RunId};

/// Which pipeline serves a recording's users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The legacy pipeline.
    Control,
    /// A run of ours.
    Candidate,
}

impl Owner {
    /// The name in SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Candidate => "candidate",
        }
    }

    /// Reads the name in SQL.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Control, Self::Candidate]
            .into_iter()
            .find(|owner| owner.as_str() == name)
    }
}

/// Who owns one recording now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// The recording.
    pub recording_id: RecordingId,
    /// Which pipeline.
    pub owner: Owner,
    /// The run, where it is ours.
    pub run_id: Option<RunId>,
    /// Counts takeovers: what an earlier epoch's owner still wants to do is refused.
    pub epoch: i64,
}

/// Proof that a run owned its recording when it was looked up. Whatever others can see asks for
/// one, and nothing but an ownership makes one, so that shadow code cannot call it.
///
/// It says nothing of this very moment: the ledger asks again, in the transaction that reserves
/// the effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    run: RunId,
    epoch: i64,
}

impl Live {
    /// The proof, if that run is the owner.
    pub fn of(ownership: &Ownership, run: &RunId) -> Option<Self> {
        let owns = ownership.owner == Owner::Candidate && ownership.run_id.as_ref() == Some(run);
        owns.then(|| Self {
            run: run.clone(),
            epoch: ownership.epoch,
        })
    }

    /// The run.
    pub const fn run(&self) -> &RunId {
        &self.run
    }

    /// The epoch it owns its recording in.
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ownership(owner: Owner, run: Option<&str>) -> Ownership {
        Ownership {
            recording_id: "r".into(),
            owner,
            run_id: run.map(RunId::new),
            epoch: 3,
        }
    }

    #[test]
    fn only_the_owning_run_gets_a_proof() {
        let mine = RunId::new("run_1");
        let live = Live::of(&ownership(Owner::Candidate, Some("run_1")), &mine);
        assert_eq!(live.map(|live| live.epoch()), Some(3));
        for other in [
            ownership(Owner::Candidate, Some("run_2")),
            ownership(Owner::Candidate, None),
            ownership(Owner::Control, Some("run_1")),
            ownership(Owner::Control, None),
        ] {
            assert_eq!(Live::of(&other, &mine), None, "{other:?}");
        }
    }
}
