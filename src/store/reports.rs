//! Compared runs as a list: what each comparison came to, without the reports, which are large.

use anyhow::Context;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::{Row, any::AnyRow};

use super::{Store, facts::About, time};
use crate::model::{RecordingId, RunId};

/// Which compared runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhichReports {
    /// With this verdict.
    pub verdict: Option<String>,
    /// In which this field differs.
    pub field: Option<String>,
    /// Of recordings, transcripts or runs whose id begins so.
    pub id: Option<String>,
}

/// A compared run, by its newest comparison.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReportLine {
    /// The run.
    pub run_id: RunId,
    /// Its recording.
    pub recording_id: RecordingId,
    /// What the comparison came to.
    pub verdict: String,
    /// When it was made.
    pub compared_at: DateTime<Utc>,
    /// Whether it was made under the versions as they are, so that it is evidence.
    pub is_current: bool,
    /// The field that differs most; none where none does.
    pub worst: Option<String>,
    /// How far its sides are apart, 0 to 1; none where that was not or could not be measured.
    pub distance: Option<f64>,
    /// How many fields differ.
    pub differs: i64,
}

/// Runs of a migration by their newest comparison, with what is asked of them. For SQLite a cross join is
/// an order: comparisons by their time first, of which a page needs few.
const WHICH: &str = "from comparisons c cross join runs r
    where r.id = c.run_id and r.environment = $1 and r.flag = $2
      and ($3 = '' or c.verdict = $3)
      and ($4 = '' or exists (select 1 from comparison_fields f
            where f.comparison_id = c.id and f.field = $4 and f.verdict = 'differs'))
      and ($5 = '' or substr(r.recording_id, 1, length($5)) = $5
            or substr(r.transcript_id, 1, length($5)) = $5 or substr(r.id, 1, length($5)) = $5)
      and not exists (select 1 from comparisons later
            where later.run_id = c.run_id and (later.compared_at > c.compared_at
                or (later.compared_at = c.compared_at and later.id < c.id)))";

impl Store {
    /// Compared runs, the newest comparison first: so many after as many as are skipped, and how many
    /// there are in all.
    pub async fn reports(
        &self,
        about: &About,
        which: &WhichReports,
        (skipped, at_most): (i64, i64),
    ) -> anyhow::Result<(Vec<ReportLine>, i64)> {
        let doing = "reading compared runs";
        let text = |one: &Option<String>| one.clone().unwrap_or_default();
        let sql = format!("-- reports_in_all\n select count(*) as of_all {WHICH}");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(text(&which.verdict))
            .bind(text(&which.field))
            .bind(text(&which.id))
            .fetch_one(&self.pool)
            .await
            .context(doing)?;
        let of_all: i64 = row.try_get("of_all")?;
        let sql = format!(
            "-- reports
             select page.id, page.run_id, page.recording_id, page.verdict, page.compared_at, page.epoch,
                 worst.field, worst.distance,
                 (select count(*) from comparison_fields f
                  where f.comparison_id = page.id and f.verdict = 'differs') as differs
             from (select c.id, c.run_id, r.recording_id, c.verdict, c.compared_at, c.epoch {WHICH}
                   order by c.compared_at desc, c.id limit $6 offset $7) page
             left join comparison_fields worst on worst.comparison_id = page.id
                 and worst.field = (select f.field from comparison_fields f
                     where f.comparison_id = page.id and f.verdict = 'differs'
                     order by f.broken desc, coalesce(f.distance, -1) desc, f.field limit 1)
             order by page.compared_at desc, page.id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(text(&which.verdict))
            .bind(text(&which.field))
            .bind(text(&which.id))
            .bind(at_most)
            .bind(skipped)
            .fetch_all(&self.pool)
            .await
            .context(doing)?;
        let lines = rows.iter().map(|row| read(row, &about.epoch));
        Ok((lines.collect::<anyhow::Result<_>>()?, of_all))
    }
}

fn read(row: &AnyRow, epoch: &str) -> anyhow::Result<ReportLine> {
    Ok(ReportLine {
        run_id: RunId::new(row.try_get::<String, _>("run_id")?),
        recording_id: RecordingId::new(row.try_get::<String, _>("recording_id")?),
        verdict: row.try_get("verdict")?,
        compared_at: time(row.try_get("compared_at")?),
        is_current: row.try_get::<String, _>("epoch")? == epoch,
        worst: row.try_get("field")?,
        distance: row.try_get("distance")?,
        differs: row.try_get("differs")?,
    })
}
