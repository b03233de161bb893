//! Our database: all SQL we own.
//!
//! One SQL text serves SQLite and PostgreSQL through sqlx's `Any` driver. That holds as long as
//! columns are text, bigint or double precision (times are milliseconds since the epoch, JSON is
//! text), placeholders are `$1`, and statements keep to what both speak: `insert … on conflict`,
//! `update … returning`.

mod all_of;
mod arrivals;
mod as_of;
mod audit;
mod backup;
mod cache;
mod comparisons;
mod controls;
mod deliveries;
mod durations;
mod effects;
pub mod engine;
mod evidence;
mod exports;
mod facts;
mod health;
mod holds;
mod intents;
mod leases;
mod mirroring;
mod mirrors;
mod noise;
mod notices;
mod outputs;
mod ownership;
mod phases;
mod pinnings;
mod ratios;
mod readings;
mod recordings;
mod rehearsals;
mod repeats;
mod replays;
mod reports;
mod requests;
mod retention;
mod reviews;
mod routes;
mod rules;
mod runs;
mod selftests;
mod served;
mod sessions;
mod sharing;
mod spool;
mod standing;
mod sweeps;
mod throughput;
mod timeline;
mod tokens;
mod told;
mod traces;
mod trail;

use std::{
    borrow::Cow,
    str::FromStr,
    sync::{Arc, Once},
    time::Duration,
};

use anyhow::Context;
use sqlx::{
    Any, AnyPool, Connection, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions},
};

pub use all_of::{AllOf, ControlHead};
pub use arrivals::{Arrival, NobodyServes, Pinned, Way, Wish};
pub use audit::WhichEntries;
pub use backup::{Copied, Restored, TABLES};
pub use comparisons::{ComparisonFacts, StoredComparison, StoredField};
pub use controls::Control;
pub use deliveries::{Backlog, Came, Claimed, Delivery, DeliveryState, ToldNotice};
pub use effects::{Claim, Effect, EffectState, Lease};
pub use evidence::{Beside, gate_severity};
pub use exports::Export;
pub use facts::About;
pub use health::{BreakerChange, BreakerRow, ProbeRow};
pub use holds::NewHold;
pub use intents::{Intent, IntentKind};
pub use mirroring::{Mirrored, Unmirrored};
pub use mirrors::{Mirror, MirrorOutcome, MirrorState};
pub use noise::{NoiseField, Second, SecondOf};
pub use notices::Notice;
pub use outputs::{CheckedIn, Output};
pub use ownership::{Stage, Takeover};
pub use phases::{Flipped, PhaseLine, PhaseRow};
pub use pinnings::Pinning;
pub use ratios::StoredRatio;
pub use recordings::{ListedRecording, ListedRun, Place, RunStanding, Serves, Sought};
pub use rehearsals::{Rehearsal, RehearsalLine};
pub use repeats::{Begun, REPEATS_AT_MOST, REPEATS_KEPT, Repeat};
pub use replays::{EarlierRun, ItemState, Replay, ReplayItem, ReplayState, Skipped};
pub use reports::{ReportLine, WhichReports};
pub use requests::{Request, RequestLine};
pub use retention::{Batch, Candidate, Proof};
pub use routes::{RouteRow, RouteState};
pub use rules::{NotChanged, RulesRow};
pub use runs::{Effects, NewRun, OpenRuns, Run};
pub use selftests::SelfTest;
pub use sessions::{Session, SigningIn};
pub use sharing::{AnswerCost, GivenAnswer, Savings, SharedAnswer};
pub use spool::Spooled;
pub use standing::{Spent, Standing};
pub use sweeps::Unswept;
pub use throughput::Throughput;
pub use tokens::{NOTED_EVERY, NewToken, Token, TokenLine};
pub use told::{Mark, ToldEvent};
pub use traces::{Untold, Window};
pub use trail::{Attempt, FailedStep, MeteredUsage, UsageOfRun};

/// The migrations, applied in order by [`Store::open`].
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// A pool of connections to our database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    /// The connections; queries outside this module are a mistake.
    pub(crate) pool: AnyPool,
    dialect: Dialect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Sqlite,
    Postgres,
}

