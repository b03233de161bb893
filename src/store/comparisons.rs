//! Comparisons of candidate runs with their controls.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::Row;

use super::{Store, millis, time};
use crate::model::RunId;

/// A row of `comparisons`.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredComparison {
    /// Its id.
    pub id: String,
    /// The candidate run.
    pub run_id: RunId,
    /// The verdict on the recording.
    pub verdict: String,
    /// The digest of the policy it was judged by.
    pub policy_digest: String,
    /// The digest of the versions it was made under; empty where that was not kept.
    pub epoch: String,
    /// Everything a report shows.
    pub report: serde_json::Value,
    /// When.
    pub compared_at: DateTime<Utc>,
    /// The verdict on each field, by field.
    pub fields: Vec<(String, String)>,
}

impl Store {
    /// Writes a comparison with its fields, all or nothing.
    pub async fn insert_comparison(&self, comparison: &StoredComparison) -> anyhow::Result<()> {
        let mut tx = self.begin().await.context("writing a comparison")?;
        let sql = "-- insert_comparison
            insert into comparisons (id, run_id, verdict, policy_digest, report, compared_at,
                epoch)
            values ($1, $2, $3, $4, $5, $6, $7)";
        sqlx::query(sql)
            .bind(comparison.id.as_str())
            .bind(comparison.run_id.as_str())
            .bind(comparison.verdict.as_str())
            .bind(comparison.policy_digest.as_str())
            .bind(comparison.report.to_string())
            .bind(millis(comparison.compared_at))
            .bind(comparison.epoch.as_str())
            .execute(&mut *tx)
            .await
            .context("writing a comparison")?;
        let sql = "-- insert_comparison
            insert into comparison_fields (comparison_id, field, verdict) values ($1, $2, $3)";
        for (field, verdict) in &comparison.fields {
            sqlx::query(sql)
                .bind(comparison.id.as_str())
                .bind(field.as_str())
                .bind(verdict.as_str())
                .execute(&mut *tx)
                .await
                .context("writing a field of a comparison")?;
        }
        tx.commit().await.context("writing a comparison")
    }

    /// The verdict of a run's newest comparison, and when it was given; without the report, which
    /// may be large.
    pub async fn newest_verdict(
        &self,
        run: &RunId,
    ) -> anyhow::Result<Option<(String, DateTime<Utc>)>> {
        let sql = "-- newest_verdict
            select verdict, compared_at from comparisons
            where run_id = $1 order by compared_at desc, id limit 1";
        sqlx::query(sql)
            .bind(run.as_str())
            .fetch_optional(&self.pool)
            .await
            .context("reading a verdict")?
            .map(|row| Ok((row.try_get("verdict")?, time(row.try_get("compared_at")?))))
            .transpose()
    }

    /// The newest comparison of a run.
    pub async fn newest_comparison(&self, run: &RunId) -> anyhow::Result<Option<StoredComparison>> {
        let sql = "-- newest_comparison
            select id, run_id, verdict, policy_digest, report, compared_at, epoch from comparisons
            where run_id = $1 order by compared_at desc, id limit 1";
        let Some(row) = sqlx::query(sql)
            .bind(run.as_str())
            .fetch_optional(&self.pool)
            .await
            .context("reading a comparison")?
        else {
            return Ok(None);
        };
        let id: String = row.try_get("id")?;
        let report: String = row.try_get("report")?;
        let sql = "-- newest_comparison
            select field, verdict from comparison_fields where comparison_id = $1 order by field";
        let fields = sqlx::query(sql)
            .bind(id.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading a comparison's fields")?
            .iter()
            .map(|row| Ok((row.try_get("field")?, row.try_get("verdict")?)))
            .collect::<sqlx::Result<_>>()?;
        Ok(Some(StoredComparison {
            id,
            run_id: RunId::new(row.try_get::<String, _>("run_id")?),
            verdict: row.try_get("verdict")?,
            policy_digest: row.try_get("policy_digest")?,
            epoch: row.try_get("epoch")?,
            report: serde_json::from_str(&report).context("reading a comparison's report")?,
            compared_at: time(row.try_get("compared_at")?),
            fields,
        }))
    }
}
