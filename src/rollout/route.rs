//! Who serves a recording, and who runs beside.
//!
//! A bucket is a number that recording or room keep for as long as the migration lasts: a
//! percentage that is raised only adds recordings, and a room's meetings stay with one pipeline.

use std::fmt::Display;

use sha2::{Digest, Sha256};

use super::{Admission, Owner, Percent, Position, Rules, Says};
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
    Known(Known),
}

/// A recording that Reflector told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The recording.
    pub recording: RecordingId,
    /// The room it was made in; without one, cutover goes by the recording.
    pub room: Option<RoomId>,
    /// Whether the room is known to call no customer's webhook.
    pub without_webhook: bool,
}

impl Keys {
    /// Of what Reflector's rows say.
    pub fn of(subject: &Subject) -> Self {
        let room = subject.room.as_ref();
        let url = room.map(|room| room.webhook_url.as_deref().unwrap_or_default());
        Self::Known(Known {
            recording: subject.recording.id.clone(),
            room: subject.transcript.room_id.clone(),
            without_webhook: url.is_some_and(str::is_empty),
        })
    }

    /// The recording, where it is known.
    pub const fn recording(&self) -> Option<&RecordingId> {
        match self {
            Self::Unknown | Self::NoRecording => None,
            Self::Known(known) => Some(&known.recording),
        }
    }

