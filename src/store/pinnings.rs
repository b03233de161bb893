//! Pinnings: which step of a compared run differs by itself.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::Row;

use super::{Store, millis, time};
use crate::model::{EnvironmentName, RunId};

/// A row of `pinnings`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pinning {
    /// The run.
    pub run_id: RunId,
    /// When the comparison was made that it explains.
    pub compared_at: DateTime<Utc>,
    /// The digest of the policy it was judged by.
    pub policy_digest: String,
    /// The first step that differs though its input was equal.
    pub first: Option<String>,
    /// Every step with its fields.
    pub report: serde_json::Value,
}

impl Store {
    /// Shadow runs whose newest comparison found differences that no pinning explains; at most
    /// `at_most`, those compared last first, and none compared before `since`.
    pub async fn runs_to_pin(
        &self,
        environment: &EnvironmentName,
        since: DateTime<Utc>,
        at_most: i64,
    ) -> anyhow::Result<Vec<RunId>> {
        let sql = "-- runs_to_pin
            select runs.id from runs join comparisons on comparisons.run_id = runs.id
            where runs.environment = $1 and runs.epoch is null and runs.state = 'completed'
              and runs.texts_deleted_at is null
              and comparisons.verdict in ('differs', 'within_noise')
              and comparisons.compared_at > $2
              and not exists (select 1 from comparisons newer
                  where newer.run_id = runs.id and newer.compared_at > comparisons.compared_at)
              and not exists (select 1 from pinnings
                  where pinnings.run_id = runs.id
                    and pinnings.compared_at >= comparisons.compared_at)
            order by comparisons.compared_at desc, runs.id limit $3";
        let rows = sqlx::query(sql)
            .bind(environment.as_str())
            .bind(millis(since))
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading the runs whose steps may be run again")?;
        rows.iter()
            .map(|row| Ok(RunId::new(row.try_get::<String, _>("id")?)))
            .collect()
    }

    /// Keeps a pinning, instead of what was kept for an earlier comparison of the run.
    pub async fn keep_pinning(&self, pinning: &Pinning, now: DateTime<Utc>) -> anyhow::Result<()> {
        let sql = "-- keep_pinning
            insert into pinnings (run_id, compared_at, policy_digest, first, report, pinned_at)
            values ($1, $2, $3, $4, $5, $6)
            on conflict (run_id) do update
            set compared_at = excluded.compared_at, policy_digest = excluded.policy_digest,
                first = excluded.first, report = excluded.report, pinned_at = excluded.pinned_at
            where pinnings.compared_at <= excluded.compared_at";
        sqlx::query(sql)
            .bind(pinning.run_id.as_str())
            .bind(millis(pinning.compared_at))
            .bind(pinning.policy_digest.as_str())
            .bind(pinning.first.as_deref())
            .bind(pinning.report.to_string())
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("keeping a pinning")?;
        Ok(())
    }

    /// What is known of where a run's differences come from.
    pub async fn pinning(&self, run: &RunId) -> anyhow::Result<Option<Pinning>> {
        let sql = "-- pinning
            select run_id, compared_at, policy_digest, first, report from pinnings
            where run_id = $1";
        let row = sqlx::query(sql)
            .bind(run.as_str())
            .fetch_optional(&self.pool)
            .await
            .context("reading a pinning")?;
        row.map(|row| {
            let report: String = row.try_get("report")?;
            Ok(Pinning {
                run_id: RunId::new(row.try_get::<String, _>("run_id")?),
                compared_at: time(row.try_get("compared_at")?),
                policy_digest: row.try_get("policy_digest")?,
                first: row.try_get("first")?,
                report: serde_json::from_str(&report).context("reading a pinning's report")?,
            })
        })
        .transpose()
    }
}
