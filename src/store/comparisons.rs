//! Comparisons of candidate runs with their controls.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use super::{Store, audit, known, millis, time};
use crate::{model::RunId, rollout::audit::Entry};

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
    /// Each field, by name.
    pub fields: Vec<StoredField>,
    /// What the gate takes from it.
    pub facts: ComparisonFacts,
}

/// A row of `comparison_fields`.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredField {
    /// Its name.
    pub field: String,
    /// Its verdict.
    pub verdict: String,
    /// How far the sides are apart, 0 to 1; none where that was not or could not be measured.
    pub distance: Option<f64>,
    /// Whether no tolerance excuses the difference.
    pub broken: bool,
}

impl StoredField {
    /// A field of which only the verdict is known.
    pub fn judged(field: impl Into<String>, verdict: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            verdict: verdict.into(),
            distance: None,
            broken: false,
        }
    }
}

/// A row of `comparison_facts`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ComparisonFacts {
    /// Fields that could be compared, by name.
    pub compared: Vec<String>,
    /// Tracks of the recording.
    pub tracks: i64,
    /// Length of the recording in milliseconds, where the control tells.
    pub audio_ms: Option<f64>,
    /// The spoken language.
    pub language: String,
    /// Milliseconds the control took, where known.
    pub control_ms: Option<f64>,
    /// Milliseconds the candidate took, where known.
    pub candidate_ms: Option<f64>,
    /// US dollars the control cost, where known.
    pub control_usd: Option<f64>,
    /// US dollars the candidate cost, where known.
    pub candidate_usd: Option<f64>,
    /// Whether what others would have seen is the same, where the control tells.
    pub effects_equal: Option<bool>,
}

impl Store {
    /// Writes a comparison with its fields, all or nothing.
    pub async fn insert_comparison(&self, comparison: &StoredComparison) -> anyhow::Result<()> {
        self.insert_comparison_of(comparison, None).await
    }

    /// The same for somebody who asked for it, which is on record then.
    pub async fn insert_comparison_of(
        &self,
        comparison: &StoredComparison,
        entry: Option<Entry>,
    ) -> anyhow::Result<()> {
        let mut tx = self.begin().await.context("writing a comparison")?;
        // Locks the run: what was said of one whose texts are deleted is not written again.
        let sql = "-- has_texts
            update runs set texts_deleted_at = null where id = $1 and texts_deleted_at is null";
        let locked = sqlx::query(sql)
            .bind(comparison.run_id.as_str())
            .execute(&mut *tx)
            .await
            .context("writing a comparison")?;
        anyhow::ensure!(
            locked.rows_affected() == 1,
            "run `{}` is not there, or its texts were deleted",
            comparison.run_id
        );
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
            insert into comparison_fields (comparison_id, field, verdict, distance, broken)
            values ($1, $2, $3, nullif($4, -1), $5)";
        for field in &comparison.fields {
            sqlx::query(sql)
                .bind(comparison.id.as_str())
                .bind(field.field.as_str())
                .bind(field.verdict.as_str())
                .bind(known(field.distance))
                .bind(i64::from(field.broken))
                .execute(&mut *tx)
                .await
                .context("writing a field of a comparison")?;
        }
        let facts = &comparison.facts;
        let sql = "-- insert_comparison
            insert into comparison_facts (comparison_id, compared, tracks, audio_ms, language,
                control_ms, candidate_ms, control_usd, candidate_usd, effects_equal)
            values ($1, $2, $3, nullif($4, -1), $5, nullif($6, -1), nullif($7, -1),
                nullif($8, -1), nullif($9, -1), $10)";
        sqlx::query(sql)
            .bind(comparison.id.as_str())
            .bind(facts.compared.join(","))
            .bind(facts.tracks)
            .bind(known(facts.audio_ms))
            .bind(facts.language.as_str())
            .bind(known(facts.control_ms))
            .bind(known(facts.candidate_ms))
            .bind(known(facts.control_usd))
            .bind(known(facts.candidate_usd))
            .bind(facts.effects_equal.map(i64::from))
            .execute(&mut *tx)
            .await
            .context("writing what the gate takes from a comparison")?;
        note_verdict(&mut tx, comparison).await?;
        if let Some(entry) = entry {
            audit::append(&mut tx, entry).await?;
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
            select field, verdict, distance, broken from comparison_fields
            where comparison_id = $1 order by field";
        let fields = sqlx::query(sql)
            .bind(id.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading a comparison's fields")?
            .iter()
            .map(|row| {
                Ok(StoredField {
                    field: row.try_get("field")?,
                    verdict: row.try_get("verdict")?,
                    distance: row.try_get("distance")?,
                    broken: row.try_get::<i64, _>("broken")? == 1,
                })
            })
            .collect::<sqlx::Result<_>>()?;
        let facts = self.comparison_facts(&id).await?;
        Ok(Some(StoredComparison {
            id,
            run_id: RunId::new(row.try_get::<String, _>("run_id")?),
            verdict: row.try_get("verdict")?,
            policy_digest: row.try_get("policy_digest")?,
            epoch: row.try_get("epoch")?,
            report: serde_json::from_str(&report).context("reading a comparison's report")?,
            compared_at: time(row.try_get("compared_at")?),
            fields,
            facts,
        }))
    }

    /// What the gate takes from a comparison; nothing of one that was made before it was kept.
    async fn comparison_facts(&self, id: &str) -> anyhow::Result<ComparisonFacts> {
        let sql = "-- comparison_facts
            select compared, tracks, audio_ms, language, control_ms, candidate_ms, control_usd,
                candidate_usd, effects_equal
            from comparison_facts where comparison_id = $1";
        let row = sqlx::query(sql)
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .context("reading what the gate takes from a comparison")?;
        row.as_ref()
            .map_or_else(|| Ok(ComparisonFacts::default()), ComparisonFacts::read)
    }
}

/// The newest comparison since a run ended is what is told of it in lists.
async fn note_verdict(
    tx: &mut Transaction<'static, Any>,
    comparison: &StoredComparison,
) -> anyhow::Result<()> {
    let sql = "-- note_verdict
        update runs set newest_verdict = $2
        where id = $1 and finished_at is not null and finished_at <= $3
          and not exists (select 1 from comparisons
              where comparisons.run_id = runs.id
                and (comparisons.compared_at > $3
                     or (comparisons.compared_at = $3 and comparisons.id < $4)))";
    sqlx::query(sql)
        .bind(comparison.run_id.as_str())
        .bind(comparison.verdict.as_str())
        .bind(millis(comparison.compared_at))
        .bind(comparison.id.as_str())
        .execute(&mut **tx)
        .await
        .context("noting a run's verdict")?;
    Ok(())
}

impl ComparisonFacts {
    /// Reads a row that has all of its columns.
    pub(super) fn read(row: &AnyRow) -> anyhow::Result<Self> {
        let compared: String = row.try_get("compared")?;
        Ok(Self {
            compared: compared
                .split(',')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            tracks: row.try_get("tracks")?,
            audio_ms: row.try_get("audio_ms")?,
            language: row.try_get("language")?,
            control_ms: row.try_get("control_ms")?,
            candidate_ms: row.try_get("candidate_ms")?,
            control_usd: row.try_get("control_usd")?,
            candidate_usd: row.try_get("candidate_usd")?,
            effects_equal: row
                .try_get::<Option<i64>, _>("effects_equal")?
                .map(|equal| equal == 1),
        })
    }
}
