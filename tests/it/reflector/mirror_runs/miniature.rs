//! With the miniature of the legacy: real Celery, real sound, the real row.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use switchyard::{
    app::{App, MirrorLimits},
    config::Config,
    model::TranscriptId,
    objects::Objects,
    store::{MirrorOutcome, MirrorState},
};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_util::sync::CancellationToken;

use super::site::BUCKETS;
use crate::{redis::Redis, standup};

/// Names a Python with `tests/legacy/requirements.txt`.
const LEGACY: &str = "SWITCHYARD_TEST_LEGACY";

/// The miniature with all its servers; they end with it.
struct Miniature {
    process: Child,
    /// What it prints.
    up: Value,
}

impl Miniature {
    /// None where Python or PostgreSQL is missing; the test is then skipped, aloud.
    async fn start(folder: &Path) -> Option<Self> {
        let python = std::env::var(LEGACY).ok();
        let (Some(python), Ok(postgres)) = (python, std::env::var("SWITCHYARD_TEST_POSTGRES"))
        else {
            eprintln!("skipped: {LEGACY} names no Python, or there is no PostgreSQL");
            return None;
        };
        let mut process = Command::new(&python)
            .args(["-B", "run.py", "--postgres", &postgres, "--out"])
            .arg(folder)
            .args(["up", "--case", "base"])
            .current_dir(home())
            .env("SWITCHYARD_BIN", env!("CARGO_BIN_EXE_switchyard"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stdout = process.stdout.take().expect("it is piped");
        let stdout = tokio::process::ChildStdout::from_std(stdout).expect("a pipe");
        let mut miniature = Self {
            process,
            up: Value::Null,
        };
        let mut lines = BufReader::new(stdout).lines();
        let mut text = String::new();
        while let Some(line) = lines.next_line().await.expect("it is read") {
            text.push_str(&line);
            if line == "}" {
                break;
            }
        }
        miniature.up = serde_json::from_str(&text).expect("it says where everything is");
        Some(miniature)
    }

    fn text(&self, pointer: &str) -> &str {
        self.up
            .pointer(pointer)
            .and_then(Value::as_str)
            .expect("a text")
    }

    /// Sets the recorded meeting off and waits until its run and the post tasks have ended.
    async fn hold_the_meeting(&self) {
        for (what, body) in [
            ("daily_webhook", json!({})),
            ("until_idle", json!({ "without": [] })),
        ] {
            let url = format!("{}/{what}", self.text("/remote"));
            let done = standup::http().post(url).json(&body).send().await;
            let done = done.expect("an answer").status();
            assert!(done.is_success(), "{what}: {done}");
        }
    }

    fn settings(&self, folder: &Path) -> String {
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("it is written");
            format!("{{ file = \"{}\" }}", path.display())
        };
        let key = file(
            "key",
            self.text("/env/TRANSCRIPT_STORAGE_AWS_ACCESS_KEY_ID"),
        );
        let secret = file(
            "secret",
            self.text("/env/TRANSCRIPT_STORAGE_AWS_SECRET_ACCESS_KEY"),
        );
        let database = file("database", self.text("/database"));
        let broker = file("broker", self.text("/env/CELERY_BROKER_URL"));
        let (store, data) = (self.text("/store"), self.text("/data"));
        let (ui, own) = (self.text("/env/UI_BASE_URL"), folder.display());
        format!(
            r#"
            database.url = "sqlite:{own}/switchyard.db"
            [environments.test]
            conductor.url = "http://127.0.0.1:1/api"
            daily.api_key = {key}
            transcription.url = "http://127.0.0.1:1"
            llm = {{ url = "http://127.0.0.1:1", api_key = {key}, model = "m" }}
            reflector = {{ ui_base_url = "{ui}", data_dir = "{data}" }}
            legacy = {{ database_url = {database}, broker_url = {broker} }}
            objects = {{ endpoint = "{store}", access_key = {key}, secret_key = {secret}, bucket = "{}" }}
            "#,
            BUCKETS[0]
        )
    }

    /// What the language model was asked so far, in an order that depends on nothing else.
    async fn prompts(&self) -> Vec<String> {
        let url = format!("{}/_sandbox/requests?service=llm", self.text("/sandbox"));
        let asked = standup::http().get(url).send().await.expect("an answer");
        let asked: Vec<Value> = asked.json().await.expect("requests");
        let prompt = |request: &Value| {
            let body = request["body"].as_str().expect("a text");
            let mut body: Value = serde_json::from_str(body).expect("JSON");
            // Of each run its own.
            let fields = body.as_object_mut().expect("an object");
            fields.remove("litellm_session_id");
            body.to_string()
        };
        let mut prompts: Vec<_> = asked.iter().map(prompt).collect();
        prompts.sort();
        prompts
    }

    async fn forget_prompts(&self) {
        let url = format!("{}/_sandbox/requests", self.text("/sandbox"));
        let forgotten = standup::http().delete(url).send().await;
        forgotten.expect("an answer");
    }

    /// Rows with the numbers of the transactions that wrote them, keys, objects and files.
    async fn outside(&self, objects: &Objects) -> Vec<String> {
        let mut database = PgConnection::connect(self.text("/database"))
            .await
            .expect("it");
        let mut found = Vec::new();
        for sql in [
            "select xmin::text || row_to_json(t)::text from transcript t",
            "select xmin::text || row_to_json(t)::text from recording t",
            "select xmin::text || row_to_json(t)::text from meeting t",
        ] {
            let rows: Vec<String> = sqlx::query_scalar(sql)
                .fetch_all(&mut database)
                .await
                .expect("rows can be read");
            found.extend(rows);
        }
        let broker = self.text("/env/CELERY_BROKER_URL").to_owned();
        found.extend(Redis::open(broker, String::new()).await.keys().await);
        for bucket in BUCKETS {
            let listed = objects.list(bucket, "").await.expect("a list");
            found.extend(listed.into_iter().map(|object| object.key));
        }
        let data = std::fs::read_dir(self.text("/data")).expect("a folder");
        found.extend(data.map(|entry| entry.expect("an entry").path().display().to_string()));
        found
    }

    async fn transcript(&self) -> TranscriptId {
        let mut database = PgConnection::connect(self.text("/database"))
            .await
            .expect("it");
        let id: String = sqlx::query_scalar("select id from transcript")
            .fetch_one(&mut database)
            .await
            .expect("there is one");
        TranscriptId::new(id)
    }
}

impl Drop for Miniature {
    fn drop(&mut self) {
        // Told to end, it ends its servers.
        let pid = self.process.id().to_string();
        drop(Command::new("kill").args(["-TERM", &pid]).status());
        drop(self.process.wait());
    }
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/legacy")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_legacy_s_own_mirror_is_asked_and_makes_the_same_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(miniature) = Miniature::start(folder.path()).await else {
        return;
    };
    miniature.hold_the_meeting().await;
    let prompts = miniature.prompts().await;
    assert!(prompts.len() > 10, "{}", prompts.len());
    miniature.forget_prompts().await;

    let config = Config::parse(&miniature.settings(folder.path())).expect("it is valid");
    let app = App::open(config, None).await.expect("it opens");
    let objects = app.objects().expect("settings of a store");
    let before = miniature.outside(&objects).await;
    let mirrors = app.mirrors(MirrorLimits::default(), Arc::new(|_| {}));
    let original = miniature.transcript().await;
    let mirror = mirrors.expect("the settings say all");
    let mirror = mirror.run(&original, &CancellationToken::new()).await;
    let mirror = mirror.expect("it ends");
    assert_eq!(
        mirror.outcome,
        Some(MirrorOutcome::Compared),
        "{:?}",
        mirror.reason
    );
    assert_eq!(mirror.verdict.as_deref(), Some("match"));
    assert_eq!(mirror.state, MirrorState::Removed);
    assert_eq!(miniature.prompts().await, prompts);
    assert_eq!(miniature.outside(&objects).await, before);
}
