//! What runs told: the events Reflector keeps, in the order they came to be, for those who listen.

use anyhow::Context;
use sqlx::{Row, any::AnyRow};

use super::Store;
use crate::model::{EnvironmentName, RunId, TranscriptId};

/// Where an event stands among all that were told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// When it was told, in milliseconds since the epoch.
    pub at: i64,
    /// Of which run.
    pub run: RunId,
    /// By which task.
    pub task_ref: String,
    /// Its place among the task's.
    pub position: i64,
}

/// An event that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldEvent {
    /// Where it stands.
    pub mark: Mark,
    /// Where its run is.
    pub environment: EnvironmentName,
    /// What the run makes.
    pub transcript: TranscriptId,
    /// Its name in the dictionary.
    pub event: String,
    /// Its data, as JSON.
    pub data: String,
}

fn read(row: &AnyRow) -> anyhow::Result<ToldEvent> {
    Ok(ToldEvent {
        mark: Mark {
            at: row.try_get("at")?,
            run: RunId::new(row.try_get::<String, _>("run_id")?),
            task_ref: row.try_get("task_ref")?,
            position: row.try_get("position")?,
        },
        environment: EnvironmentName::new(row.try_get::<String, _>("environment")?),
        transcript: TranscriptId::new(row.try_get::<String, _>("transcript_id")?),
        event: row.try_get("target")?,
        data: row.try_get("content")?,
    })
}

impl Store {
    /// What a run told since then, the oldest first, so many at most: what a live run did tell, and what
    /// a shadow run would have told.
    pub async fn told_by_run(
        &self,
        run: &RunId,
        since: i64,
        at_most: i64,
    ) -> anyhow::Result<Vec<ToldEvent>> {
        let sql = "-- told_by_run
            select i.run_id, r.environment, r.transcript_id, i.task_ref, i.position, i.target,
                i.content, coalesce(e.changed_at, i.created_at) as at
            from intents i
            join runs r on r.id = i.run_id
            left join effects e on e.run_id = i.run_id and e.task_ref = i.task_ref
                and e.position = i.position
            where i.run_id = $1 and i.kind = 'event'
              and (r.epoch is null or e.state = 'confirmed')
              and coalesce(e.changed_at, i.created_at) >= $2
            order by at, i.task_ref, i.position limit $3";
        let rows = sqlx::query(sql)
            .bind(run.as_str())
            .bind(since)
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading what a run told")?;
        rows.iter().map(read).collect()
    }

    /// What live runs told since then, the oldest first, so many at most.
    pub async fn told_by_serving(
        &self,
        since: i64,
        at_most: i64,
    ) -> anyhow::Result<Vec<ToldEvent>> {
        let sql = "-- told_by_serving
            select i.run_id, r.environment, r.transcript_id, i.task_ref, i.position, i.target,
                i.content, e.changed_at as at
            from effects e
            join runs r on r.id = e.run_id
            join intents i on i.run_id = e.run_id and i.task_ref = e.task_ref
                and i.position = e.position
            where e.kind = 'event' and e.state = 'confirmed' and e.changed_at >= $1
            order by e.changed_at, e.run_id, e.task_ref, e.position limit $2";
        let rows = sqlx::query(sql)
            .bind(since)
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading what live runs told")?;
        rows.iter().map(read).collect()
    }

    /// When the newest event of a live run was told, in milliseconds since the epoch.
    pub async fn told_last(&self) -> anyhow::Result<Option<i64>> {
        let sql = "-- told_last
            select max(changed_at) from effects where kind = 'event' and state = 'confirmed'";
        sqlx::query_scalar(sql)
            .fetch_one(&self.pool)
            .await
            .context("asking when live runs told something")
    }
}