impl Store {
    /// Opens `sqlite:PATH`, `sqlite::memory:` or `postgres://…` and applies pending migrations.
    /// A SQLite file is made where there is none.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        Self::open_in(url, None).await
    }

    /// The same, with our tables in a PostgreSQL schema, which is made where there is none. Its
    /// name has to be one word of small letters.
    pub async fn open_in(url: &str, schema: Option<&str>) -> anyhow::Result<Self> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);

        let (dialect, url) = if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.trim_start_matches("//");
            let mode = if path.contains('?') || path == ":memory:" {
                ""
            } else {
                "?mode=rwc"
            };
            (Dialect::Sqlite, format!("sqlite:{path}{mode}"))
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            (Dialect::Postgres, url.to_owned())
        } else {
            anyhow::bail!(
                "`database.url` names no database we speak; write `sqlite:PATH` or `postgres://…`"
            );
        };
        let options = AnyConnectOptions::from_str(&url)
            .map_err(|_| anyhow::anyhow!("`database.url` cannot be read as a URL"))?;
        let at_home: Option<Arc<str>> = match schema {
            Some(schema) if dialect == Dialect::Postgres => {
                make_schema(&url, schema).await?;
                Some(format!("set search_path to {schema}").into())
            }
            _ => None,
        };
        let pool = AnyPoolOptions::new()
            // An in-memory database lives in its one connection.
            .max_connections(if url.contains(":memory:") { 1 } else { 8 })
            .acquire_timeout(Duration::from_secs(15))
            .after_connect(move |connection, _| {
                let at_home = at_home.clone();
                Box::pin(async move {
                    if let Some(at_home) = at_home {
                        let sql = sqlx::AssertSqlSafe(at_home.to_string());
                        sqlx::query(sql).execute(&mut *connection).await?;
                    }
                    if dialect == Dialect::Sqlite {
                        for pragma in [
                            "pragma busy_timeout = 15000",
                            "pragma journal_mode = wal",
                            "pragma synchronous = full",
                            "pragma foreign_keys = on",
                            // What is deleted is overwritten: what was said in meetings among it.
                            "pragma secure_delete = on",
                        ] {
                            sqlx::query(pragma).execute(&mut *connection).await?;
                        }
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await
            .context("connecting to our database (`database.url`)")?;
        let store = Self { pool, dialect };
        store
            .migrate()
            .await
            .context("applying migrations to our database")?;
        Ok(store)
    }

    /// Applies pending migrations, one process at a time. The migrator takes a lock for that on
    /// PostgreSQL but none on SQLite, where the write lock is taken first.
    async fn migrate(&self) -> anyhow::Result<()> {
        match self.dialect {
            Dialect::Sqlite => {
                let mut tx = self.begin().await?;
                // What `run` calls; the compiler cannot see that `run` may change threads here.
                MIGRATOR.run_direct(None, &mut *tx, false).await?;
                tx.commit().await?;
            }
            Dialect::Postgres => MIGRATOR.run(&self.pool).await?,
        }
        Ok(())
    }

    /// Begins a transaction that may write. On SQLite it takes the write lock at once, since a
    /// read that turns into a write fails when somebody else wrote in between.
    ///
    /// It goes on though nobody waits for it any more: the driver would take a connection back with
    /// the transaction open, and whatever is written on that one later is lost.
    pub async fn begin(&self) -> sqlx::Result<Transaction<'static, Any>> {
        let (pool, dialect) = (self.pool.clone(), self.dialect);
        let beginning = tokio::spawn(async move {
            match dialect {
                Dialect::Sqlite => pool.begin_with("begin immediate").await,
                Dialect::Postgres => pool.begin().await,
            }
        });
        match beginning.await {
            Ok(begun) => begun,
            Err(ended) => Err(sqlx::Error::Io(std::io::Error::other(ended))),
        }
    }

    /// Answers whether the database answers.
    pub async fn ping(&self) -> sqlx::Result<()> {
        sqlx::query("select 1").execute(&self.pool).await.map(drop)
    }

    /// Which of the two databases this is, for people.
    pub const fn kind(&self) -> &'static str {
        match self.dialect {
            Dialect::Sqlite => "SQLite",
            Dialect::Postgres => "PostgreSQL",
        }
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

async fn make_schema(url: &str, schema: &str) -> anyhow::Result<()> {
    let doing = || format!("making the schema `{schema}` (`database.schema`)");
    let mut connection = sqlx::AnyConnection::connect(url)
        .await
        .with_context(doing)?;
    let sql = format!("create schema if not exists {schema}");
    let made = sqlx::query(sqlx::AssertSqlSafe(sql))
        .execute(&mut connection)
        .await;
    // Somebody else may make it at the same moment.
    let exists = "select count(*) from pg_namespace where nspname = $1";
    let found: i64 = sqlx::query_scalar(exists)
        .bind(schema)
        .fetch_one(&mut connection)
        .await
        .with_context(doing)?;
    if found == 0 {
        made.with_context(doing)?;
    }
    connection.close().await.with_context(doing)
}

/// A text as both databases take it: PostgreSQL refuses NUL, which an answer from outside may hold.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// A number that is not negative, or -1 for none, which its place takes as `nullif($n, -1)`. sqlx tells
/// PostgreSQL that a missing `double precision` is a `real`, and a statement prepared with one refuses
/// every number after it.
pub(crate) fn known(number: Option<f64>) -> f64 {
    number.filter(|number| number.is_finite()).unwrap_or(-1.0)
}

/// Milliseconds since the epoch, as every time column has them.
pub(crate) fn millis(at: chrono::DateTime<chrono::Utc>) -> i64 {
    at.timestamp_millis()
}

/// Reads a time column back.
pub(crate) fn time(millis: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_millis(millis).unwrap_or_default()
}
