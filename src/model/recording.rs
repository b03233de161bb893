//! What a run is about: the facts of recording, transcript, room and consent that Reflector knew
//! when the run began.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{RecordingId, RoomId, TranscriptId};

/// Everything a run may read of Reflector's rows, taken once at dispatch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// The recording's row.
    pub recording: RecordingFacts,
    /// The transcript's row as it was before either pipeline touched it.
    pub transcript: TranscriptFacts,
    /// The room's row; none for uploads.
    pub room: Option<RoomFacts>,
    /// The meeting's calendar event, if any.
    pub calendar_event: Option<CalendarEvent>,
    /// All consent answers of the meeting.
    pub consents: Vec<Consent>,
    /// The tracks the pipeline task was asked to process, in its order. Not the recording's own
    /// list, which also has screen audio.
    pub track_keys: Vec<String>,
    /// Reflector's `UI_BASE_URL`, which messages link to; no slash at the end.
    pub ui_base_url: String,
}

impl Subject {
    /// The same without names, titles, addresses and secrets of anybody: ids and keys stay.
    #[must_use]
    pub fn without_people(mut self) -> Self {
        let transcript = &mut self.transcript;
        transcript.user_id = None;
        transcript.title = None;
        transcript.participants.clear();
        if let Some(room) = &mut self.room {
            room.name.clear();
            room.zulip_stream = None;
            room.zulip_topic = None;
            room.webhook_url = None;
            room.webhook_secret = None;
        }
        self.calendar_event = None;
        for consent in &mut self.consents {
            consent.user_id = None;
        }
        self
    }
}

/// A row of `recording`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordingFacts {
    /// Daily's id.
    pub id: RecordingId,
    /// The bucket the raw tracks lie in.
    pub bucket_name: String,
    /// For Daily a folder, not an object.
    pub object_key: String,
    /// Every audio track, screen audio included; consent deletes these.
    pub track_keys: Vec<String>,
}

/// A row of `transcript`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TranscriptFacts {
    /// The row's id.
    pub id: TranscriptId,
    /// ISO-8601 with microseconds and offset, exactly as Python prints it.
    pub created_at: String,
    /// The owner, whose channel gets the `TRANSCRIPT_…` messages.
    pub user_id: Option<String>,
    /// The room it was recorded in.
    pub room_id: Option<RoomId>,
    /// `room`, `live` or `file`; only `room` calls the webhook.
    pub source_kind: String,
    /// The spoken language, e.g. `en`.
    pub source_language: String,
    /// The language of translations.
    pub target_language: String,
    /// A title somebody already gave it; it is kept.
    pub title: Option<String>,
    /// The Zulip message a run before this one posted.
    pub zulip_message_id: Option<i64>,
    /// The participants a run before this one left.
    #[serde(default)]
    pub participants: Vec<super::Participant>,
}

/// A row of `room`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoomFacts {
    /// The row's id.
    pub id: RoomId,
    /// The room's name.
    pub name: String,
    /// Whether a transcript is posted to Zulip.
    pub zulip_auto_post: bool,
    /// Zulip stream.
    pub zulip_stream: Option<String>,
    /// Zulip topic.
    pub zulip_topic: Option<String>,
    /// The customer's URL; empty and absent mean the same.
    pub webhook_url: Option<String>,
    /// Signs the webhook; empty and absent mean the same.
    pub webhook_secret: Option<String>,
}

/// A row of `calendar_event` as the webhook shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalendarEvent {
    /// The row's id.
    pub id: String,
    /// The id in the calendar.
    pub ics_uid: String,
    /// Title, if any.
    pub title: Option<String>,
    /// ISO-8601.
    pub start_time: Option<String>,
    /// ISO-8601.
    pub end_time: Option<String>,
    /// Shown when not empty.
    pub description: Option<String>,
    /// Shown when not empty.
    pub location: Option<String>,
    /// Shown when not empty.
    pub attendees: Option<serde_json::Value>,
}

/// A row of `meeting_consent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Consent {
    /// Who answered; none for guests.
    pub user_id: Option<String>,
    /// One `false` is enough to delete the audio.
    pub consent_given: bool,
}

/// What the file name of a Daily track says:
/// `{recording start, ms}-{participant id}-cam-audio-{track start, ms}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackName {
    /// Milliseconds since the epoch.
    pub recording_start_ms: u64,
    /// 36 hex digits and dashes.
    pub participant_id: String,
    /// Milliseconds since the epoch.
    pub track_start_ms: u64,
}

impl TrackName {
    /// Finds the pattern anywhere in the key's last path segment, as the legacy does.
    pub fn parse(key: &str) -> Option<Self> {
        const MARK: &str = "-cam-audio-";
        let name = key.rsplit('/').next().unwrap_or(key);
        name.match_indices(MARK)
            .find_map(|(at, _)| Self::around(&name[..at], &name[at + MARK.len()..]))
    }

    fn around(before: &str, after: &str) -> Option<Self> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let trailing = |text: &str| text.bytes().rev().take_while(u8::is_ascii_digit).count();

        let after_len = digits(after);
        let id_at = before.len().checked_sub(36)?;
        if !before.is_char_boundary(id_at) {
            return None;
        }
        let (head, participant_id) = before.split_at(id_at);
        let head = head.strip_suffix('-')?;
        let start_len = trailing(head);
        let id_ok = participant_id
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if after_len < 13 || start_len < 13 || !id_ok {
            return None;
        }
        Some(Self {
            recording_start_ms: head[head.len() - start_len..].parse().ok()?,
            participant_id: participant_id.to_owned(),
            track_start_ms: after[..after_len].parse().ok()?,
        })
    }

    /// Whether a key names a camera audio track: the substring anywhere in the key.
    pub fn is_cam_audio(key: &str) -> bool {
        key.contains("cam-audio")
    }

    /// The camera audio tracks among a recording's, which are what the pipeline task is given.
    pub fn cam_audio(keys: &[String]) -> Vec<String> {
        let cam_audio = keys.iter().filter(|key| Self::is_cam_audio(key));
        cam_audio.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_name_is_read_as_the_legacy_reads_it() {
        let name = TrackName::parse(
            "x/1763152299562-12f0b87c-97d4-4dd3-a65c-cee1f854a79c-cam-audio-1763152314582",
        )
        .expect("it fits");
        assert_eq!(name.recording_start_ms, 1_763_152_299_562);
        assert_eq!(name.participant_id, "12f0b87c-97d4-4dd3-a65c-cee1f854a79c");
        assert_eq!(name.track_start_ms, 1_763_152_314_582);
    }

    #[test]
    fn other_names_are_no_track_names() {
        for name in [
            "",
            "invalid-filename",
            "123-not-a-uuid-cam-audio-456",
            "1763152299562-12f0b87c-97d4-4dd3-a65c-cee1f854a79c-screen-audio-1763152314582",
            "é-cam-audio-1763152314582",
        ] {
            assert_eq!(TrackName::parse(name), None, "{name}");
        }
    }
}
