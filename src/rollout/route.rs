//! Who serves a recording, and who runs beside.
//!
//! A bucket is a number that recording or room keep for as long as the migration lasts: a
//! percentage that is raised only adds recordings, and a room's meetings stay with one pipeline.

use sha2::{Digest, Sha256};

use super::{Admission, Owner, Percent, Position};
use crate::model::{EnvironmentName, FlagName, RecordingId, RoomId, Subject};

/// How many buckets there are; each is 0.01 %.
pub const BUCKETS: u16 = 10_000;

/// Who else runs, without being seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Nobody.
    None,
    /// The candidate, in shadow.
    Candidate,
}

impl Beside {
    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Candidate => "candidate",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::None, Self::Candidate]
            .into_iter()
            .find(|beside| beside.as_str() == name)
    }
}

/// What a recording is told apart by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Reflector did not tell, or not in time.
    Unknown,
    /// The transcript is of no recording, so the candidate has nothing to run on.
    NoRecording,
    /// It did.
    Known {
        /// The recording.
        recording: RecordingId,
        /// The room it was made in; without one, cutover goes by the recording.
        room: Option<RoomId>,
    },
}

impl Keys {
    /// Of what Reflector's rows say.
    pub fn of(subject: &Subject) -> Self {
        Self::Known {
            recording: subject.recording.id.clone(),
            room: subject.transcript.room_id.clone(),
        }
    }

    /// The recording, where it is known.
    pub const fn recording(&self) -> Option<&RecordingId> {
        match self {
            Self::Unknown | Self::NoRecording => None,
            Self::Known { recording, .. } => Some(recording),
        }
    }

    /// The room, where there is one and it is known.
    pub const fn room(&self) -> Option<&RoomId> {
        match self {
            Self::Unknown | Self::NoRecording => None,
            Self::Known { room, .. } => room.as_ref(),
        }
    }
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Who serves users.
    pub owner: Owner,
    /// Who runs beside.
    pub beside: Beside,
    /// The bucket it went by; none where none was needed, or known.
    pub bucket: Option<u16>,
    /// Why, for people.
    pub reason: String,
}

/// What is hashed with every key of one migration, for as long as it lasts.
pub fn salt(environment: &EnvironmentName, flag: &FlagName) -> String {
    format!("{flag}:{environment}")
}

/// The bucket of a key, below [`BUCKETS`].
pub fn bucket(salt: &str, key: &str) -> u16 {
    let mut hash = Sha256::new();
    hash.update(salt.as_bytes());
    hash.update([0]);
    hash.update(key.as_bytes());
    let digest = hash.finalize();
    let first = digest.first_chunk().expect("a digest has 32 bytes");
    let number = u64::from_be_bytes(*first) % u64::from(BUCKETS);
    u16::try_from(number).expect("it is below 10000")
}

/// Routes one recording. Where it is not known what to go by, the control serves alone.
pub fn route(position: Position, salt: &str, keys: &Keys) -> Route {
    let phase = position.phase();
    let alone = |why: &str| Route {
        owner: Owner::Control,
        beside: Beside::None,
        bucket: None,
        reason: format!("phase {phase}: {why}"),
    };
    match (position, keys) {
        (Position::Infrastructure | Position::Parallel, _) => alone("the control serves alone"),
        (_, Keys::NoRecording) => alone("the transcript is of no recording"),
        (Position::Shadow(_) | Position::Cutover(_), Keys::Unknown) => {
            alone("Reflector did not tell the recording in time")
        }
        (Position::Shadow(percent), Keys::Known { recording, .. }) => {
            let by = Bucketed::new(salt, "recording", recording.as_str(), percent);
            Route {
                owner: Owner::Control,
                beside: if by.is_in {
                    Beside::Candidate
                } else {
                    Beside::None
                },
                bucket: Some(by.bucket),
                reason: format!("phase {phase}: {}", by.reason),
            }
        }
        (Position::Cutover(percent), Keys::Known { recording, room }) => {
            let by = match room {
                Some(room) => Bucketed::new(salt, "room", room.as_str(), percent),
                None => Bucketed::new(salt, "recording", recording.as_str(), percent),
            };
            let (owner, beside) = if by.is_in {
                (Owner::Candidate, Beside::None)
            } else {
                (Owner::Control, Beside::Candidate)
            };
            Route {
                owner,
                beside,
                bucket: Some(by.bucket),
                reason: format!("phase {phase}: {}", by.reason),
            }
        }
        (
            Position::Soak | Position::Draining | Position::Archived | Position::Removed,
            Keys::Unknown | Keys::Known { .. },
        ) => Route {
            owner: Owner::Candidate,
            beside: Beside::None,
            bucket: None,
            reason: format!("phase {phase}: the candidate serves alone"),
        },
    }
}

