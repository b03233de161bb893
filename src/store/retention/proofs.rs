//! Proofs of deletion: a row and an entry of the audit trail for each batch, in its transaction.

use anyhow::Context;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::{Any, Row, Transaction, any::AnyRow};

use super::{super::Dialect, Batch, Gone};
use crate::{
    model::digest,
    retention::Class,
    store::{About, Store, audit, millis, plain, time},
};

/// A row of `retention_proofs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Proof {
    /// Its id.
    pub id: String,
    /// What was deleted.
    pub class: Class,
    /// How many runs, controls, answers or notices.
    pub things: i64,
    /// Rows deleted or emptied.
    pub rows: i64,
    /// SHA-256 of their ids, a line each, in the order of their texts.
    pub ids_digest: String,
    /// The oldest of them.
    pub first_at: DateTime<Utc>,
    /// The newest.
    pub last_at: DateTime<Utc>,
    /// The rule.
    pub rule: String,
    /// Who deleted.
    pub by: String,
    /// When.
    pub deleted_at: DateTime<Utc>,
    /// Rows found afterwards all the same; none until somebody looked.
    pub left_over: Option<i64>,
    /// When somebody looked.
    pub checked_at: Option<DateTime<Utc>>,
    /// What became of the place they had.
    pub space: String,
}

const COLUMNS: &str = "id, class, things, rows_gone, ids_digest, first_at, last_at, rule, deleted_by, \
     deleted_at, left_over, checked_at, space";

/// What is said of the place before anybody looked.
const NOT_LOOKED: &str = "not looked at yet";

impl Proof {
    fn read(row: &AnyRow) -> anyhow::Result<Self> {
        let class: String = row.try_get("class")?;
        Ok(Self {
            id: row.try_get("id")?,
            class: Class::parse(&class)
                .with_context(|| format!("`{class}` is no class of data"))?,
            things: row.try_get("things")?,
            rows: row.try_get("rows_gone")?,
            ids_digest: row.try_get("ids_digest")?,
            first_at: time(row.try_get("first_at")?),
            last_at: time(row.try_get("last_at")?),
            rule: row.try_get("rule")?,
            by: row.try_get("deleted_by")?,
            deleted_at: time(row.try_get("deleted_at")?),
            left_over: row.try_get("left_over")?,
            checked_at: row.try_get::<Option<i64>, _>("checked_at")?.map(time),
            space: row.try_get("space")?,
        })
    }
}

/// The digest of ids, whatever order they were deleted in.
pub(super) fn digest_of(ids: &[String]) -> String {
    let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    ids.sort_unstable();
    digest::of_text(&ids.join("\n"))
}

/// Notes what a batch deleted, and on record.
pub(super) async fn insert(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    batch: &Batch<'_>,
    gone: &Gone,
) -> anyhow::Result<String> {
    let now = batch.now;
    let ids_digest = digest_of(&gone.ids);
    let id = about.id("ret", &[batch.class.as_str(), &ids_digest], now);
    let sql = "-- insert_retention_proof
        insert into retention_proofs (id, environment, flag, class, things, rows_gone, ids_digest,
            first_at, last_at, rule, deleted_by, deleted_at, space)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let things = i64::try_from(gone.ids.len())?;
    let (first, last) = (gone.first.unwrap_or(now), gone.last.unwrap_or(now));
    sqlx::query(sql)
        .bind(id.as_str())
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(batch.class.as_str())
        .bind(things)
        .bind(i64::try_from(gone.rows)?)
        .bind(ids_digest.as_str())
        .bind(millis(first))
        .bind(millis(last))
        .bind(batch.rule)
        .bind(plain(batch.by).as_ref())
        .bind(millis(now))
        .bind(NOT_LOOKED)
        .execute(&mut **tx)
        .await
        .context("noting what was deleted")?;
    let what = format!(
        "{id}: {things} of {}, {} rows, from {} to {}, SHA-256 of their ids {ids_digest}",
        batch.class,
        gone.rows,
        first.format("%Y-%m-%d"),
        last.format("%Y-%m-%d"),
    );
    let entry = about.entry("retention", (batch.by, batch.rule), ("", &what), now);
    audit::append(tx, entry).await?;
    Ok(id)
}

impl Store {
    /// Notes what was found of a batch afterwards; the proof with that.
    pub async fn note_left_over(
        &self,
        id: &str,
        left_over: i64,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Proof> {
        let doing = "noting what is left of what was deleted";
        let space = self.free_space().await?;
        let sql = format!(
            "-- note_left_over
            update retention_proofs set left_over = $2, checked_at = $3, space = $4 where id = $1
            returning {COLUMNS}"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id)
            .bind(left_over)
            .bind(millis(now))
            .bind(space)
            .fetch_one(&self.pool)
            .await
            .context(doing)?;
        Proof::read(&row)
    }

    /// Has the place of what was deleted freed as far as the database lets us; what became of it.
    async fn free_space(&self) -> anyhow::Result<&'static str> {
        if self.dialect == Dialect::Postgres {
            return Ok(
                "PostgreSQL uses the place anew after its next vacuum; backups and replicas keep it as long as they do",
            );
        }
        // What is deleted is overwritten at once (`secure_delete`); copies are in the log until then.
        // Whoever writes waits for this, so it waits for readers no longer than a moment.
        let doing = "emptying SQLite's write-ahead log";
        let mut connection = self.pool.acquire().await.context(doing)?;
        sqlx::query("pragma busy_timeout = 100")
            .execute(&mut *connection)
            .await
            .context(doing)?;
        let emptied = sqlx::query("pragma wal_checkpoint(truncate)")
            .fetch_optional(&mut *connection)
            .await;
        sqlx::query("pragma busy_timeout = 15000")
            .execute(&mut *connection)
            .await
            .context(doing)?;
        let row = emptied.context(doing)?;
        let busy = row.map_or(Ok(0), |row| row.try_get::<i64, _>(0))?;
        Ok(if busy == 0 {
            "overwritten, and SQLite's write-ahead log is emptied"
        } else {
            "overwritten; SQLite's write-ahead log is emptied when nobody reads"
        })
    }

    /// The newest proofs, newest first.
    pub async fn proofs(&self, about: &About, at_most: i64) -> anyhow::Result<Vec<Proof>> {
        let sql = format!(
            "-- retention_proofs
            select {COLUMNS} from retention_proofs where environment = $1 and flag = $2
            order by deleted_at desc, class, id limit $3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading proofs of deletion")?;
        rows.iter().map(Proof::read).collect()
    }
}
