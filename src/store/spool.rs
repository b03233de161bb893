//! Results on their way to the engine. A finished task's result waits here until the engine has
//! acknowledged it, so a cut connection or a killed worker loses no work.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::Row;

use super::{Store, millis, time};

/// A row of `spooled_results`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spooled {
    /// The engine's id of the attempt.
    pub task_id: String,
    /// The engine's id of the workflow.
    pub workflow_id: String,
    /// The body of the update, JSON.
    pub result: String,
    /// Nobody waits for it after this.
    pub give_up_at: DateTime<Utc>,
}

impl Store {
    /// Puts a result on its way.
    pub async fn spool(&self, spooled: &Spooled, now: DateTime<Utc>) -> anyhow::Result<()> {
        let sql = "-- spool
            insert into spooled_results (task_id, workflow_id, result, give_up_at, created_at)
            values ($1, $2, $3, $4, $5)
            on conflict (task_id) do update
            set result = excluded.result, give_up_at = excluded.give_up_at";
        sqlx::query(sql)
            .bind(spooled.task_id.as_str())
            .bind(spooled.workflow_id.as_str())
            .bind(spooled.result.as_str())
            .bind(millis(spooled.give_up_at))
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("spooling a result")?;
        Ok(())
    }

    /// Forgets a result that arrived, or that nobody waits for.
    pub async fn unspool(&self, task_id: &str) -> anyhow::Result<()> {
        sqlx::query("-- unspool\n delete from spooled_results where task_id = $1")
            .bind(task_id)
            .execute(&self.pool)
            .await
            .context("forgetting a spooled result")?;
        Ok(())
    }

    /// All results still on their way, oldest first.
    pub async fn spooled(&self) -> anyhow::Result<Vec<Spooled>> {
        let sql = "-- spooled
            select task_id, workflow_id, result, give_up_at from spooled_results
            order by created_at, task_id";
        sqlx::query(sql)
            .fetch_all(&self.pool)
            .await
            .context("reading spooled results")?
            .iter()
            .map(|row| {
                Ok(Spooled {
                    task_id: row.try_get("task_id")?,
                    workflow_id: row.try_get("workflow_id")?,
                    result: row.try_get("result")?,
                    give_up_at: time(row.try_get("give_up_at")?),
                })
            })
            .collect()
    }
}
