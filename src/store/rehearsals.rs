//! Rehearsals: cutover, fallback and recovery of a recording nobody waits for.

use anyhow::Context;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::{Row, any::AnyRow};

use super::{Store, audit, facts::About, millis, plain, time};

/// A row of `rehearsals`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rehearsal {
    /// Its id.
    pub id: String,
    /// Whether everything went as it has to; none while it is under way.
    pub passed: Option<bool>,
    /// Its steps, and how each went: JSON.
    pub document: Value,
    /// Who began it.
    pub started_by: String,
    /// When.
    pub started_at: DateTime<Utc>,
    /// When it was over.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A rehearsal, for machines.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RehearsalLine {
    /// Its id.
    pub id: String,
    /// Whether all went well; none while it is under way.
    pub passed: Option<bool>,
    /// What was done, and how it went.
    pub steps: Value,
    /// Who began it.
    pub started_by: String,
    /// When.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

impl Rehearsal {
    /// The same for machines.
    pub fn told(&self) -> Value {
        serde_json::json!(self.line())
    }

    /// What machines are told.
    pub fn line(&self) -> RehearsalLine {
        RehearsalLine {
            id: self.id.clone(),
            passed: self.passed,
            steps: self.document.clone(),
            started_by: self.started_by.clone(),
            started_at: self.started_at,
            ended_at: self.ended_at,
        }
    }
}

fn read(row: &AnyRow) -> anyhow::Result<Rehearsal> {
    let document: String = row.try_get("document")?;
    let state: String = row.try_get("state")?;
    Ok(Rehearsal {
        id: row.try_get("id")?,
        passed: match state.as_str() {
            "under_way" => None,
            other => Some(other == "passed"),
        },
        document: serde_json::from_str(&document).context("reading a rehearsal's steps")?,
        started_by: row.try_get("started_by")?,
        started_at: time(row.try_get("started_at")?),
        ended_at: row.try_get::<Option<i64>, _>("ended_at")?.map(time),
    })
}

impl Store {
    /// Notes that a rehearsal begins.
    pub async fn begin_rehearsal(
        &self,
        about: &About,
        (id, by): (&str, &str),
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let sql = "-- begin_rehearsal
            insert into rehearsals (id, environment, flag, state, document, started_by, started_at)
            values ($1, $2, $3, 'under_way', '[]', $4, $5)
            on conflict (id) do nothing";
        sqlx::query(sql)
            .bind(id)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(plain(by).as_ref())
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("noting that a rehearsal begins")?;
        Ok(())
    }

    /// Notes how a rehearsal went; a rehearsal ends once.
    pub async fn end_rehearsal(
        &self,
        about: &About,
        rehearsal: &Rehearsal,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let doing = "noting how a rehearsal went";
        let state = if rehearsal.passed == Some(true) {
            "passed"
        } else {
            "failed"
        };
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- end_rehearsal
            update rehearsals set state = $2, document = $3, ended_at = $4
            where id = $1 and state = 'under_way'";
        let ended = sqlx::query(sql)
            .bind(rehearsal.id.as_str())
            .bind(state)
            .bind(plain(&rehearsal.document.to_string()).as_ref())
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        if ended.rows_affected() == 1 {
            let (by, id) = (rehearsal.started_by.as_str(), rehearsal.id.as_str());
            let entry = about.entry("rehearse", (by, ""), (id, state), now);
            audit::append(&mut tx, entry).await?;
        }
        tx.commit().await.context(doing)
    }

    /// The newest rehearsals, newest first.
    pub async fn rehearsals(&self, about: &About, at_most: i64) -> anyhow::Result<Vec<Rehearsal>> {
        let sql = "-- rehearsals
            select id, state, document, started_by, started_at, ended_at from rehearsals
            where environment = $1 and flag = $2 order by started_at desc, id limit $3";
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading rehearsals")?;
        rows.iter().map(read).collect()
    }
}
