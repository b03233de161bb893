//! Recordings the legacy pipeline is done with, for replays of history.

use chrono::{DateTime, Utc};

use super::{Reflector, ReflectorError, tables::PAST};
use crate::legacy::field::{Field, FieldError, parse};
use crate::model::{RecordingId, RoomId, TranscriptId};

/// A multitrack recording whose last run ended well.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// Its transcript.
    pub transcript: TranscriptId,
    /// Its recording.
    pub recording: RecordingId,
    /// Its room, if any.
    pub room: Option<RoomId>,
    /// When the transcript's row was made, which is when work began.
    pub created_at: DateTime<Utc>,
    /// Length of the mix in milliseconds.
    pub duration_ms: Option<f64>,
    /// Consent was denied: the tracks are gone, so it cannot be replayed.
    pub audio_deleted: bool,
}

/// Which of them are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhichPast {
    /// Those whose transcript was made at that time or later.
    pub from: DateTime<Utc>,
    /// And before this one.
    pub to: Option<DateTime<Utc>>,
    /// Of this room alone.
    pub room: Option<RoomId>,
}

impl WhichPast {
    /// All whose transcript was made at that time or later.
    pub const fn since(from: DateTime<Utc>) -> Self {
        Self {
            from,
            to: None,
            room: None,
        }
    }
}

impl Reflector {
    /// Ended multitrack recordings, oldest first, at most `limit`. `after` is the last one of the
    /// page before.
    pub async fn past(
        &self,
        which: &WhichPast,
        after: Option<&Past>,
        limit: u32,
    ) -> Result<Vec<Past>, ReflectorError> {
        const SQL: &str = "-- past
            select row_to_json(found)::text from (
                select transcript.id, transcript.recording_id, transcript.room_id,
                    transcript.created_at, transcript.duration, transcript.audio_deleted
                from transcript join recording on recording.id = transcript.recording_id
                where transcript.status = 'ended'
                    and transcript.created_at >= $1::timestamptz
                    and (transcript.created_at, transcript.id) > ($2::timestamptz, $3)
                    and ($5::timestamptz is null or transcript.created_at < $5::timestamptz)
                    and ($6::text is null or transcript.room_id = $6)
                    and json_typeof(recording.track_keys) = 'array'
                    and recording.track_keys::text like '%cam-audio%'
                order by transcript.created_at, transcript.id
                limit $4
            ) found";
        let place = match after {
            Some(past) => (past.created_at.to_rfc3339(), past.transcript.as_str()),
            None => ("-infinity".to_owned(), ""),
        };
        self.read("listing past recordings", async |reading| {
            let query = sqlx::query_scalar(SQL)
                .bind(which.from.to_rfc3339())
                .bind(place.0)
                .bind(place.1)
                .bind(i64::from(limit))
                .bind(which.to.map(|to| to.to_rfc3339()))
                .bind(which.room.as_ref().map(RoomId::as_str));
            let found: Vec<String> = reading.fetch(query).await?;
            let mut past = Vec::with_capacity(found.len());
            for text in &found {
                let row = parse(PAST.name, text)?;
                past.push(read(&Field::root(PAST.name, &row))?);
            }
            Ok(past)
        })
        .await
    }
}

fn read(row: &Field<'_>) -> Result<Past, FieldError> {
    let created_at = row.at("created_at");
    let room = row.at("room_id").text_if_any()?;
    let duration = row.at("duration");
    Ok(Past {
        transcript: row.at("id").text()?.into(),
        recording: row.at("recording_id").text()?.into(),
        room: room.as_deref().map(Into::into),
        created_at: DateTime::parse_from_rfc3339(created_at.text()?)
            .map_err(|_| created_at.should_be("a time"))?
            .to_utc(),
        duration_ms: if duration.is_null() {
            None
        } else {
            Some(duration.number()?)
        },
        audio_deleted: row.at("audio_deleted").value() == &serde_json::Value::Bool(true),
    })
}
