//! Reflector's side of a world: its database as the trigger leaves it when a recording arrives,
//! its Redis with somebody listening, its data folder.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use futures_util::StreamExt;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use switchyard::{
    controller::Telling,
    gateway::{Gateway, Outside},
    legacy::{
        celery::Limits,
        reflector::{DataDir, Publisher, Reflector, RowWriter, same_database},
    },
    model::Published,
    objects::Objects,
    providers::{Webhook, Zulip},
    sandbox::{Sandbox, Service},
    store::Store,
    workers::Clock,
};
use tempfile::TempDir;

use crate::{
    database::{Database, Kind},
    redis::{Redis, Server},
    world::{PATIENCE, fixtures},
};

/// Where our own tables lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// In Reflector's database, under a schema.
    Inside,
    /// In a database of our own.
    Apart,
}

/// Reflector, but for its workers.
pub struct Side {
    pub database: Database,
    pub redis: Redis,
    _server: Server,
    pub data: TempDir,
    /// For the owner's hand.
    pub owner: PgConnection,
    heard: Arc<Mutex<Vec<Published>>>,
}

/// What the trigger sets when it makes a transcript's row (legacy contract, 1.4).
fn fresh() -> Value {
    json!({
        "status": "idle", "title": null, "short_summary": null, "long_summary": null,
        "topics": [], "events": [], "participants": [], "duration": 0, "webvtt": null,
        "audio_location": "local", "zulip_message_id": null, "audio_deleted": null,
    })
}

impl Side {
    /// The rows of a recorded case when its recording has just arrived. None without PostgreSQL or
    /// Redis; the test is then skipped, aloud.
    pub async fn arrived(case: &str) -> Option<Self> {
        // One of its own: pub/sub knows no databases, and every world has the same transcript.
        let server = Server::start()?;
        let redis = Redis::open(server.url(), String::new()).await;
        let database = Database::fresh(Kind::Postgres).await?;
        let mut owner = PgConnection::connect(&database.url).await.expect("it");
        for script in [
            include_str!("../legacy/schema.sql"),
            include_str!("../legacy/workflow_columns.sql"),
        ] {
            owner.execute(script).await.expect("the script runs");
        }
        let path = fixtures()
            .join("standup/expected")
            .join(case)
            .join("db_after.json");
        let text = std::fs::read_to_string(path).expect("the rows are recorded");
        let mut rows: Value = serde_json::from_str(&text).expect("they are JSON");
        let begins = fresh();
        for row in rows["transcript"].as_array_mut().expect("there is one") {
            for (column, value) in begins.as_object().expect("an object") {
                row[column] = value.clone();
            }
        }
        let mut side = Self {
            heard: listen(&redis).await,
            data: tempfile::tempdir().expect("a folder"),
            database,
            redis,
            _server: server,
            owner,
        };
        side.fill(&rows).await;
        Some(side)
    }

    async fn fill(&mut self, tables: &Value) {
        for table in [
            "room",
            "meeting",
            "meeting_consent",
            "recording",
            "transcript",
        ] {
            for row in tables[table].as_array().into_iter().flatten() {
                let mut columns: Vec<_> = row.as_object().expect("a row").keys().cloned().collect();
                columns.retain(|column| column != "search_vector_en");
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
        }
    }

    /// The one row of a table.
    pub async fn row(&mut self, table: &str) -> Value {
        let sql = format!("select row_to_json(t)::text from {table} t");
        let text: String = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut self.owner)
            .await
            .expect("a row");
        serde_json::from_str(&text).expect("it is JSON")
    }

    pub async fn change(&mut self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        self.owner.execute(sql).await.expect("it is done");
    }

    /// What browsers were told on Reflector's own channels, in order.
    pub fn heard(&self) -> Vec<Published> {
        self.told(|message| !message.channel.starts_with("progress:"))
    }

    /// What was told of progress, in order.
    pub fn progress(&self) -> Vec<Published> {
        self.told(|message| message.channel.starts_with("progress:"))
    }

    fn told(&self, is_wanted: impl Fn(&Published) -> bool) -> Vec<Published> {
        let mut told = self.heard.lock().expect("nobody panics with it").clone();
        told.retain(is_wanted);
        told
    }

    /// Tells progress on a channel of its own.
    pub fn telling(&self) -> Telling {
        let limits = Limits::default();
        Telling {
            publisher: Publisher::new(&self.redis.location(), limits).expect("it"),
            channel: "progress:{transcript_id}".to_owned(),
        }
    }

    /// Everything effects go to, with the world's stand-ins.
    pub fn gateway(
        &self,
        store: &Store,
        objects: &Objects,
        sandbox: &Sandbox,
        clock: Clock,
    ) -> Gateway {
        let own = store.clone();
        let inside = own.kind() == "PostgreSQL";
        let relays = BTreeMap::from([
            ("zulip.example.test".to_owned(), sandbox.url(Service::Zulip)),
            (
                "hooks.example.test".to_owned(),
                sandbox.url(Service::Webhook),
            ),
        ]);
        let url = &self.database.url;
        assert!(same_database(url, url));
        let zulip = Zulip::new(
            "zulip.example.test",
            "reflector-bot@zulip.example.test",
            "key",
            PATIENCE,
            &relays,
        );
        Gateway::new(Outside {
            store: own,
            reflector: Reflector::open(url).expect("it is taken"),
            rows: RowWriter::open(url).expect("it is taken"),
            shares_database: inside,
            publisher: Some(Publisher::new(&self.redis.location(), Limits::default()).expect("it")),
            data_dir: Some(DataDir::new(self.data.path())),
            objects: objects.clone(),
            zulip: Some(zulip.expect("a client")),
            webhook: Webhook::within(PATIENCE, &relays).expect("a client"),
            clock,
        })
    }

    /// The file of the waveform, where one was written.
    pub fn waveform(&self, transcript: &str) -> Option<String> {
        let path: PathBuf = self.data.path().join(transcript).join("audio.json");
        std::fs::read_to_string(path).ok()
    }

    pub async fn remove(self) {
        drop(self.owner);
        self.database.remove().await;
    }
}

/// Listens from now on.
async fn listen(redis: &Redis) -> Arc<Mutex<Vec<Published>>> {
    let client = redis::Client::open(&*redis.url).expect("a URL");
    let mut listening = client.get_async_pubsub().await.expect("a connection");
    listening
        .psubscribe(&["ts:*", "user:*", "progress:*"])
        .await
        .expect("it listens");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&heard);
    tokio::spawn(async move {
        let mut messages = listening.on_message();
        while let Some(message) = messages.next().await {
            into.lock().expect("nobody panics with it").push(Published {
                channel: message.get_channel_name().to_owned(),
                payload: message.get_payload().expect("it is text"),
            });
        }
    });
    heard
}
