//! A site with everything a mirror needs, and a worker in the legacy's place.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, PgPool};
use switchyard::{
    app::{App, MirrorLimits, Mirrors},
    config::Config,
    legacy::celery::{Envelope, Queue},
    model::TranscriptId,
    objects::{self, Addressing, Objects, Settings},
    store::Mirror,
};
use tempfile::TempDir;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::super::world::{UI, World, transcript};
use crate::{redis::Redis, standup};

/// Reflector's bucket, and Daily's.
pub const BUCKETS: [&str; 2] = ["reflector-transcripts", "daily-recordings"];

pub struct Site {
    pub world: World,
    pub redis: Redis,
    pub app: App,
    pub objects: Objects,
    pub folder: TempDir,
    /// Seconds the clock was put forward.
    clock: Arc<AtomicI64>,
    _serving: AbortOnDropHandle<()>,
}

/// Everything outside our own database.
#[derive(Debug, PartialEq)]
pub struct Outside {
    rows: Vec<String>,
    objects: Vec<String>,
    keys: Vec<String>,
    files: Vec<PathBuf>,
}

impl Site {
    /// A site after the recorded run of the bundled meeting. None where PostgreSQL or Redis is
    /// missing; the test is then skipped, aloud.
    pub async fn after_a_run() -> Option<Self> {
        let world = World::after("base").await?;
        let redis = Redis::fresh().await?;
        let folder = tempfile::tempdir().expect("a folder");
        let listener = standup::loopback().await;
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        let root = folder.path().join("objects");
        let serving = tokio::spawn(async move {
            objects::local::serve(&root, listener, "key", "key", CancellationToken::new())
                .await
                .expect("objects are served");
        });
        for (file, text) in [
            ("key", "key"),
            ("url", &world.database.url),
            ("broker", &redis.url),
        ] {
            std::fs::write(folder.path().join(file), text).expect("it is written");
        }
        std::fs::create_dir(folder.path().join("data")).expect("a folder");
        let text = settings(folder.path(), &endpoint, &redis.prefix);
        let config = Config::parse(&text).expect("it is valid");
        let mut app = App::open(config, None).await.expect("it opens");
        let clock = Arc::new(AtomicI64::new(0));
        let forward = Arc::clone(&clock);
        app.clock = Arc::new(move || {
            let start = DateTime::from_timestamp(1_795_000_000, 0).expect("a time");
            start + TimeDelta::seconds(forward.load(Ordering::Relaxed))
        });
        let url = endpoint.parse().expect("it is a URL");
        let store = Settings::new(Some(url), "us-east-1", "key", "key", Addressing::Path);
        let objects = Objects::new(store).expect("settings of a store");
        for bucket in BUCKETS {
            let made = objects.create_bucket_if_missing(bucket).await;
            made.expect("a bucket");
        }
        let site = Self {
            world,
            redis,
            app,
            objects,
            folder,
            clock,
            _serving: AbortOnDropHandle::new(serving),
        };
        site.put_tracks().await;
        Some(site)
    }

    async fn put_tracks(&self) {
        let recorded = super::super::world::recorded("base");
        for key in &recorded.subject.recording.track_keys {
            self.put(BUCKETS[1], key, b"track".to_vec()).await;
        }
    }

    /// Puts the mix where the recorded run did; reading it takes seconds, so not every test has one.
    pub async fn put_mix(&self) {
        let key = format!("{}/audio.mp3", transcript("base"));
        self.put(BUCKETS[0], &key, mix()).await;
    }

    pub async fn put(&self, bucket: &str, key: &str, bytes: Vec<u8>) {
        let put = self.objects.put_bytes(bucket, key, bytes, None).await;
        put.expect("it is put");
    }

