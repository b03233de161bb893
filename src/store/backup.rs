//! The whole database as a file of lines, and back: a copy against loss, and the way from SQLite to
//! PostgreSQL.
//!
//! Lines are JSON. The first says what wrote the file and under which migrations; then, table by table,
//! one array a row, after a line with the table's name and columns; the last holds the number of rows and
//! the SHA-256 of everything before it, so that a file that was cut short or changed is refused.

use anyhow::Context;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{Any, AssertSqlSafe, Column as _, Row, Transaction, ValueRef as _, any::AnyRow};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{Dialect, MIGRATOR, NewHold, Store, audit, facts::About, holds, millis};
use crate::{
    gate::Rules,
    model::{EnvironmentName, FlagName},
};

/// Every table of ours, those that others refer to first.
pub const TABLES: [&str; 61] = [
    "controls",
    "runs",
    "outputs",
    "cached_answers",
    "intents",
    "attempts",
    "usages",
    "spooled_results",
    "engine_workflow_defs",
    "engine_task_defs",
    "engine_runs",
    "engine_tasks",
    "engine_queue",
    "engine_task_logs",
    "comparisons",
    "comparison_fields",
    "ownership",
    "effects",
    "phases",
    "routes",
    "arrivals",
    "mirrors",
    "audit_head",
    "audit",
    "holds",
    "overrides",
    "requests",
    "approvals",
    "notices",
    "notice_deliveries",
    "told_changes",
    "leases",
    "breakers",
    "probes",
    "rehearsals",
    "exports",
    "routing_rules",
    "shadow_spending",
    "sample_ratios",
    "replays",
    "replay_items",
    "comparison_facts",
    "noise_fields",
    "review_items",
    "review_opened",
    "review_acts",
    "review_choices",
    "review_rules",
    "selftests",
    "selftest_scores",
    "shared_answers",
    "shared_savings",
    "pinnings",
    "mirrorings",
    "tokens",
    "sessions",
    "sign_ins",
    "traces",
    "repeats",
    "retention_proofs",
    "strata_seen",
];

/// The version of the format above.
const FORMAT: u32 = 1;
/// For how long a restored migration is held before somebody is reminded.
const HELD: chrono::TimeDelta = chrono::TimeDelta::days(1);
pub(super) const RESTORED: &str = "restored from a backup: nobody may do anything more for it before somebody has looked what was done since";

#[derive(Serialize, Deserialize)]
struct Head {
    switchyard_backup: u32,
    version: String,
    made_at: DateTime<Utc>,
    migrations: Vec<(i64, String)>,
}

#[derive(Serialize, Deserialize)]
struct Table {
    table: String,
    columns: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Tail {
    rows: u64,
    sha256: String,
}

/// What was copied out or in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Copied {
    /// Rows of each table, in the file's order; tables without rows are not in it.
    pub tables: Vec<(String, u64)>,
    /// When the backup was made.
    pub made_at: DateTime<Utc>,
}

impl Copied {
    /// All rows.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, rows)| rows).sum()
    }
}

/// What a restored database asks people to look at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Restored {
    /// What was put in.
    #[serde(flatten)]
    pub copied: Copied,
    /// Recordings that the candidate was serving: nobody does anything for them any more.
    pub fenced: u64,
    /// Environments that are held.
    pub held: Vec<EnvironmentName>,
}

/// The migrations this program applies, with their digests.
fn migrations() -> Vec<(i64, String)> {
    MIGRATOR
        .iter()
        .map(|migration| (migration.version, hex::encode(&*migration.checksum)))
        .collect()
}

impl Store {
    /// How many rows each table has.
    pub async fn row_counts(&self) -> anyhow::Result<Vec<(String, Value)>> {
        let mut counts = Vec::with_capacity(TABLES.len());
        for table in TABLES {
            let sql = AssertSqlSafe(format!("-- row_counts\n select count(*) from {table}"));
            let count: i64 = sqlx::query_scalar(sql)
                .fetch_one(&self.pool)
                .await
                .context("counting rows")?;
            counts.push((table.to_owned(), Value::from(count)));
        }
        Ok(counts)
    }

