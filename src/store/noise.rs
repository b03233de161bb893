//! Second runs held against first ones: how far the control differs from itself, and the candidate.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::Row;

use super::{About, Store, StoredField, known, millis};
use crate::model::RunId;

/// A second run of a recording that was compared already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Second {
    /// The comparison of the first.
    pub comparison: String,
    /// The candidate run of that comparison.
    pub run: RunId,
    /// Whose second run it is.
    pub whose: SecondOf,
}

/// Whose second run it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecondOf {
    /// The control's.
    Control {
        /// The mirror's transcript.
        mirror: String,
        /// What it made, a row of `controls`.
        control_id: String,
    },
    /// The candidate's.
    Candidate {
        /// Its other run.
        run: RunId,
    },
}

impl SecondOf {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Control { .. } => "mirror",
            Self::Candidate { .. } => "repeat",
        }
    }

    fn other(&self) -> &str {
        match self {
            Self::Control { mirror, .. } => mirror,
            Self::Candidate { run } => run.as_str(),
        }
    }
}

/// A field of three results: the candidate against the second run and, where that is the control's, the
/// control against it.
#[derive(Clone, Debug, PartialEq)]
pub struct NoiseField {
    /// The candidate against the second run.
    pub candidate: StoredField,
    /// The control against its second run.
    pub control: Option<StoredField>,
}

impl Store {
    /// Second runs that were not held against the newest comparison of the first so far.
    pub async fn seconds_to_measure(&self, about: &About) -> anyhow::Result<Vec<Second>> {
        let newest = "comparisons.epoch = $3
              and comparisons.verdict in ('match', 'within_noise', 'differs')
              and not exists (select 1 from comparisons later
                where later.run_id = comparisons.run_id
                  and later.compared_at > comparisons.compared_at)";
        let mirrors = format!(
            "-- mirrors_to_measure
            select comparisons.id, comparisons.run_id, mirrors.mirror_transcript_id as other,
                mirrors.control_id
            from mirrors join runs on runs.recording_id = mirrors.recording_id
                join comparisons on comparisons.run_id = runs.id
            where mirrors.environment = $1 and mirrors.outcome = 'compared'
              and mirrors.reverse_of is null
              and mirrors.control_id is not null
              and runs.environment = $1 and runs.flag = $2 and runs.epoch is null
              and runs.texts_deleted_at is null
              and {newest}
              and not exists (select 1 from noise_fields noise
                where noise.comparison_id = comparisons.id
                  and noise.other = mirrors.mirror_transcript_id)
            order by mirrors.started_at, comparisons.id limit 20"
        );
        let repeats = format!(
            "-- repeats_to_measure
            select comparisons.id, comparisons.run_id, again.id as other, '' as control_id
            from runs again join runs on runs.environment = again.environment
                    and runs.flag = again.flag and runs.recording_id = again.recording_id
                    and runs.pipeline = again.pipeline
                    and runs.generation = again.generation - 1
                join comparisons on comparisons.run_id = runs.id
            where again.environment = $1 and again.flag = $2 and again.generation > 1
              and again.state = 'completed' and again.epoch is null and runs.epoch is null
              and runs.state = 'completed'
              and again.texts_deleted_at is null and runs.texts_deleted_at is null
              and again.origin <> 'rehearsal' and runs.origin <> 'rehearsal'
              and exists (select 1 from comparisons own
                where own.run_id = again.id and own.epoch = $3)
              and {newest}
              and not exists (select 1 from noise_fields noise
                where noise.comparison_id = comparisons.id and noise.other = again.id)
            order by again.started_at, comparisons.id limit 20"
        );
        let mut seconds = Vec::new();
        for (sql, is_mirror) in [(mirrors, true), (repeats, false)] {
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(about.environment.as_str())
                .bind(about.flag.as_str())
                .bind(about.epoch.as_str())
                .fetch_all(&self.pool)
                .await
                .context("looking for second runs")?;
            for row in rows {
                let other: String = row.try_get("other")?;
                seconds.push(Second {
                    comparison: row.try_get("id")?,
                    run: RunId::new(row.try_get::<String, _>("run_id")?),
                    whose: if is_mirror {
                        SecondOf::Control {
                            mirror: other,
                            control_id: row.try_get("control_id")?,
                        }
                    } else {
                        SecondOf::Candidate {
                            run: RunId::new(other),
                        }
                    },
                });
            }
        }
        Ok(seconds)
    }

    /// Keeps what holding a second run against the first found, all or nothing. What was kept before
    /// stays.
    pub async fn keep_noise(
        &self,
        second: &Second,
        fields: &[NoiseField],
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let mut tx = self.begin().await.context("keeping what is noise")?;
        let sql = "-- keep_noise
            insert into noise_fields (comparison_id, other, kind, field, candidate_verdict,
                candidate_distance, candidate_broken, control_verdict, control_distance,
                control_broken, measured_at)
            values ($1, $2, $3, $4, $5, nullif($6, -1), $7, $8, nullif($9, -1), $10, $11)
            on conflict do nothing";
        for field in fields {
            let control = field.control.as_ref();
            sqlx::query(sql)
                .bind(second.comparison.as_str())
                .bind(second.whose.other())
                .bind(second.whose.kind())
                .bind(field.candidate.field.as_str())
                .bind(field.candidate.verdict.as_str())
                .bind(known(field.candidate.distance))
                .bind(i64::from(field.candidate.broken))
                .bind(control.map(|one| one.verdict.as_str()))
                .bind(known(control.and_then(|one| one.distance)))
                .bind(control.map(|one| i64::from(one.broken)))
                .bind(millis(now))
                .execute(&mut *tx)
                .await
                .context("keeping what is noise")?;
        }
        tx.commit().await.context("keeping what is noise")
    }

    /// When a shadow run's recording was handed to the control and when that was done, where both went
    /// by way of a route.
    pub async fn control_took(
        &self,
        run: &RunId,
    ) -> anyhow::Result<Option<(DateTime<Utc>, DateTime<Utc>)>> {
        let sql = "-- control_took
            select arrived_at, over_at from routes
            where run_id = $1 and owner = 'control' and over_at is not null";
        sqlx::query(sql)
            .bind(run.as_str())
            .fetch_optional(&self.pool)
            .await
            .context("reading how long the control took")?
            .map(|row| {
                Ok((
                    super::time(row.try_get("arrived_at")?),
                    super::time(row.try_get("over_at")?),
                ))
            })
            .transpose()
    }
}