    /// Mirrors by a process of its own, quick to look.
    pub fn mirrors(&self) -> Mirrors<'_> {
        self.mirrors_within(Duration::from_mins(10))
    }

    /// Those that give a run so long.
    pub fn mirrors_within(&self, run: Duration) -> Mirrors<'_> {
        let limits = MirrorLimits {
            run,
            post: Duration::from_millis(400),
            poll: Duration::from_millis(20),
        };
        self.app
            .mirrors(limits, Arc::new(|_| {}))
            .expect("the settings say all")
    }

    /// So much later that whoever died is given up.
    pub fn later(&self) {
        self.clock.fetch_add(120, Ordering::Relaxed);
    }

    /// Writes into our own database, as a crash would have left it.
    pub async fn change(&self, sql: &str) {
        let url = format!(
            "sqlite:{}",
            self.folder.path().join("switchyard.db").display()
        );
        let mut connection = AnyConnection::connect(&url).await.expect("it is there");
        let done = connection.execute(AssertSqlSafe(sql.to_owned())).await;
        done.expect("it is changed");
    }

    pub async fn outside(&mut self) -> Outside {
        let mut objects = Vec::new();
        for bucket in BUCKETS {
            let listed = self.objects.list(bucket, "").await.expect("a list");
            objects.extend(
                listed
                    .into_iter()
                    .map(|object| format!("{bucket}/{}", object.key)),
            );
        }
        let data = std::fs::read_dir(self.folder.path().join("data")).expect("a folder");
        Outside {
            rows: self.world.everything().await,
            objects,
            keys: self.redis.keys().await,
            files: data.map(|entry| entry.expect("an entry").path()).collect(),
        }
    }

    /// The messages that wait for a worker.
    pub async fn queued(&self) -> Vec<String> {
        self.redis.texts("celery").await
    }

    pub async fn mirror(&self) -> Mirror {
        let mirrors = self.app.store.mirrors(&self.app.name, 2).await;
        let mut mirrors = mirrors.expect("a list");
        assert_eq!(mirrors.len(), 1, "{mirrors:?}");
        mirrors.remove(0)
    }

    pub async fn remove(self) {
        self.app.store.close().await;
        self.world.remove().await;
    }
}

fn settings(folder: &Path, endpoint: &str, prefix: &str) -> String {
    let folder = folder.display();
    let key = format!("{{ file = \"{folder}/key\" }}");
    format!(
        r#"
        database.url = "sqlite:{folder}/switchyard.db"
        [environments.test]
        conductor.url = "http://127.0.0.1:1/api"
        daily.api_key = {key}
        transcription.url = "http://127.0.0.1:1"
        llm = {{ url = "http://127.0.0.1:1", api_key = {key}, model = "m" }}
        reflector = {{ ui_base_url = "{UI}", data_dir = "{folder}/data" }}
        [environments.test.legacy]
        database_url = {{ file = "{folder}/url" }}
        broker_url = {{ file = "{folder}/broker" }}
        key_prefix = "{prefix}"
        [environments.test.objects]
        endpoint = "{endpoint}"
        access_key = {key}
        secret_key = {key}
        bucket = "reflector-transcripts"
        "#
    )
}

/// How a worker's run ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As the recorded one.
    AsRecorded,
    /// With another title and another summary.
    Reworded,
    /// In `error`, which leaves its objects.
    Error,
    /// Before it is given any participants.
    WithoutParticipants,
}

/// A worker in the legacy's place: takes tasks, leaves in the row what was recorded, and stores
/// results.
pub struct Worker {
    rows: PgPool,
    redis: Redis,
    objects: Objects,
    data: PathBuf,
    ending: Ending,
    runs: Arc<AtomicUsize>,
}

/// A worker at work; it ends with this value.
pub struct AtWork {
    runs: Arc<AtomicUsize>,
    _working: AbortOnDropHandle<()>,
}

impl AtWork {
    /// How many tasks it has taken.
    pub fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

impl Worker {
    pub async fn new(site: &Site, ending: Ending) -> Self {
        Self {
            rows: PgPool::connect(&site.world.database.url)
                .await
                .expect("it is there"),
            redis: Redis::open(site.redis.url.clone(), site.redis.prefix.clone()).await,
            objects: site.objects.clone(),
            data: site.folder.path().join("data"),
            ending,
            runs: Arc::new(AtomicUsize::new(0)),
        }
    }

    /// Works on whatever comes.
    pub fn start(self) -> AtWork {
        let runs = Arc::clone(&self.runs);
        let working = tokio::spawn(async move {
            loop {
                let message = self.take().await;
                self.work(&message).await;
            }
        });
        AtWork {
            runs,
            _working: AbortOnDropHandle::new(working),
        }
    }

    /// The next task.
    pub async fn take(&self) -> Envelope {
        let queue = Queue::new("celery").expect("a name");
        loop {
            let waited = self
                .redis
                .broker()
                .wait(&queue, Duration::from_secs(10))
                .await;
            waited.expect("Redis answers");
            let taken: Option<String> = self.redis.ask("RPOP", "celery", &[]).await;
            if let Some(text) = taken {
                self.runs.fetch_add(1, Ordering::SeqCst);
                return Envelope::parse(text).expect("a message");
            }
        }
    }

    async fn sql(&self, id: &TranscriptId, set: &str) {
        let original = transcript("base");
        let sql = format!(
            "update transcript t set {set} from transcript o where t.id = '{id}' and o.id = '{original}'"
        );
        let done = self.rows.execute(AssertSqlSafe(sql)).await;
        done.expect("it is written");
    }

