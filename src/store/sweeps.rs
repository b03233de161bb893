//! Runs whose own objects may have to go, because people took the meeting's sound back.

use anyhow::Context;
use chrono::{DateTime, Duration, Utc};
use sqlx::{Row, any::AnyRow};

use super::{Store, millis};
use crate::model::{EnvironmentName, RecordingId, RunId, Subject, TranscriptId};

/// What the sources of controls begin with that were read from Reflector's own database.
const READ_FROM_REFLECTOR: &str = "Reflector's rows";

/// A run that has ended, and that nothing was deleted of since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unswept {
    /// Its id.
    pub run_id: RunId,
    /// The transcript.
    pub transcript_id: TranscriptId,
    /// The recording.
    pub recording_id: RecordingId,
    /// When the transcript's row was made, as it prints it.
    pub transcript_created_at: String,
    /// Whether it was a live run: the two kinds keep their objects in different places.
    pub is_live: bool,
    /// Whether Reflector had rows of the recording when the run began. Those of a recorded control
    /// are in a folder, and their absence says nothing.
    pub is_known_to_reflector: bool,
}

impl Unswept {
    fn read(row: &AnyRow) -> anyhow::Result<Self> {
        let subject: String = row.try_get("subject")?;
        let subject: Subject = serde_json::from_str(&subject).context("reading a run's subject")?;
        let is_live = row.try_get::<Option<i64>, _>("epoch")?.is_some();
        let source: Option<String> = row.try_get("source")?;
        let is_of_rows = source.is_none_or(|source| source.starts_with(READ_FROM_REFLECTOR));
        Ok(Self {
            run_id: RunId::new(row.try_get::<String, _>("id")?),
            transcript_id: subject.transcript.id,
            recording_id: subject.recording.id,
            transcript_created_at: subject.transcript.created_at,
            is_live,
            is_known_to_reflector: is_live || is_of_rows,
        })
    }
}

impl Store {
    /// Ended runs that were not swept, or were within `settle` of their end: tasks of theirs may
    /// have been at work still. By id, after `after`, at most `at_most`.
    pub async fn unswept(
        &self,
        environment: &EnvironmentName,
        settle: Duration,
        after: &RunId,
        at_most: i64,
    ) -> anyhow::Result<Vec<Unswept>> {
        let sql = "-- unswept
            select runs.id, runs.subject, runs.epoch, controls.source
            from runs left join controls on controls.id = runs.control_id
            where runs.environment = $1 and runs.finished_at is not null and runs.id > $2
              and (runs.swept_at is null or runs.swept_at < runs.finished_at + $3)
            order by runs.id limit $4";
        sqlx::query(sql)
            .bind(environment.as_str())
            .bind(after.as_str())
            .bind(settle.num_milliseconds())
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading the runs that may have to be swept")?
            .iter()
            .map(Unswept::read)
            .collect()
    }

    /// Notes that nothing is left of a run's own objects. One that was started again meanwhile
    /// is left alone: it makes new ones.
    pub async fn mark_swept(&self, id: &RunId, now: DateTime<Utc>) -> anyhow::Result<()> {
        let sql = "-- mark_swept
            update runs set swept_at = $2 where id = $1 and finished_at is not null";
        sqlx::query(sql)
            .bind(id.as_str())
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("noting that a run was swept")?;
        Ok(())
    }
}