    /// The room, where there is one and it is known.
    pub const fn room(&self) -> Option<&RoomId> {
        match self {
            Self::Unknown | Self::NoRecording => None,
            Self::Known(known) => known.room.as_ref(),
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
    /// Whether that bucket is inside the percentage.
    pub drawn: Option<bool>,
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

/// Everything a decision depends on but the recording.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// Where the migration stands.
    pub position: Position,
    /// What is hashed with every key, see [`salt`].
    pub salt: &'a str,
    /// What people said of rooms and recordings, and whose turn it is.
    pub rules: &'a Rules,
    /// Why no candidate may run beside today; none while one may.
    pub shed: Option<&'a str>,
}

impl<'a> Situation<'a> {
    /// One without rules, in which shadow runs may use what they like.
    pub const fn plain(position: Position, salt: &'a str) -> Self {
        static NO_RULES: Rules = Rules::NONE;
        Self {
            position,
            salt,
            rules: &NO_RULES,
            shed: None,
        }
    }

    fn reason(&self, why: impl Display) -> String {
        format!("phase {}: {why}", self.position.phase())
    }

    fn alone(&self, why: impl Display) -> Route {
        Route {
            owner: Owner::Control,
            beside: Beside::None,
            bucket: None,
            drawn: None,
            reason: self.reason(why),
        }
    }

    /// The control serves, and the candidate runs beside if it may today.
    fn shadowed(&self, by: Option<&Bucketed>, why: impl Display) -> Route {
        let (beside, reason) = match self.shed {
            None => (Beside::Candidate, self.reason(why)),
            Some(shed) => (Beside::None, format!("{}; {shed}", self.reason(why))),
        };
        Route {
            owner: Owner::Control,
            beside,
            bucket: by.map(|by| by.bucket),
            drawn: by.map(|by| by.is_in),
            reason,
        }
    }

    fn by_candidate(&self, by: Option<&Bucketed>, why: impl Display) -> Route {
        Route {
            owner: Owner::Candidate,
            beside: Beside::None,
            bucket: by.map(|by| by.bucket),
            drawn: by.map(|by| by.is_in),
            reason: self.reason(why),
        }
    }

    /// In shadow: the percentage says beside which recordings the candidate runs.
    fn shadow(&self, percent: Percent, known: &Known) -> Route {
        let recording = &known.recording;
        let said = self.rules.said(recording, known.room.as_ref());
        let pinned = match said.map(|rule| (rule, rule.says)) {
            Some((rule, Says::Exclude)) => return self.alone(rule),
            Some((rule, Says::Candidate)) => format!("; {rule} (the pin waits for cutover)"),
            Some((_, Says::Control)) | None => String::new(),
        };
        if let Some(shed) = self.shed {
            // Nobody is drawn, or those who are not would seem too many.
            return self.alone(format_args!("{shed}{pinned}"));
        }
        let by = Bucketed::new(self.salt, "recording", recording.as_str(), percent);
        Route {
            owner: Owner::Control,
            beside: if by.is_in {
                Beside::Candidate
            } else {
                Beside::None
            },
            bucket: Some(by.bucket),
            drawn: Some(by.is_in),
            reason: self.reason(format_args!("{}{pinned}", by.reason)),
        }
    }

    /// From cutover on: the candidate serves so many rooms of those it reaches; none: all of them.
    fn cutover(&self, percent: Option<Percent>, known: &Known) -> Route {
        let (recording, room) = (&known.recording, known.room.as_ref());
        if let Some(rule) = self.rules.said(recording, room) {
            return match rule.says {
                Says::Exclude => self.alone(rule),
                Says::Control => self.shadowed(None, rule),
                Says::Candidate => self.by_candidate(None, rule),
            };
        }
        let turn = self.rules.turn(room, known.without_webhook);
        if !turn.is_reached {
            let reach = self.rules.reach();
            let why = format_args!(
                "cutover reaches as far as cohort `{reach}`, and the room is of `{}`",
                turn.cohort
            );
            return self.shadowed(None, why);
        }
        let cohort = if self.rules.cohorts.is_empty() {
            String::new()
        } else {
            format!(" of cohort `{}`", turn.cohort)
        };
        let Some(percent) = percent else {
            return if cohort.is_empty() {
                self.by_candidate(None, "the candidate serves alone")
            } else {
                self.by_candidate(None, format_args!("the candidate serves all{cohort}"))
            };
        };
        let by = match room {
            Some(room) => Bucketed::new(self.salt, "room", room.as_str(), percent),
            None => Bucketed::new(self.salt, "recording", recording.as_str(), percent),
        };
        let why = format!("{}{cohort}", by.reason);
        if by.is_in {
            self.by_candidate(Some(&by), why)
        } else {
            self.shadowed(Some(&by), why)
        }
    }
}

/// Routes one recording, by the order that [`rules`](super::rules) states. Where it is not known what to
/// go by, the control serves alone.
pub fn route(situation: &Situation<'_>, keys: &Keys) -> Route {
    match (situation.position, keys) {
        (Position::Infrastructure | Position::Parallel, _) => {
            situation.alone("the control serves alone")
        }
        (_, Keys::NoRecording) => situation.alone("the transcript is of no recording"),
        (Position::Draining | Position::Archived | Position::Removed, _) => {
            situation.by_candidate(None, "the candidate serves alone")
        }
        (Position::Soak, Keys::Unknown) if !situation.rules.keep_any() => {
            situation.by_candidate(None, "the candidate serves alone")
        }
        (Position::Shadow(_) | Position::Cutover(_) | Position::Soak, Keys::Unknown) => {
            situation.alone("Reflector did not tell the recording in time")
        }
        (Position::Shadow(percent), Keys::Known(known)) => situation.shadow(percent, known),
        (Position::Cutover(percent), Keys::Known(known)) => situation.cutover(Some(percent), known),
        (Position::Soak, Keys::Known(known)) => situation.cutover(None, known),
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
                Keys::Known(known) => match &known.room {
                    Some(room) => Bucketed::new(&salt, "room", room.as_str(), *percent),
                    None => Bucketed::new(&salt, "recording", known.recording.as_str(), *percent),
                },
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
    use chrono::DateTime;

    use super::*;
    use crate::rollout::rules::{Change, Signed, Whose};

    const SALT: &str = "daily_diarization_pipeline:production";

    fn keys() -> Keys {
        known("recording", Some("room"), false)
    }

    fn known(recording: &str, room: Option<&str>, without_webhook: bool) -> Keys {
        Keys::Known(Known {
            recording: recording.into(),
            room: room.map(RoomId::new),
            without_webhook,
        })
    }

    fn plainly(position: Position, keys: &Keys) -> Route {
        route(&Situation::plain(position, SALT), keys)
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
            let found = plainly(position, &keys());
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
            let found = plainly(position, &keys);
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
        let found = plainly(Position::Draining, &Keys::Unknown);
        assert_eq!(found.owner, Owner::Candidate);
    }

    #[test]
    fn without_a_room_cutover_goes_by_the_recording() {
        let keys = known("recording", None, false);
        let found = plainly(Position::Cutover(Percent::ALL), &keys);
        assert_eq!(found.bucket, Some(bucket(SALT, "recording")));
    }

    fn signed() -> Signed {
        Signed {
            by: "ana".to_owned(),
            reason: "to see".to_owned(),
            at: DateTime::from_timestamp(1_760_954_400, 0).unwrap(),
        }
    }

    fn saying(whose: Whose, says: Says) -> Rules {
        let key = whose.as_str().to_owned();
        let change = Change::Say { whose, key, says };
        Rules::default().with(&change, &signed()).unwrap()
    }

    #[test]
    fn what_was_said_of_a_room_or_recording_decides_before_any_percentage() {
        use Beside::{Candidate as Shadowed, None as Alone};
        use Owner::{Candidate, Control};
        let (none, all) = (Percent::NONE, Percent::ALL);
        for (position, says, owner, beside, is_drawn) in [
            (Position::Parallel, Says::Candidate, Control, Alone, false),
            (Position::Shadow(all), Says::Exclude, Control, Alone, false),
            (
                Position::Shadow(all),
                Says::Control,
                Control,
                Shadowed,
                true,
            ),
            (
                Position::Shadow(all),
                Says::Candidate,
                Control,
                Shadowed,
                true,
            ),
            (
                Position::Shadow(none),
                Says::Candidate,
                Control,
                Alone,
                true,
            ),
            (Position::Cutover(all), Says::Exclude, Control, Alone, false),
            (
                Position::Cutover(all),
                Says::Control,
                Control,
                Shadowed,
                false,
            ),
            (
                Position::Cutover(none),
                Says::Candidate,
                Candidate,
                Alone,
                false,
            ),
            (Position::Soak, Says::Exclude, Control, Alone, false),
            (Position::Soak, Says::Control, Control, Shadowed, false),
            (Position::Soak, Says::Candidate, Candidate, Alone, false),
            (Position::Draining, Says::Exclude, Candidate, Alone, false),
            (Position::Removed, Says::Control, Candidate, Alone, false),
        ] {
            for whose in [Whose::Room, Whose::Recording] {
                let rules = saying(whose, says);
                let mut situation = Situation::plain(position, SALT);
                situation.rules = &rules;
                let found = route(&situation, &keys());
                assert_eq!(
                    (found.owner, found.beside, found.drawn.is_some()),
                    (owner, beside, is_drawn),
                    "{position}, {whose}: {says:?}"
                );
            }
        }
    }

    #[test]
    fn a_pin_to_the_candidate_is_said_to_wait_until_cutover() {
        let rules = saying(Whose::Room, Says::Candidate);
        let mut situation = Situation::plain(Position::Shadow(Percent::ALL), SALT);
        situation.rules = &rules;
        let waits = route(&situation, &keys()).reason;
        assert!(
            waits.ends_with(
                "; the room is pinned to the candidate by ana: to see (the pin waits for cutover)"
            ),
            "{waits}"
        );
        situation.position = Position::Cutover(Percent::NONE);
        assert_eq!(
            route(&situation, &keys()).reason,
            "phase cutover: the room is pinned to the candidate by ana: to see"
        );
    }

    #[test]
    fn rooms_beyond_the_reach_stay_with_the_control_as_in_shadow() {
        let cohorts = r#"[{ "name": "internal", "rooms": ["room"] },
            { "name": "quiet", "rooms": "without_webhook" }]"#;
        let cohorts = Change::Cohorts(serde_json::from_str(cohorts).unwrap());
        let rules = Rules::default().with(&cohorts, &signed()).unwrap();
        let reach = |name: &str| {
            let reach = Change::Reach(name.to_owned());
            rules.with(&reach, &signed()).unwrap()
        };
        for (reached, served) in [
            ("internal", [true, false, false]),
            ("quiet", [true, true, false]),
            ("all", [true, true, true]),
        ] {
            let rules = reach(reached);
            let rooms = [("room", false), ("other", true), ("another", false)];
            for ((room, without_webhook), is_served) in rooms.into_iter().zip(served) {
                let keys = known("recording", Some(room), without_webhook);
                for position in [Position::Cutover(Percent::ALL), Position::Soak] {
                    let mut situation = Situation::plain(position, SALT);
                    situation.rules = &rules;
                    let found = route(&situation, &keys);
                    let is_candidate = found.owner == Owner::Candidate;
                    assert_eq!(is_candidate, is_served, "{room} {reached} {position}");
                    if !is_served {
                        assert_eq!((found.beside, found.drawn), (Beside::Candidate, None));
                        assert!(
                            found.reason.contains("reaches as far as"),
                            "{}",
                            found.reason
                        );
                    }
                }
            }
        }
        let rules = reach("internal");
        let mut situation = Situation::plain(Position::Soak, SALT);
        situation.rules = &rules;
        let doubtful = route(&situation, &Keys::Unknown);
        assert_eq!(doubtful.owner, Owner::Control, "it may be beyond the reach");
    }

    #[test]
    fn what_is_shed_takes_candidates_from_beside_and_changes_nobody_who_serves() {
        let all = Percent::ALL;
        for position in [
            Position::Shadow(all),
            Position::Cutover(Percent::NONE),
            Position::Cutover(all),
            Position::Soak,
        ] {
            let before = plainly(position, &keys());
            let mut situation = Situation::plain(position, SALT);
            situation.shed = Some("shed: 61 of 60 GPU seconds used today");
            let found = route(&situation, &keys());
            assert_eq!(found.owner, before.owner, "{position}");
            assert_eq!(found.beside, Beside::None, "{position}");
            let is_told = found.reason.contains("shed: 61 of 60");
            assert_eq!(is_told, before.beside == Beside::Candidate, "{position}");
        }
        let mut situation = Situation::plain(Position::Shadow(Percent::NONE), SALT);
        situation.shed = Some("shed");
        assert_eq!(
            route(&situation, &keys()).drawn,
            None,
            "neither those inside count nor those outside"
        );
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
            let keys = known(&format!("r{number}"), None, false);
            let mut was_beside = false;
            for percent in [0, 1, 100, 1000, 5000, 10_000] {
                let found = plainly(Position::Shadow(hundredths(percent)), &keys);
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