    /// Writes everything there is, as it was at one moment, however long that takes and whatever is
    /// written meanwhile.
    pub async fn back_up(
        &self,
        into: &mut (impl AsyncWrite + Unpin),
        now: DateTime<Utc>,
    ) -> anyhow::Result<Copied> {
        let doing = "reading our database for a backup";
        // Not `begin`: readers hold up nobody.
        let mut tx = self.pool.begin().await.context(doing)?;
        if self.dialect == Dialect::Postgres {
            let sql = "set transaction isolation level repeatable read, read only";
            sqlx::query(sql).execute(&mut *tx).await.context(doing)?;
        }
        let mut lines = Lines {
            into,
            hash: Sha256::new(),
        };
        lines
            .write(&Head {
                switchyard_backup: FORMAT,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                made_at: now,
                migrations: migrations(),
            })
            .await?;
        let mut tables = Vec::new();
        for table in TABLES {
            let sql = AssertSqlSafe(format!("-- back_up\n select * from {table}"));
            let mut rows = sqlx::query(sql).fetch(&mut *tx);
            let mut count = 0;
            while let Some(row) = rows.try_next().await.context(doing)? {
                if count == 0 {
                    let columns = row.columns().iter();
                    lines
                        .write(&Table {
                            table: table.to_owned(),
                            columns: columns.map(|column| column.name().to_owned()).collect(),
                        })
                        .await?;
                }
                lines.write(&values(&row).context(doing)?).await?;
                count += 1;
            }
            if count > 0 {
                tables.push((table.to_owned(), count));
            }
        }
        tx.rollback().await.context(doing)?;
        let copied = Copied {
            tables,
            made_at: now,
        };
        let sha256 = hex::encode(lines.hash.clone().finalize());
        let rows = copied.rows();
        lines.write(&Tail { rows, sha256 }).await?;
        into.flush().await.context("writing the backup")?;
        Ok(copied)
    }

    /// Fills an empty database from a backup, whole or not at all.
    ///
    /// What was done after the backup is not in it. So that nothing is done a second time, recordings
    /// the candidate was serving then are taken from their runs, which may do nothing more, and every
    /// migration is held. Everybody has to sign in again.
    ///
    /// # Errors
    ///
    /// When the database is not empty, when the file is no whole backup, when it was made under other
    /// migrations, or when its audit trail is not whole.
    pub async fn restore(
        &self,
        from: &mut (impl AsyncBufRead + Unpin),
        (by, reason): (&str, &str),
        now: DateTime<Utc>,
    ) -> anyhow::Result<Restored> {
        let doing = "restoring our database";
        let mut tx = self.begin().await.context(doing)?;
        if let Some(table) = first_in_use(&mut tx).await.context(doing)? {
            anyhow::bail!(
                "the database has rows in `{table}` already; name an empty one in `database.url`"
            );
        }
        sqlx::query("-- restore_over\n delete from audit_head")
            .execute(&mut *tx)
            .await
            .context(doing)?;
        let copied = copy_in(&mut tx, from).await?;
        if let Err(broken) = audit::verify(&mut tx).await? {
            anyhow::bail!(
                "the audit trail in the backup is broken: {broken}; restore another backup; nothing was restored"
            );
        }
        let fenced = fence(&mut tx, now).await.context(doing)?;
        // Who has signed out since is not to be signed in again.
        for sql in [
            "-- end_sessions\n delete from sessions",
            "-- end_sign_ins\n delete from sign_ins",
        ] {
            sqlx::query(sql).execute(&mut *tx).await.context(doing)?;
        }
        let mut held = Vec::new();
        for about in migrations_of(&mut tx).await.context(doing)? {
            let placed = NewHold {
                owner: by.to_owned(),
                reason: format!(
                    "restored from the backup of {}: {reason}",
                    copied.made_at.format("%Y-%m-%d %H:%M UTC")
                ),
                expires_at: now + HELD,
            };
            holds::place(&mut tx, &about, &placed, now).await?;
            held.push(about.environment);
        }
        tx.commit().await.context(doing)?;
        Ok(Restored {
            copied,
            fenced,
            held,
        })
    }
}

