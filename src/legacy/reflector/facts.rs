//! What is known of a recording when its run begins.

use serde_json::Value;

use super::{
    Reflector, ReflectorError,
    database::Reading,
    tables::{CALENDAR_EVENT, CONSENT, MEETING, RECORDING, ROOM, TRANSCRIPT, Table},
};
use crate::legacy::{
    field::{Field, FieldError},
    rows,
};
use crate::model::{CalendarEvent, Consent, RoomFacts, Subject, TrackName, TranscriptId};

impl Reflector {
    /// Everything a run on that transcript may know, as it is now: to be asked at dispatch, before
    /// either pipeline touches the row. None where there is no such transcript.
    ///
    /// `track_keys` are those the pipeline task was given; without them, those the trigger would
    /// give it. `ui_base_url` is Reflector's `UI_BASE_URL`.
    pub async fn subject(
        &self,
        id: &TranscriptId,
        track_keys: Option<&[String]>,
        ui_base_url: &str,
    ) -> Result<Option<Subject>, ReflectorError> {
        self.read("reading what a run is about", async |reading| {
            let Some(row) = reading.row(&TRANSCRIPT, id.as_str()).await? else {
                return Ok(None);
            };
            let row = Field::root(TRANSCRIPT.name, &row);
            let transcript = rows::transcript(&row)?;

            let recording_row = linked(reading, &RECORDING, &row.at("recording_id")).await?;
            let recording_row =
                recording_row.ok_or_else(|| ReflectorError::NoRecording(id.clone()))?;
            let recording_row = Field::root(RECORDING.name, &recording_row);
            let recording = rows::recording(&recording_row)?;

            Ok(Some(Subject {
                track_keys: match track_keys {
                    Some(given) => given.to_vec(),
                    None => TrackName::cam_audio(&recording.track_keys),
                },
                recording,
                transcript,
                room: room(reading, &row).await?,
                calendar_event: calendar_event(reading, &row).await?,
                consents: consents(reading, &recording_row).await?,
                ui_base_url: ui_base_url.trim_end_matches('/').to_owned(),
            }))
        })
        .await
    }
}

/// The row a field names, if any. Few of Reflector's tables have foreign keys, so a row that is
/// named may be gone; the legacy takes that for no row, and so do we.
async fn linked(
    reading: &mut Reading,
    table: &Table,
    id: &Field<'_>,
) -> Result<Option<Value>, ReflectorError> {
    match id.text_if_any()? {
        Some(id) => reading.row(table, &id).await,
        None => Ok(None),
    }
}

async fn room(
    reading: &mut Reading,
    transcript: &Field<'_>,
) -> Result<Option<RoomFacts>, ReflectorError> {
    let row = linked(reading, &ROOM, &transcript.at("room_id")).await?;
    Ok(mapped(&ROOM, row.as_ref(), rows::room)?)
}

async fn calendar_event(
    reading: &mut Reading,
    transcript: &Field<'_>,
) -> Result<Option<CalendarEvent>, ReflectorError> {
    let Some(meeting) = linked(reading, &MEETING, &transcript.at("meeting_id")).await? else {
        return Ok(None);
    };
    let event = Field::root(MEETING.name, &meeting).at("calendar_event_id");
    let row = linked(reading, &CALENDAR_EVENT, &event).await?;
    Ok(mapped(&CALENDAR_EVENT, row.as_ref(), rows::calendar_event)?)
}

/// The answers of the recording's meeting: its clean-up goes by the recording, not the transcript.
async fn consents(
    reading: &mut Reading,
    recording: &Field<'_>,
) -> Result<Vec<Consent>, ReflectorError> {
    let Some(meeting) = recording.at("meeting_id").text_if_any()? else {
        return Ok(Vec::new());
    };
    let found = reading
        .rows(&CONSENT, "meeting_id", &meeting, "consent_timestamp, id")
        .await?;
    let consent = |row: &Value| Ok(rows::consent(&Field::root(CONSENT.name, row))?);
    found.iter().map(consent).collect()
}

fn mapped<T>(
    table: &Table,
    row: Option<&Value>,
    read: impl FnOnce(&Field<'_>) -> Result<T, FieldError>,
) -> Result<Option<T>, FieldError> {
    row.map(|row| read(&Field::root(table.name, row)))
        .transpose()
}
