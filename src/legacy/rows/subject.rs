//! Rows that are known when a run begins.

use crate::legacy::field::{Field, FieldError};
use crate::model::{
    CalendarEvent, Consent, Participant, RecordingFacts, RoomFacts, TranscriptFacts,
};

/// A row of `recording`.
pub(in crate::legacy) fn recording(row: &Field<'_>) -> Result<RecordingFacts, FieldError> {
    Ok(RecordingFacts {
        id: row.at("id").text()?.into(),
        bucket_name: row.at("bucket_name").text()?.to_owned(),
        object_key: row.at("object_key").text()?.to_owned(),
        track_keys: row.at("track_keys").texts()?,
    })
}

/// A row of `transcript` as it is.
pub(in crate::legacy) fn transcript(row: &Field<'_>) -> Result<TranscriptFacts, FieldError> {
    let zulip_message_id = row.at("zulip_message_id");
    Ok(TranscriptFacts {
        id: row.at("id").text()?.into(),
        created_at: as_python_prints(row.at("created_at").text()?),
        user_id: row.at("user_id").text_if_any()?,
        room_id: row.at("room_id").text_if_any()?.as_deref().map(Into::into),
        source_kind: row.at("source_kind").text()?.to_owned(),
        source_language: row.at("source_language").text()?.to_owned(),
        target_language: row.at("target_language").text()?.to_owned(),
        title: row.at("title").text_if_any()?,
        zulip_message_id: if zulip_message_id.is_null() {
            None
        } else {
            Some(zulip_message_id.integer()?)
        },
        participants: participants(row)?,
    })
}

/// The participants in a row of `transcript`.
pub(in crate::legacy) fn participants(row: &Field<'_>) -> Result<Vec<Participant>, FieldError> {
    row.at("participants")
        .items_if_any()?
        .iter()
        .map(|item| item.object("a participant with id, speaker, name and user_id"))
        .collect()
}

/// A row of `room`.
pub(in crate::legacy) fn room(row: &Field<'_>) -> Result<RoomFacts, FieldError> {
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

/// A row of `meeting_consent`.
pub(in crate::legacy) fn consent(row: &Field<'_>) -> Result<Consent, FieldError> {
    Ok(Consent {
        user_id: row.at("user_id").text_if_any()?,
        consent_given: row.at("consent_given").flag()?,
    })
}

/// A row of `calendar_event`.
pub(in crate::legacy) fn calendar_event(row: &Field<'_>) -> Result<CalendarEvent, FieldError> {
    let time = |name: &str| -> Result<Option<String>, FieldError> {
        let text = row.at(name).text_if_any()?;
        Ok(text.as_deref().map(as_python_prints))
    };
    Ok(CalendarEvent {
        id: row.at("id").text()?.to_owned(),
        ics_uid: row.at("ics_uid").text()?.to_owned(),
        title: row.at("title").text_if_any()?,
        start_time: time("start_time")?,
        end_time: time("end_time")?,
        description: row.at("description").text_if_any()?,
        location: row.at("location").text_if_any()?,
        attendees: Some(row.at("attendees").value().clone()).filter(|value| !value.is_null()),
    })
}

/// An ISO-8601 time with its fraction, if any, in six digits: PostgreSQL drops zeros at its end,
/// Python does not.
fn as_python_prints(time: &str) -> String {
    let Some((seconds, rest)) = time.split_once('.') else {
        return time.to_owned();
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, offset) = rest.split_at(digits);
    format!("{seconds}.{fraction:0<6}{offset}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_keeps_six_digits_of_a_fraction_and_none_of_no_fraction() {
        for (read, printed) in [
            (
                "2026-11-23T07:25:54.540832+00:00",
                "2026-11-23T07:25:54.540832+00:00",
            ),
            (
                "2026-11-23T07:25:54.54+00:00",
                "2026-11-23T07:25:54.540000+00:00",
            ),
            ("2026-11-23T07:25:54+00:00", "2026-11-23T07:25:54+00:00"),
            ("2026-11-23T07:25:54.5", "2026-11-23T07:25:54.500000"),
            ("infinity", "infinity"),
        ] {
            assert_eq!(as_python_prints(read), printed);
        }
    }
}
