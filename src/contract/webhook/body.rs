//! The webhook's body: compact JSON whose keys stand in the legacy's order.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    super::{
        python_json, python_text,
        webvtt::{self, OutOfOrder},
    },
    EVENT,
};
use crate::model::{CalendarEvent, Participant, RoomFacts, Subject, Topic, TranscriptFacts};

/// What the row of a finished transcript says.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Its title: one given before the run stays.
    pub title: Option<&'a str>,
    /// Its short summary.
    pub short_summary: Option<&'a str>,
    /// Its long summary.
    pub long_summary: Option<&'a str>,
    /// Its captions.
    pub webvtt: Option<&'a str>,
    /// Its duration in milliseconds.
    pub duration_ms: f64,
    /// Its topics.
    pub topics: &'a [Topic],
    /// Its participants.
    pub participants: &'a [Participant],
    /// Its status; `ended` whenever the pipeline sends the webhook.
    pub status: &'a str,
}

/// The body could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// A topic's words are not in order.
    #[error("making the captions of a topic for the webhook")]
    Captions(#[from] OutOfOrder),
    /// The transcript has no room, so nobody is to be told.
    #[error("a webhook tells of a room's transcript, and this one has no room")]
    NoRoom,
    /// The attendees of the calendar event cannot be printed.
    #[error("printing the body of the webhook")]
    Print(#[from] serde_json::Error),
}

/// The body of one attempt; `now` is the attempt's own time.
pub fn body(
    event_id: &str,
    now: DateTime<Utc>,
    subject: &Subject,
    row: &Row<'_>,
) -> Result<String, BodyError> {
    let transcript = &subject.transcript;
    let room = subject.room.as_ref().ok_or(BodyError::NoRoom)?;
    let payload = Payload {
        event: EVENT,
        event_id,
        timestamp: python_text::isoformat(now),
        transcript: TranscriptPart::of(transcript, room, row, &subject.ui_base_url)?,
        room: RoomPart {
            id: room.id.as_str(),
            name: &room.name,
        },
        calendar_event: subject
            .calendar_event
            .as_ref()
            .map_or(CalendarPart::None {}, CalendarPart::of),
    };
    Ok(python_json::to_string_compact(&payload)?)
}

#[derive(Serialize)]
struct Payload<'a> {
    event: &'a str,
    event_id: &'a str,
    timestamp: String,
    transcript: TranscriptPart<'a>,
    room: RoomPart<'a>,
    calendar_event: CalendarPart<'a>,
}

#[derive(Serialize)]
struct TranscriptPart<'a> {
    id: &'a str,
    room_id: &'a str,
    created_at: &'a str,
    duration: f64,
    title: Option<&'a str>,
    short_summary: Option<&'a str>,
    long_summary: Option<&'a str>,
    webvtt: Option<&'a str>,
    topics: Vec<TopicPart<'a>>,
    participants: Vec<ParticipantPart<'a>>,
    source_language: &'a str,
    target_language: &'a str,
    status: &'a str,
    frontend_url: String,
}

impl<'a> TranscriptPart<'a> {
    fn of(
        transcript: &'a TranscriptFacts,
        room: &'a RoomFacts,
        row: &Row<'a>,
        ui_base_url: &str,
    ) -> Result<Self, OutOfOrder> {
        Ok(Self {
            id: transcript.id.as_str(),
            room_id: room.id.as_str(),
            created_at: &transcript.created_at,
            duration: row.duration_ms,
            title: row.title,
            short_summary: row.short_summary,
            long_summary: row.long_summary,
            webvtt: row.webvtt,
            topics: row
                .topics
                .iter()
                .map(TopicPart::of)
                .collect::<Result<_, _>>()?,
            participants: row.participants.iter().map(ParticipantPart::of).collect(),
            source_language: &transcript.source_language,
            target_language: &transcript.target_language,
            status: row.status,
            frontend_url: format!("{ui_base_url}/transcripts/{}", transcript.id),
        })
    }
}

#[derive(Serialize)]
struct TopicPart<'a> {
    title: &'a str,
    summary: &'a str,
    timestamp: f64,
    duration: f64,
    webvtt: String,
}

impl<'a> TopicPart<'a> {
    fn of(topic: &'a Topic) -> Result<Self, OutOfOrder> {
        Ok(Self {
            title: &topic.title,
            summary: &topic.summary,
            timestamp: topic.timestamp,
            duration: topic.duration,
            webvtt: webvtt::of_topic(topic)?,
        })
    }
}

#[derive(Serialize)]
struct ParticipantPart<'a> {
    id: &'a str,
    name: &'a str,
    speaker: Option<i64>,
}

impl<'a> ParticipantPart<'a> {
    fn of(participant: &'a Participant) -> Self {
        Self {
            id: &participant.id,
            name: &participant.name,
            speaker: participant.speaker,
        }
    }
}

#[derive(Serialize)]
struct RoomPart<'a> {
    id: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum CalendarPart<'a> {
    None {},
    Some {
        id: &'a str,
        ics_uid: &'a str,
        title: Option<&'a str>,
        start_time: Option<&'a str>,
        end_time: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        location: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        attendees: Option<&'a serde_json::Value>,
    },
}

impl<'a> CalendarPart<'a> {
    fn of(event: &'a CalendarEvent) -> Self {
        Self::Some {
            id: &event.id,
            ics_uid: &event.ics_uid,
            title: event.title.as_deref(),
            start_time: event.start_time.as_deref(),
            end_time: event.end_time.as_deref(),
            description: event.description.as_deref().filter(|text| !text.is_empty()),
            location: event.location.as_deref().filter(|text| !text.is_empty()),
            attendees: event.attendees.as_ref().filter(|value| !is_empty(value)),
        }
    }
}

/// What Python takes for false.
fn is_empty(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_calendar_event_shows_its_optional_parts_only_when_they_say_something() {
        let mut event = CalendarEvent {
            id: "e".to_owned(),
            ics_uid: "u".to_owned(),
            title: None,
            start_time: Some("2025-10-20T10:00:00+00:00".to_owned()),
            end_time: None,
            description: Some(String::new()),
            location: None,
            attendees: Some(json!([])),
        };
        let print = |event: &CalendarEvent| {
            python_json::to_string_compact(&CalendarPart::of(event)).unwrap()
        };
        assert_eq!(
            print(&event),
            r#"{"id":"e","ics_uid":"u","title":null,"start_time":"2025-10-20T10:00:00+00:00","end_time":null}"#
        );
        event.location = Some("Room 1".to_owned());
        event.attendees = Some(json!([{"email": "a@b.example"}]));
        assert!(
            print(&event)
                .ends_with(r#","location":"Room 1","attendees":[{"email":"a@b.example"}]}"#)
        );
        assert_eq!(
            python_json::to_string_compact(&CalendarPart::None {}).unwrap(),
            "{}"
        );
    }
}
