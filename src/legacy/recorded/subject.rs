//! What was known before the run: rows as they were, and as the trigger made them.

use super::{
    super::field::{Field, RecordedError},
    Rows, the_one,
};
use crate::model::{
    CalendarEvent, Consent, Participant, RecordingFacts, RoomFacts, Subject, TrackName,
    TranscriptFacts,
};

/// The recording's row. The trigger makes it and no step ever changes it.
pub(super) fn recording(rows: &Rows<'_>) -> Result<RecordingFacts, RecordedError> {
    let row = the_one(&rows.after.at("recording"))?;
    Ok(RecordingFacts {
        id: row.at("id").text()?.into(),
        bucket_name: row.at("bucket_name").text()?.to_owned(),
        object_key: row.at("object_key").text()?.to_owned(),
        track_keys: row.at("track_keys").texts()?,
    })
}

/// Everything the run was allowed to know.
pub(super) fn read(
    rows: &Rows<'_>,
    recording: RecordingFacts,
    ui_base_url: String,
) -> Result<Subject, RecordedError> {
    let row = rows.transcript()?;
    let transcript = transcript(rows, &row)?;
    let meeting_id = row.at("meeting_id").text_if_any()?;
    let room = match &transcript.room_id {
        Some(id) => Some(room(rows, id.as_str())?),
        None => None,
    };
    let (calendar_event, consents) = match &meeting_id {
        Some(id) => (calendar_event(rows, id)?, consents(rows, id)?),
        None => (None, Vec::new()),
    };
    let track_keys = recording
        .track_keys
        .iter()
        .filter(|key| TrackName::is_cam_audio(key))
        .cloned()
        .collect();
    Ok(Subject {
        recording,
        transcript,
        room,
        calendar_event,
        consents,
        track_keys,
        ui_base_url,
    })
}

/// A transcript row's participants.
pub(super) fn participants(row: &Field<'_>) -> Result<Vec<Participant>, RecordedError> {
    row.at("participants")
        .items_if_any()?
        .iter()
        .map(|item| item.object("a participant with id, speaker, name and user_id"))
        .collect()
}

fn transcript(rows: &Rows<'_>, after: &Field<'_>) -> Result<TranscriptFacts, RecordedError> {
    let before = row_before(rows, after)?;
    let zulip_message_id = match &before {
        Some(row) if !row.at("zulip_message_id").is_null() => {
            Some(row.at("zulip_message_id").integer()?)
        }
        _ => None,
    };
    let title = match &before {
        Some(row) => row.at("title").text_if_any()?,
        None => None,
    };
    let row = before.as_ref().unwrap_or(after);
    Ok(TranscriptFacts {
        id: row.at("id").text()?.into(),
        created_at: row.at("created_at").text()?.to_owned(),
        user_id: row.at("user_id").text_if_any()?,
        room_id: row.at("room_id").text_if_any()?.as_deref().map(Into::into),
        source_kind: row.at("source_kind").text()?.to_owned(),
        source_language: row.at("source_language").text()?.to_owned(),
        target_language: row.at("target_language").text()?.to_owned(),
        title,
        zulip_message_id,
        // Those before the run; none when the run's trigger made the row.
        participants: match &before {
            Some(row) => participants(row)?,
            None => Vec::new(),
        },
    })
}

fn row_before<'a>(rows: &Rows<'a>, after: &Field<'_>) -> Result<Option<Field<'a>>, RecordedError> {
    find(&rows.before.at("transcript"), "id", after.at("id").text()?)
}

/// The first row of a table whose `column` has the value.
fn find<'a>(
    table: &Field<'a>,
    column: &str,
    value: &str,
) -> Result<Option<Field<'a>>, RecordedError> {
    for row in table.items()? {
        if row.at(column).text()? == value {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

fn room(rows: &Rows<'_>, id: &str) -> Result<RoomFacts, RecordedError> {
    let table = rows.before.at("room");
    let row = find(&table, "id", id)?
        .ok_or_else(|| table.should_be("a list with the transcript's room"))?;
    Ok(RoomFacts {
        id: row.at("id").text()?.into(),
        name: row.at("name").text()?.to_owned(),
        zulip_auto_post: row.at("zulip_auto_post").flag()?,
        zulip_stream: row.at("zulip_stream").text_if_any()?,
        zulip_topic: row.at("zulip_topic").text_if_any()?,
        webhook_url: row.at("webhook_url").text_if_any()?,
        webhook_secret: row.at("webhook_secret").text_if_any()?,
    })
}

fn consents(rows: &Rows<'_>, meeting_id: &str) -> Result<Vec<Consent>, RecordedError> {
    let mut consents = Vec::new();
    for row in rows.before.at("meeting_consent").items()? {
        if row.at("meeting_id").text()? == meeting_id {
            consents.push(Consent {
                user_id: row.at("user_id").text_if_any()?,
                consent_given: row.at("consent_given").flag()?,
            });
        }
    }
    Ok(consents)
}

fn calendar_event(
    rows: &Rows<'_>,
    meeting_id: &str,
) -> Result<Option<CalendarEvent>, RecordedError> {
    let Some(meeting) = find(&rows.before.at("meeting"), "id", meeting_id)? else {
        return Ok(None);
    };
    let Some(id) = meeting.at("calendar_event_id").text_if_any()? else {
        return Ok(None);
    };
    let table = rows.before.at("calendar_event");
    let row = find(&table, "id", &id)?
        .ok_or_else(|| table.should_be("a list with the meeting's calendar event"))?;
    Ok(Some(CalendarEvent {
        ics_uid: row.at("ics_uid").text()?.to_owned(),
        title: row.at("title").text_if_any()?,
        start_time: row.at("start_time").text_if_any()?,
        end_time: row.at("end_time").text_if_any()?,
        description: row.at("description").text_if_any()?,
        location: row.at("location").text_if_any()?,
        attendees: Some(row.at("attendees").value().clone()).filter(|value| !value.is_null()),
        id,
    }))
}
