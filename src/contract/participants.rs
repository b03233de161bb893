//! Who spoke on which track: Daily's list, matched to the tracks by the participant id in each
//! track's file name. A participant without a track does not appear.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Participant, TrackName};

/// A participant as Daily lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DailyParticipant {
    /// The session id that file names carry.
    pub participant_id: String,
    /// The name shown in the meeting.
    pub user_name: Option<String>,
    /// Reflector's user, where Daily was told one.
    pub user_id: Option<String>,
}

/// What becomes of the participants a transcript already had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rerun {
    /// They come back once the first track is matched, as in the legacy, which writes them back
    /// by mistake: people added by hand survive, people renamed by hand get Daily's name again.
    KeepsParticipants,
    /// They are forgotten.
    StartsEmpty,
}

/// The participants of a transcript.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matched {
    /// As the row holds them.
    pub participants: Vec<Participant>,
    /// Positions, among the camera audio tracks, whose names carry no participant id; nobody is
    /// known to speak there.
    pub unnamed_tracks: Vec<usize>,
}

/// Matches Daily's list to the camera audio tracks among `track_keys`; a track's position among
/// them is its speaker. Later entries of `daily` win, empty names and ids count as absent. Of two
/// tracks with one participant the later one wins, so the earlier has no participant.
///
/// Not to be called when Daily does not know the recording: then there are no participants at all.
/// When only the list of participants is missing, pass an empty one.
pub fn matched(
    daily: &[DailyParticipant],
    track_keys: &[String],
    before: &[Participant],
    rerun: Rerun,
) -> Matched {
    let names = known(daily, |person| person.user_name.as_deref());
    let users = known(daily, |person| person.user_id.as_deref());

    let mut result = Matched::default();
    let camera_keys = track_keys.iter().filter(|key| TrackName::is_cam_audio(key));
    for ((index, key), speaker) in camera_keys.enumerate().zip(0_i64..) {
        let Some(name) = TrackName::parse(key) else {
            result.unnamed_tracks.push(index);
            continue;
        };
        if result.participants.is_empty() && rerun == Rerun::KeepsParticipants {
            result.participants = before.to_vec();
        }
        let id = name.participant_id;
        let participant = Participant {
            speaker: Some(speaker),
            name: names
                .get(id.as_str())
                .map_or_else(|| format!("Speaker {speaker}"), ToString::to_string),
            user_id: users.get(id.as_str()).map(ToString::to_string),
            id,
        };
        let known = result
            .participants
            .iter_mut()
            .find(|known| known.id == participant.id);
        match known {
            Some(known) => *known = participant,
            None => result.participants.push(participant),
        }
    }
    result
}

fn known<'a>(
    daily: &'a [DailyParticipant],
    field: impl Fn(&'a DailyParticipant) -> Option<&'a str>,
) -> HashMap<&'a str, &'a str> {
    daily
        .iter()
        .filter_map(|person| Some((person.participant_id.as_str(), field(person)?)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: &str = "5f1c2d3e-0a1b-4c2d-8e3f-000000000a01";
    const BEN: &str = "5f1c2d3e-0a1b-4c2d-8e3f-000000000b02";

    fn key(id: &str, kind: &str) -> String {
        format!("example/standup/1760954400000-{id}-{kind}-1760954400438")
    }

    fn daily(id: &str, name: Option<&str>, user: Option<&str>) -> DailyParticipant {
        DailyParticipant {
            participant_id: id.to_owned(),
            user_name: name.map(str::to_owned),
            user_id: user.map(str::to_owned),
        }
    }

    fn participant(id: &str, speaker: Option<i64>, name: &str) -> Participant {
        Participant {
            id: id.to_owned(),
            speaker,
            name: name.to_owned(),
            user_id: None,
        }
    }

    #[test]
    fn the_speaker_is_the_position_among_camera_tracks() {
        let keys = [
            key(ANA, "cam-audio"),
            key(ANA, "screen-audio"),
            key(BEN, "cam-audio"),
        ];
        let list = [daily(BEN, Some("Ben"), Some("user-ben"))];
        let result = matched(&list, &keys, &[], Rerun::KeepsParticipants);
        assert_eq!(result.unnamed_tracks, [0; 0]);
        assert_eq!(
            result.participants[0],
            participant(ANA, Some(0), "Speaker 0")
        );
        assert_eq!(result.participants[1].speaker, Some(1));
        assert_eq!(result.participants[1].name, "Ben");
        assert_eq!(result.participants[1].user_id.as_deref(), Some("user-ben"));
    }

    #[test]
    fn later_entries_win_and_empty_ones_never_do() {
        let list = [
            daily(ANA, Some("Old"), None),
            daily(ANA, Some("New"), Some("")),
            daily(ANA, Some(""), None),
        ];
        let result = matched(&list, &[key(ANA, "cam-audio")], &[], Rerun::StartsEmpty);
        assert_eq!(result.participants, [participant(ANA, Some(0), "New")]);
    }

    #[test]
    fn a_track_with_an_odd_name_is_reported_and_keeps_its_number() {
        let keys = ["x/odd-cam-audio-1".to_owned(), key(BEN, "cam-audio")];
        let result = matched(&[], &keys, &[], Rerun::StartsEmpty);
        assert_eq!(result.unnamed_tracks, [0]);
        assert_eq!(
            result.participants,
            [participant(BEN, Some(1), "Speaker 1")]
        );
    }

    #[test]
    fn of_two_tracks_with_one_participant_the_later_wins() {
        let keys = [key(ANA, "cam-audio"), key(ANA, "cam-audio")];
        let result = matched(&[], &keys, &[], Rerun::StartsEmpty);
        assert_eq!(
            result.participants,
            [participant(ANA, Some(1), "Speaker 1")]
        );
    }

    #[test]
    fn a_rerun_brings_back_whom_people_added_and_renames_whom_they_renamed() {
        let before = [
            participant("by-hand", None, "Guest"),
            participant(ANA, Some(0), "Renamed"),
        ];
        let list = [daily(ANA, Some("Ana"), None)];
        let keys = [key(ANA, "cam-audio")];

        let kept = matched(&list, &keys, &before, Rerun::KeepsParticipants);
        let names: Vec<_> = kept.participants.iter().map(|one| &one.name).collect();
        assert_eq!(names, ["Guest", "Ana"]);

        let empty = matched(&list, &keys, &before, Rerun::StartsEmpty);
        assert_eq!(empty.participants, [participant(ANA, Some(0), "Ana")]);
    }

    #[test]
    fn without_any_matched_track_even_a_rerun_ends_empty() {
        let before = [participant(ANA, Some(0), "Ana")];
        let keys = ["odd-cam-audio".to_owned()];
        let result = matched(&[], &keys, &before, Rerun::KeepsParticipants);
        assert!(result.participants.is_empty());
    }
}
