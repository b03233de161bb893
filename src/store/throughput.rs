//! How much went through lately.

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row;

use super::{Store, millis};
use crate::model::{EnvironmentName, FlagName};

/// What happened to recordings of one migration since a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Throughput {
    /// Recordings that arrived.
    pub arrived: i64,
    /// Of these, those the candidate serves.
    pub to_candidate: i64,
    /// Candidate runs that ended well.
    pub completed: i64,
    /// Candidate runs that failed.
    pub failed: i64,
    /// Candidate runs that were stopped.
    pub terminated: i64,
}

impl Store {
    /// What went through since.
    pub async fn throughput(
        &self,
        (environment, flag): (&EnvironmentName, &FlagName),
        since: DateTime<Utc>,
    ) -> anyhow::Result<Throughput> {
        let sql = "-- throughput
            select
                (select count(*) from routes where environment = $1 and flag = $2
                    and arrived_at >= $3) as arrived,
                (select count(*) from routes where environment = $1 and flag = $2
                    and arrived_at >= $3 and owner = 'candidate') as to_candidate,
                (select count(*) from runs where environment = $1 and flag = $2
                    and finished_at >= $3 and state = 'completed') as completed,
                (select count(*) from runs where environment = $1 and flag = $2
                    and finished_at >= $3 and state = 'failed') as failed,
                (select count(*) from runs where environment = $1 and flag = $2
                    and finished_at >= $3 and state = 'terminated') as stopped";
        let row = sqlx::query(sql)
            .bind(environment.as_str())
            .bind(flag.as_str())
            .bind(millis(since))
            .fetch_one(&self.pool)
            .await
            .context("counting what went through")?;
        Ok(Throughput {
            arrived: row.try_get("arrived")?,
            to_candidate: row.try_get("to_candidate")?,
            completed: row.try_get("completed")?,
            failed: row.try_get("failed")?,
            terminated: row.try_get("stopped")?,
        })
    }
}
