//! The export of what the legacy pipeline did under a migration, made before it goes.
//!
//! It holds ids, times, numbers and verdicts: nothing that was said in a meeting, no secret, and of
//! people who turned the migration no name but a digest, which tells them apart.

use anyhow::Context;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use serde_json::{Value, json};
use sqlx::{Column, Row, any::AnyRow};

use super::{Store, audit, facts::About, millis, notices, plain, time};
use crate::model::{NoticeKind, Outcome, digest};

/// A row of `exports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its id.
    pub id: String,
    /// SHA-256 of the file.
    pub digest: String,
    /// How many lines the file has.
    pub lines: i64,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made_at: DateTime<Utc>,
}

/// What a part of an export reads: its kind, its query, and columns that hold people's names.
struct Part {
    kind: &'static str,
    sql: &'static str,
    people: &'static [&'static str],
}

const PARTS: [Part; 6] = [
    Part {
        kind: "phase",
        sql: "-- export_phases
            select phase, sub, percent, version, changed_at, changed_by from phases
            where environment = $1 and flag = $2",
        people: &["changed_by"],
    },
    Part {
        kind: "audit",
        sql: "-- export_audit
            select seq, at, action, actor, state_before, state_after, previous, hash from audit
            where environment = $1 and flag = $2 and action in ('flip', 'hold', 'release', 'override')
            order by seq",
        people: &["actor"],
    },
    Part {
        kind: "route",
        sql: "-- export_routes
            select transcript_id, generation, recording_id, room_id, owner, beside, phase, percent,
                bucket, way, task_id, state, arrived_at, confirmed_at, run_id, control_id, over_at
            from routes where environment = $1 and flag = $2
            order by arrived_at, transcript_id, generation",
        people: &[],
    },
    Part {
        kind: "given_back",
        sql: "-- export_ownership
            select recording_id, epoch, stage, changed_at from ownership
            where environment = $1 and flag = $2 and owner = 'control'
            order by changed_at, recording_id",
        people: &[],
    },
    Part {
        kind: "comparison",
        sql: "-- export_comparisons
            select comparisons.id, comparisons.run_id, runs.recording_id, runs.origin, runs.control_id,
                comparisons.verdict, comparisons.policy_digest, comparisons.epoch,
                comparisons.compared_at
            from comparisons join runs on runs.id = comparisons.run_id
            where runs.environment = $1 and runs.flag = $2
            order by comparisons.compared_at, comparisons.id",
        people: &[],
    },
    Part {
        kind: "field",
        sql: "-- export_fields
            select comparison_fields.comparison_id, comparison_fields.field, comparison_fields.verdict
            from comparison_fields
            join comparisons on comparisons.id = comparison_fields.comparison_id
            join runs on runs.id = comparisons.run_id
            where runs.environment = $1 and runs.flag = $2
            order by comparison_fields.comparison_id, comparison_fields.field",
        people: &[],
    },
];

impl Store {
    /// Gives every line of an export, one after another.
    pub async fn export(
        &self,
        about: &About,
        now: DateTime<Utc>,
        mut line: impl FnMut(&Value) -> anyhow::Result<()> + Send,
    ) -> anyhow::Result<()> {
        line(&json!({
            "kind": "export",
            "form": 1,
            "environment": about.environment,
            "flag": about.flag,
            "made_at": now,
        }))?;
        for part in &PARTS {
            let mut rows = sqlx::query(part.sql)
                .bind(about.environment.as_str())
                .bind(about.flag.as_str())
                .fetch(&self.pool);
            while let Some(row) = rows.try_next().await.context("reading what is exported")? {
                line(&told(part, &row)?)?;
            }
        }
        let sql = "-- export_controls
            select id, recording_id, outcome, taken_at from controls
            where id in (select control_id from routes where environment = $1 and flag = $2)
               or id in (select control_id from runs where environment = $1 and flag = $2)
            order by taken_at, id";
        let mut rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .fetch(&self.pool);
        while let Some(row) = rows.try_next().await.context("reading what is exported")? {
            line(&control(&row)?)?;
        }
        Ok(())
    }

    /// Notes an export that was made, on record.
    pub async fn note_export(&self, about: &About, export: &Export) -> anyhow::Result<()> {
        let doing = "noting an export";
        let sql = "-- note_export
            insert into exports (id, environment, flag, digest, rows_written, made_by, made_at)
            values ($1, $2, $3, $4, $5, $6, $7)";
        let now = export.made_at;
        let mut tx = self.begin().await.context(doing)?;
        sqlx::query(sql)
            .bind(export.id.as_str())
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(export.digest.as_str())
            .bind(export.lines)
            .bind(plain(&export.made_by).as_ref())
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        let after = format!(
            "{}: {} lines, SHA-256 {}",
            export.id, export.lines, export.digest
        );
        let entry = about.entry("export", (&export.made_by, ""), ("", &after), now);
        audit::append(&mut tx, entry).await?;
        let text = format!(
            "{} exported what Celery did in {}: {} lines",
            plain(&export.made_by),
            about.environment,
            export.lines
        );
        let document = json!({ "export": export.id, "sha256": export.digest });
        notices::insert(&mut tx, about, (NoticeKind::Export, &text, &document), now).await?;
        tx.commit().await.context(doing)
    }

    /// The exports of a migration, newest first.
    pub async fn exports(&self, about: &About) -> anyhow::Result<Vec<Export>> {
        let sql = "-- exports
            select id, digest, rows_written, made_by, made_at from exports
            where environment = $1 and flag = $2 order by made_at desc, id";
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading exports")?;
        rows.iter()
            .map(|row| {
                Ok(Export {
                    id: row.try_get("id")?,
                    digest: row.try_get("digest")?,
                    lines: row.try_get("rows_written")?,
                    made_by: row.try_get("made_by")?,
                    made_at: time(row.try_get("made_at")?),
                })
            })
            .collect()
    }
}

/// A row as a line: texts and numbers as they are, times for people, names as digests.
fn told(part: &Part, row: &AnyRow) -> anyhow::Result<Value> {
    let mut line = json!({ "kind": part.kind });
    for column in row.columns() {
        let name = column.name();
        let is_time = name == "at" || name.ends_with("_at");
        line[name] = if let Ok(number) = row.try_get::<Option<i64>, _>(column.ordinal()) {
            match number {
                Some(millis) if is_time => json!(time(millis)),
                number => json!(number),
            }
        } else {
            let text: Option<String> = row.try_get(column.ordinal())?;
            match text {
                Some(person) if part.people.contains(&name) => json!(digest_of(&person)),
                text => json!(text),
            }
        };
    }
    Ok(line)
}

fn digest_of(person: &str) -> String {
    digest::of_text(person)[..16].to_owned()
}

/// What there is to say of a control without what was said in it.
fn control(row: &AnyRow) -> anyhow::Result<Value> {
    let outcome: String = row.try_get("outcome")?;
    let outcome: Outcome = serde_json::from_str(&outcome).context("reading a control's outcome")?;
    Ok(json!({
        "kind": "control",
        "id": row.try_get::<String, _>("id")?,
        "recording_id": row.try_get::<String, _>("recording_id")?,
        "taken_at": time(row.try_get("taken_at")?),
        "status": outcome.status,
        "duration_ms": outcome.duration_ms,
        "participants": outcome.participants.len(),
        "words": outcome.words.len(),
        "topics": outcome.topics.len(),
        "events": outcome.events.len(),
        "audio_deleted": outcome.audio_deleted,
        "digest": digest::of_text(&serde_json::to_string(&outcome)?),
    }))
}