/// What becomes of a route under what Conductor may be given. `others` is how many recordings it is
/// serving already.
pub fn admitted(
    route: Route,
    admission: &Admission,
    others: i64,
    salt: &str,
    keys: &Keys,
) -> Route {
    let (is_in, why) = match admission {
        Admission::All => return route,
        Admission::None(why) => (false, why.clone()),
        Admission::OneAtATime if route.owner == Owner::Control => (
            false,
            "the breaker is half open: nothing runs beside".to_owned(),
        ),
        Admission::OneAtATime if others > 0 => (
            false,
            "the breaker is half open: Conductor is at another recording".to_owned(),
        ),
        Admission::OneAtATime => (
            true,
            "the breaker is half open: one recording at a time".to_owned(),
        ),
        Admission::Percent(percent) => {
            let salt = format!("{salt}:recovery");
            let by = match keys {
                Keys::Known {
                    room: Some(room), ..
                } => Bucketed::new(&salt, "room", room.as_str(), *percent),
                Keys::Known { recording, .. } => {
                    Bucketed::new(&salt, "recording", recording.as_str(), *percent)
                }
                Keys::Unknown | Keys::NoRecording => Bucketed {
                    bucket: BUCKETS,
                    is_in: *percent == Percent::ALL,
                    reason: format!("what is not known is in {} % alone", Percent::ALL),
                },
            };
            (
                by.is_in,
                format!("the breaker is recovering: {}", by.reason),
            )
        }
    };
    match (route.owner, route.beside) {
        (Owner::Control, Beside::None) => route,
        (Owner::Candidate, _) if is_in => Route {
            reason: format!("{}; {why}", route.reason),
            ..route
        },
        (Owner::Control, Beside::Candidate) if is_in => route,
        (Owner::Candidate, _) => Route {
            owner: Owner::Control,
            beside: Beside::None,
            reason: format!("{}; the control serves, since {why}", route.reason),
            ..route
        },
        (Owner::Control, Beside::Candidate) => Route {
            beside: Beside::None,
            reason: format!("{}; shed, since {why}", route.reason),
            ..route
        },
    }
}

/// Where a key falls.
struct Bucketed {
    bucket: u16,
    is_in: bool,
    reason: String,
}

