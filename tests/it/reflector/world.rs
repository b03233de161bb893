//! Reflector's database with its own schema, filled with rows that were recorded from a real one.

use std::path::PathBuf;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use switchyard::{
    legacy::{
        recorded::{self, Recorded},
        reflector::{Reflector, write::RowWriter},
    },
    model::{RunId, TranscriptId},
    rollout::{Live, Owner, Ownership},
};
use url::Url;

use crate::{
    database::{Database, Kind},
    standup,
};

pub const UI: &str = "https://reflector.example.test";

/// The recorded runs of the whole pipeline.
pub const CASES: [&str; 8] = [
    "base",
    "consent_denied",
    "silent_track",
    "all_tracks_wordless",
    "start0_track",
    "transcription_failure",
    "webhook_retry",
    "reprocess_zulip_patch",
];

/// Which of Reflector's schemas.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// The newest.
    All,
    /// That of a deployment without the columns of its workflow experiments.
    WithoutWorkflows,
}

/// Reflector's database, and a role that may only read it.
pub struct World {
    pub database: Database,
    /// For the owner's hand.
    pub owner: PgConnection,
    pub reflector: Reflector,
    pub reader: String,
}

impl World {
    /// None where there is no PostgreSQL; the test is then skipped, aloud.
    pub async fn fresh(columns: Columns) -> Option<Self> {
        let database = Database::fresh(Kind::Postgres).await?;
        let mut owner = PgConnection::connect(&database.url).await.expect("it");
        run(&mut owner, include_str!("../../legacy/schema.sql")).await;
        if columns == Columns::All {
            run(
                &mut owner,
                include_str!("../../legacy/workflow_columns.sql"),
            )
            .await;
        }
        let reader = format!("reader_{}", uuid::Uuid::new_v4().simple());
        let role = format!(
            "create role {reader} login password 'reading';
             grant select on all tables in schema public to {reader}"
        );
        run(&mut owner, &role).await;

        let mut url = Url::parse(&database.url).expect("it is a URL");
        url.set_username(&reader).expect("it takes a user");
        url.set_password(Some("reading")).expect("and a password");
        Some(Self {
            reflector: Reflector::open(url.as_str()).expect("it is taken"),
            database,
            owner,
            reader,
        })
    }

    /// As [`World::fresh`], with the rows a recorded run left.
    pub async fn after(case: &str) -> Option<Self> {
        let mut world = Self::fresh(Columns::All).await?;
        world.fill(&rows(case, "db_after")).await;
        Some(world)
    }

    /// Puts in rows by table, columns this schema lacks left out.
    pub async fn fill(&mut self, tables: &Value) {
        for table in [
            "room",
            "calendar_event",
            "meeting",
            "meeting_consent",
            "recording",
            "transcript",
        ] {
            for row in tables[table].as_array().into_iter().flatten() {
                self.insert(table, row).await;
            }
        }
    }

    async fn insert(&mut self, table: &str, row: &Value) {
        let known: Vec<String> = sqlx::query_scalar(
            "select attname::text from pg_attribute
             where attrelid = $1::text::regclass and attnum > 0 and attgenerated = ''",
        )
        .bind(table)
        .fetch_all(&mut self.owner)
        .await
        .expect("columns can be listed");
        let row_has = |column: &&String| row.get(column.as_str()).is_some();
        let columns: Vec<_> = known.iter().filter(row_has).map(String::as_str).collect();
        let columns = columns.join(", ");
        let sql = format!(
            "insert into {table} ({columns})
             select {columns} from json_populate_record(null::{table}, $1::text::json)"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(row.to_string())
            .execute(&mut self.owner)
            .await
            .expect("a row goes in");
    }

    /// A recorded run's rows as its pipeline task found them, and a writer for them.
    pub async fn at_dispatch(case: &str) -> Option<(Self, RowWriter)> {
        let mut world = Self::fresh(Columns::All).await?;
        world.fill(&rows_at_dispatch(case)).await;
        let writer = world.writer();
        Some((world, writer))
    }

    pub fn writer(&self) -> RowWriter {
        let url = self
            .database
            .url
            .replace("postgres://", "postgresql+asyncpg://");
        RowWriter::open(&url).expect("it is taken")
    }

    /// The transcript's row.
    pub async fn row(&mut self, id: &TranscriptId) -> Value {
        let text: String =
            sqlx::query_scalar("select row_to_json(t)::text from transcript t where id = $1")
                .bind(id.as_str())
                .fetch_one(&mut self.owner)
                .await
                .expect("it is there");
        serde_json::from_str(&text).expect("it is JSON")
    }

    /// A column of the transcript's row as PostgreSQL prints it.
    pub async fn text(&mut self, id: &TranscriptId, column: &str) -> Option<String> {
        let sql = format!("select {column}::text from transcript where id = $1");
        sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(id.as_str())
            .fetch_one(&mut self.owner)
            .await
            .expect("it is there")
    }

    /// Changes something as the owner.
    pub async fn change(&mut self, sql: &str) {
        run(&mut self.owner, sql).await;
    }

    /// All rows of all tables.
    pub async fn everything(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        for table in [
            "alembic_version",
            "room",
            "calendar_event",
            "meeting",
            "meeting_consent",
            "daily_participant_session",
            "recording",
            "transcript",
        ] {
            // With the number of the transaction that wrote each row last.
            let sql = format!("select xmin::text || row_to_json(t)::text from {table} t");
            let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_all(&mut self.owner)
                .await
                .expect("rows can be read");
            found.extend(rows);
        }
        found
    }

    pub async fn remove(mut self) {
        self.reflector.close().await;
        let leave = format!("drop owned by {0}; drop role {0}", self.reader);
        run(&mut self.owner, &leave).await;
        drop(self.owner);
        self.database.remove().await;
    }
}

/// The proof that some run owns a recording.
pub fn live() -> Live {
    let run = RunId::new("run_1");
    let ownership = Ownership {
        recording_id: "r".into(),
        owner: Owner::Candidate,
        run_id: Some(run.clone()),
        epoch: 1,
    };
    Live::of(&ownership, &run).expect("it owns it")
}

async fn run(connection: &mut PgConnection, sql: &str) {
    let script = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    connection.execute(script).await.expect("the script runs");
}

pub fn folder(case: &str) -> PathBuf {
    standup::folder().join("expected").join(case)
}

pub fn recorded(case: &str) -> Recorded {
    recorded::load(&folder(case), Some(UI)).expect("it was recorded")
}

/// The id of a recorded run's transcript.
pub fn transcript(case: &str) -> TranscriptId {
    recorded(case).subject.transcript.id
}

pub fn rows(case: &str, file: &str) -> Value {
    standup::json(&format!("expected/{case}/{file}.json"))
}

/// The rows as the pipeline task found them: those of before, and those the trigger made since.
pub fn rows_at_dispatch(case: &str) -> Value {
    let mut found = rows(case, "db_before");
    let after = rows(case, "db_after");
    for table in ["recording", "transcript"] {
        let is_empty = found[table].as_array().is_none_or(Vec::is_empty);
        if is_empty {
            found[table] = after[table].clone();
            let row = &mut found[table][0];
            if table == "transcript" {
                row["status"] = json!("idle");
                row["audio_location"] = json!("local");
                for column in [
                    "duration",
                    "long_summary",
                    "topics",
                    "events",
                    "title",
                    "short_summary",
                    "participants",
                    "zulip_message_id",
                    "audio_deleted",
                    "webvtt",
                ] {
                    row[column] = Value::Null;
                }
            }
        }
    }
    found
}
