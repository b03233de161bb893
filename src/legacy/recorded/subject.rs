//! What was known before the run: rows as they were, and as the trigger made them.

use super::{RecordedError, Rows, the_one};
use crate::legacy::{field::Field, rows};
use crate::model::{
    CalendarEvent, Consent, RecordingFacts, RoomFacts, Subject, TrackName, TranscriptFacts,
};

/// The recording's row. The trigger makes it and no step ever changes it.
pub(super) fn recording(found: &Rows<'_>) -> Result<RecordingFacts, RecordedError> {
    Ok(rows::recording(&the_one(&found.after.at("recording"))?)?)
}

/// Everything the run was allowed to know.
pub(super) fn read(
    found: &Rows<'_>,
    recording: RecordingFacts,
    ui_base_url: String,
) -> Result<Subject, RecordedError> {
    let row = found.transcript()?;
    let transcript = transcript(found, &row)?;
    let room = match &transcript.room_id {
        Some(id) => Some(room(found, id.as_str())?),
        None => None,
    };
    let (calendar_event, consents) = match row.at("meeting_id").text_if_any()? {
        Some(id) => (calendar_event(found, &id)?, consents(found, &id)?),
        None => (None, Vec::new()),
    };
    Ok(Subject {
        track_keys: TrackName::cam_audio(&recording.track_keys),
        recording,
        transcript,
        room,
        calendar_event,
        consents,
        ui_base_url,
    })
}

/// The row the run found; where the run's trigger made it, without what the run added.
fn transcript(found: &Rows<'_>, after: &Field<'_>) -> Result<TranscriptFacts, RecordedError> {
    let table = found.before.at("transcript");
    if let Some(before) = find(&table, "id", after.at("id").text()?)? {
        return Ok(rows::transcript(&before)?);
    }
    Ok(TranscriptFacts {
        title: None,
        zulip_message_id: None,
        participants: Vec::new(),
        ..rows::transcript(after)?
    })
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

fn room(found: &Rows<'_>, id: &str) -> Result<RoomFacts, RecordedError> {
    let table = found.before.at("room");
    let row = find(&table, "id", id)?
        .ok_or_else(|| table.should_be("a list with the transcript's room"))?;
    Ok(rows::room(&row)?)
}

fn consents(found: &Rows<'_>, meeting_id: &str) -> Result<Vec<Consent>, RecordedError> {
    let mut consents = Vec::new();
    for row in found.before.at("meeting_consent").items()? {
        if row.at("meeting_id").text()? == meeting_id {
            consents.push(rows::consent(&row)?);
        }
    }
    Ok(consents)
}

fn calendar_event(
    found: &Rows<'_>,
    meeting_id: &str,
) -> Result<Option<CalendarEvent>, RecordedError> {
    let Some(meeting) = find(&found.before.at("meeting"), "id", meeting_id)? else {
        return Ok(None);
    };
    let Some(id) = meeting.at("calendar_event_id").text_if_any()? else {
        return Ok(None);
    };
    let table = found.before.at("calendar_event");
    let row = find(&table, "id", &id)?
        .ok_or_else(|| table.should_be("a list with the meeting's calendar event"))?;
    Ok(Some(rows::calendar_event(&row)?))
}