    /// Runs the task as the legacy would.
    pub async fn work(&self, message: &Envelope) {
        let kwargs = message.body().expect("a body").kwargs;
        let id = TranscriptId::new(kwargs["transcript_id"].as_str().expect("an id"));
        assert_eq!(kwargs["bucket_name"], json!("daily-recordings"));
        assert_eq!(kwargs["track_keys"].as_array().map(Vec::len), Some(3));
        let started = r#"status = 'processing',
            events = '[{"event": "STATUS", "data": {"value": "processing"}}]'"#;
        self.sql(&id, started).await;
        let reset = "events = '[]', topics = '[]', participants = '[]', webvtt = E'WEBVTT\\n'";
        self.sql(&id, reset).await;
        let padded = format!("file_pipeline/{id}/tracks/padded_0.webm");
        let put = async |key: String, bytes: Vec<u8>| {
            let put = self.objects.put_bytes(BUCKETS[0], &key, bytes, None).await;
            put.expect("it is put");
        };
        put(padded.clone(), b"sound".to_vec()).await;
        if self.ending != Ending::WithoutParticipants {
            self.await_participants(&id).await;
        }
        std::fs::create_dir_all(self.data.join(id.as_str())).expect("a folder");
        std::fs::write(self.data.join(id.as_str()).join("audio.json"), "{}")
            .expect("it is written");
        if self.ending == Ending::Error {
            self.sql(&id, "status = 'error', events = '[{\"event\": \"STATUS\", \"data\": {\"value\": \"error\"}}]'").await;
            let failed = json!({"exc_type": "HTTPError", "exc_message": [], "exc_module": "httpx"});
            self.store(message.id(), "FAILURE", &failed, None).await;
            return;
        }
        let theirs = format!("{}/audio.mp3", transcript("base"));
        let exists = self.objects.exists(BUCKETS[0], &theirs).await;
        if exists.expect("an answer") {
            put(format!("{id}/audio.mp3"), mix()).await;
        }
        put(format!("{id}/audio.json"), b"{}".to_vec()).await;
        let done = self.objects.delete(BUCKETS[0], &padded).await;
        done.expect("it is deleted");
        let events = match self.ending {
            Ending::Reworded => {
                "replace(o.events::text, 'Billing Export, Launch', 'Something else, and')::json"
            }
            _ => "o.events",
        };
        let ended = format!(
            "status = 'ended', events = {events}, topics = o.topics, title = o.title,
             short_summary = o.short_summary, long_summary = o.long_summary, webvtt = o.webvtt,
             duration = o.duration, audio_location = 'storage'"
        );
        self.sql(&id, &ended).await;
        let children =
            ["consent", "zulip", "webhook"].map(|name| format!("{}-{name}", message.id()));
        let tasks = [&[message.id().to_owned()][..], &children].concat();
        for (at, task) in tasks.iter().enumerate() {
            let child = tasks.get(at + 1).map(String::as_str);
            self.store(task, "SUCCESS", &Value::Null, child).await;
        }
    }

    async fn await_participants(&self, id: &TranscriptId) {
        let sql = "select count(*) from transcript where id = $1 and participants::text <> '[]'";
        loop {
            let given: i64 = sqlx::query_scalar(sql)
                .bind(id.as_str())
                .fetch_one(&self.rows)
                .await
                .expect("an answer");
            if given == 1 {
                return;
            }
        }
    }

    /// Stores a result, and tells it, as Celery does.
    pub async fn store(&self, task: &str, status: &str, result: &Value, child: Option<&str>) {
        let children = child.map_or_else(|| json!([]), |child| json!([[[child, null], null]]));
        let stored: BTreeMap<_, _> = [
            ("status", json!(status)),
            ("result", result.clone()),
            ("traceback", Value::Null),
            ("children", children),
            ("date_done", json!("2026-11-23T07:26:50.385618+00:00")),
            ("task_id", json!(task)),
        ]
        .into();
        let text = serde_json::to_string(&stored).expect("JSON");
        let key = format!("celery-task-meta-{task}");
        let _: () = self
            .redis
            .ask("SETEX", &key, &[b"86400", text.as_bytes()])
            .await;
        let _: i64 = self.redis.ask("PUBLISH", &key, &[text.as_bytes()]).await;
    }
}

fn mix() -> Vec<u8> {
    let path = standup::folder().join("expected/base/audio.mp3");
    std::fs::read(path).expect("a mix")
}
