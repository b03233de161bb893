//! Controls: what the legacy pipeline made of recordings.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::Row;

use super::{Store, millis, time};
use crate::model::{Outcome, RecordingId};

/// A row of `controls`.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// Its id.
    pub id: String,
    /// The recording.
    pub recording_id: RecordingId,
    /// Where it was taken from.
    pub source: String,
    /// What the legacy pipeline made.
    pub outcome: Outcome,
    /// When it was taken.
    pub taken_at: DateTime<Utc>,
}

impl Store {
    /// Keeps a control.
    pub async fn insert_control(&self, control: &Control) -> anyhow::Result<()> {
        let sql = "-- insert_control
            insert into controls (id, recording_id, source, outcome, taken_at)
            values ($1, $2, $3, $4, $5)";
        sqlx::query(sql)
            .bind(control.id.as_str())
            .bind(control.recording_id.as_str())
            .bind(control.source.as_str())
            .bind(serde_json::to_string(&control.outcome)?)
            .bind(millis(control.taken_at))
            .execute(&self.pool)
            .await
            .context("keeping a control")?;
        Ok(())
    }

    /// The control of that id.
    pub async fn control(&self, id: &str) -> anyhow::Result<Option<Control>> {
        let sql = "-- control
            select id, recording_id, source, outcome, taken_at from controls where id = $1";
        let row = sqlx::query(sql)
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .context("reading a control")?;
        row.map(|row| {
            let outcome: String = row.try_get("outcome")?;
            Ok(Control {
                id: row.try_get("id")?,
                recording_id: RecordingId::new(row.try_get::<String, _>("recording_id")?),
                source: row.try_get("source")?,
                outcome: serde_json::from_str(&outcome).context("reading a control's outcome")?,
                taken_at: time(row.try_get("taken_at")?),
            })
        })
        .transpose()
    }

    /// When what was said was deleted of a control; none while it is there.
    pub async fn control_texts_deleted(&self, id: &str) -> anyhow::Result<Option<DateTime<Utc>>> {
        let sql = "-- control_texts_deleted
            select texts_deleted_at from controls where id = $1";
        let deleted: Option<Option<i64>> = sqlx::query_scalar(sql)
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .context("reading a control")?;
        Ok(deleted.flatten().map(time))
    }
}