impl Bucketed {
    fn new(salt: &str, what: &str, key: &str, percent: Percent) -> Self {
        let bucket = bucket(salt, key);
        let is_in = bucket < percent.hundredths();
        let word = if is_in { "in" } else { "outside" };
        Self {
            bucket,
            is_in,
            reason: format!("bucket {bucket} of the {what} is {word} {percent} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "daily_diarization_pipeline:production";

    fn keys() -> Keys {
        Keys::Known {
            recording: "recording".into(),
            room: Some("room".into()),
        }
    }

    fn hundredths(hundredths: u16) -> Percent {
        Percent::from_hundredths(hundredths).unwrap()
    }

    #[test]
    fn each_phase_routes_as_the_design_says() {
        use Beside::{Candidate as Shadowed, None as Alone};
        use Owner::{Candidate, Control};
        use Position::{
            Archived, Cutover, Draining, Infrastructure, Parallel, Removed, Shadow, Soak,
        };
        let recording = bucket(SALT, "recording");
        let room = bucket(SALT, "room");
        let at = |number| hundredths(number);
        for (position, owner, beside, by) in [
            (Infrastructure, Control, Alone, None),
            (Parallel, Control, Alone, None),
            (Shadow(at(0)), Control, Alone, Some(recording)),
            (Shadow(at(recording)), Control, Alone, Some(recording)),
            (
                Shadow(at(recording + 1)),
                Control,
                Shadowed,
                Some(recording),
            ),
            (Shadow(at(10_000)), Control, Shadowed, Some(recording)),
            (Cutover(at(0)), Control, Shadowed, Some(room)),
            (Cutover(at(room)), Control, Shadowed, Some(room)),
            (Cutover(at(room + 1)), Candidate, Alone, Some(room)),
            (Cutover(at(10_000)), Candidate, Alone, Some(room)),
            (Soak, Candidate, Alone, None),
            (Draining, Candidate, Alone, None),
            (Archived, Candidate, Alone, None),
            (Removed, Candidate, Alone, None),
        ] {
            let found = route(position, SALT, &keys());
            assert_eq!(
                (found.owner, found.beside, found.bucket),
                (owner, beside, by),
                "{position}"
            );
            let phase = position.phase();
            assert!(found.reason.starts_with(&format!("phase {phase}: ")));
        }
    }

    #[test]
    fn what_is_not_known_is_served_by_the_control_alone() {
        for (position, keys) in [
            (Position::Shadow(Percent::ALL), Keys::Unknown),
            (Position::Cutover(Percent::ALL), Keys::Unknown),
            (Position::Shadow(Percent::ALL), Keys::NoRecording),
            (Position::Cutover(Percent::ALL), Keys::NoRecording),
            (Position::Draining, Keys::NoRecording),
        ] {
            let found = route(position, SALT, &keys);
            let served = (found.owner, found.beside);
            assert_eq!(
                served,
                (Owner::Control, Beside::None),
                "{position} {keys:?}"
            );
        }
    }

    #[test]
    fn in_cleanup_the_candidate_serves_what_reflector_tells_later() {
        let found = route(Position::Draining, SALT, &Keys::Unknown);
        assert_eq!(found.owner, Owner::Candidate);
    }

    #[test]
    fn without_a_room_cutover_goes_by_the_recording() {
        let keys = Keys::Known {
            recording: "recording".into(),
            room: None,
        };
        let found = route(Position::Cutover(Percent::ALL), SALT, &keys);
        assert_eq!(found.bucket, Some(bucket(SALT, "recording")));
    }

    /// Computed with Python:
    /// `int.from_bytes(sha256(salt + b"\0" + key).digest()[:8], "big") % 10000`.
    #[test]
    fn buckets_are_what_they_have_always_been() {
        for (salt, key, golden) in GOLDEN {
            assert_eq!(bucket(salt, key), golden, "{salt} {key}");
        }
    }

    #[test]
    fn a_raised_percentage_takes_nobody_away() {
        for number in 0..500 {
            let keys = Keys::Known {
                recording: RecordingId::new(format!("r{number}")),
                room: None,
            };
            let mut was_beside = false;
            for percent in [0, 1, 100, 1000, 5000, 10_000] {
                let found = route(Position::Shadow(hundredths(percent)), SALT, &keys);
                let is_beside = found.beside == Beside::Candidate;
                assert!(is_beside || !was_beside);
                was_beside = is_beside;
            }
            assert!(was_beside);
        }
    }

    const GOLDEN: [(&str, &str, u16); 6] = [
        ("daily_diarization_pipeline:production", "recording", 7690),
        ("daily_diarization_pipeline:production", "room", 2713),
        ("daily_diarization_pipeline:staging", "recording", 8937),
        (
            "daily_diarization_pipeline:staging",
            "0b5a4a9e-1d42-4d1a-9b3a-1f6c2f6f3f11",
            7257,
        ),
        ("a:b", "", 447),
        ("a:b", "Zürich", 1947),
    ];
}