/// The first table that has rows, but for the one that always has.
async fn first_in_use(tx: &mut Transaction<'static, Any>) -> sqlx::Result<Option<&'static str>> {
    for table in TABLES.iter().filter(|&&table| table != "audit_head") {
        let sql = AssertSqlSafe(format!("-- in_use\n select 1 from {table} limit 1"));
        let row = sqlx::query(sql).fetch_optional(&mut **tx).await?;
        if row.is_some() {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// Puts in every row of the file, if it is whole and of our migrations.
async fn copy_in(
    tx: &mut Transaction<'static, Any>,
    from: &mut (impl AsyncBufRead + Unpin),
) -> anyhow::Result<Copied> {
    let mut lines = Reader {
        from,
        hash: Sha256::new(),
        number: 0,
    };
    let head: Head = match lines.next().await? {
        Some((text, _)) => serde_json::from_str(&text).ok(),
        None => None,
    }
    .filter(|head: &Head| head.switchyard_backup == FORMAT)
    .context("this is no backup that this version reads; `switchyard backup` writes one")?;
    anyhow::ensure!(
        head.migrations == migrations(),
        "the backup was made by version {} under other migrations; restore it with that version, then start this one on the database",
        head.version
    );
    let mut tables: Vec<(String, u64)> = Vec::new();
    let mut columns = Vec::new();
    loop {
        let Some((text, before)) = lines.next().await? else {
            anyhow::bail!(
                "the backup ends after line {} without its last line: it was cut short; nothing was restored",
                lines.number
            );
        };
        let wrong = || {
            format!(
                "line {} of the backup is no line of one; nothing was restored",
                lines.number
            )
        };
        match serde_json::from_str(&text).with_context(wrong)? {
            Value::Array(values) => {
                let (table, count) = tables.last_mut().with_context(wrong)?;
                insert(tx, table, &columns, &values).await.with_context(|| {
                    format!(
                        "line {} does not fit those before: the backup is not as it was written; nothing was restored",
                        lines.number
                    )
                })?;
                *count += 1;
            }
            told if told.get("table").is_some() => {
                let told: Table = serde_json::from_value(told).with_context(wrong)?;
                anyhow::ensure!(
                    TABLES.contains(&told.table.as_str())
                        && told.columns.iter().all(|name| is_word(name)),
                    wrong()
                );
                columns = told.columns;
                tables.push((told.table, 0));
            }
            told => {
                let tail: Tail = serde_json::from_value(told).with_context(wrong)?;
                let copied = Copied {
                    tables,
                    made_at: head.made_at,
                };
                anyhow::ensure!(
                    tail.sha256 == hex::encode(before.finalize()) && tail.rows == copied.rows(),
                    "the backup is not as it was written; nothing was restored"
                );
                return Ok(copied);
            }
        }
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Puts in one row. What is missing is in the statement: a placeholder for it would need a type.
async fn insert(
    tx: &mut Transaction<'static, Any>,
    table: &str,
    columns: &[String],
    values: &[Value],
) -> anyhow::Result<()> {
    anyhow::ensure!(
        columns.len() == values.len(),
        "it has another number of values"
    );
    let mut places = Vec::with_capacity(values.len());
    let mut bound = 0;
    for value in values {
        if value.is_null() {
            places.push("null".to_owned());
        } else {
            bound += 1;
            places.push(format!("${bound}"));
        }
    }
    let sql = format!(
        "-- restore\n insert into {table} ({}) values ({})",
        columns.join(", "),
        places.join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for value in values {
        query = match value {
            Value::Null => query,
            Value::String(text) => query.bind(text.as_str()),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => query.bind(whole),
                None => query.bind(number.as_f64().context("a number is out of range")?),
            },
            _ => anyhow::bail!("a value is neither a text nor a number"),
        };
    }
    query.execute(&mut **tx).await?;
    Ok(())
}

/// A row as JSON: texts, whole numbers, other numbers, nothing.
fn values(row: &AnyRow) -> anyhow::Result<Vec<Value>> {
    (0..row.len())
        .map(|at| {
            if row.try_get_raw(at)?.is_null() {
                return Ok(Value::Null);
            }
            if let Ok(text) = row.try_get::<String, _>(at) {
                return Ok(Value::String(text));
            }
            if let Ok(whole) = row.try_get::<i64, _>(at) {
                return Ok(Value::from(whole));
            }
            Ok(Value::from(row.try_get::<f64, _>(at)?))
        })
        .collect()
}

/// Takes what was under way from every run, as a takeover that came to its end would, but gives it to
/// nobody: whatever was done since the backup is not done again.
async fn fence(tx: &mut Transaction<'static, Any>, now: DateTime<Utc>) -> sqlx::Result<u64> {
    let sql = "-- fence_restored
        update ownership
        set owner = 'control', epoch = epoch + 1, reason = $1, changed_at = $2, given_at = $2
        where owner = 'candidate' and stage <> 'delivered'";
    let fenced = sqlx::query(sql)
        .bind(RESTORED)
        .bind(millis(now))
        .execute(&mut **tx)
        .await?;
    Ok(fenced.rows_affected())
}

/// Every migration that anything is known of.
async fn migrations_of(tx: &mut Transaction<'static, Any>) -> anyhow::Result<Vec<About>> {
    let sql = "-- restored_migrations
        select environment, flag from phases order by environment, flag";
    let rows = sqlx::query(sql).fetch_all(&mut **tx).await?;
    rows.iter()
        .map(|row| {
            Ok(About {
                environment: EnvironmentName::new(row.try_get::<String, _>("environment")?),
                flag: FlagName::new(row.try_get::<String, _>("flag")?),
                epoch: String::new(),
                after: None,
                gate: Rules::default(),
            })
        })
        .collect()
}

/// Writes lines, and digests them.
struct Lines<'a, W> {
    into: &'a mut W,
    hash: Sha256,
}

impl<W: AsyncWrite + Unpin> Lines<'_, W> {
    async fn write(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        let doing = "writing the backup";
        let mut text = serde_json::to_string(line).context(doing)?;
        text.push('\n');
        self.hash.update(text.as_bytes());
        self.into.write_all(text.as_bytes()).await.context(doing)
    }
}

/// Reads lines, and digests them.
struct Reader<'a, R> {
    from: &'a mut R,
    hash: Sha256,
    number: u64,
}

impl<R: AsyncBufRead + Unpin> Reader<'_, R> {
    /// The next line, with the state of the digest before it.
    async fn next(&mut self) -> anyhow::Result<Option<(String, Sha256)>> {
        let before = self.hash.clone();
        let mut text = String::new();
        let read = self.from.read_line(&mut text).await;
        if read.context("reading the backup")? == 0 {
            return Ok(None);
        }
        self.hash.update(text.as_bytes());
        self.number += 1;
        Ok(Some((text, before)))
    }
}
