//! The legacy side of a world: the miniature in `tests/legacy` with a Redis, an object store and
//! stand-ins of its own and a database on the tests' PostgreSQL. Workers are started by the test.
//! All of it ends with the value, and with the process, however that ends.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Names a Python with `tests/legacy/requirements.txt`.
const PYTHON: &str = "SWITCHYARD_TEST_LEGACY";
/// Names a PostgreSQL server whose user may create databases.
const POSTGRES: &str = "SWITCHYARD_TEST_POSTGRES";

/// Long enough for some recordings on a busy machine.
const DEADLINE: Duration = Duration::from_mins(10);
const LOOK: Duration = Duration::from_millis(100);

/// The miniature's folder.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/legacy")
}

/// What was recorded of a case.
pub fn recorded(case: &str) -> PathBuf {
    let expected = "tests/fixtures/standup/expected";
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(expected)
        .join(case)
}

/// That Python, set to run a program in the miniature's folder with this build's `switchyard`. None
/// where there is none; the test is then skipped, aloud.
pub fn python() -> Option<Command> {
    let Ok(python) = std::env::var(PYTHON) else {
        eprintln!("skipped: {PYTHON} names no Python with tests/legacy/requirements.txt");
        return None;
    };
    let mut command = Command::new(python);
    command
        .current_dir(folder())
        .env("SWITCHYARD_BIN", env!("CARGO_BIN_EXE_switchyard"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("C_FORCE_ROOT", "1");
    Some(command)
}

/// `run.py` with all that does not belong to a command; it writes below `out`.
pub fn run_py(out: &Path) -> Option<Command> {
    let Ok(postgres) = std::env::var(POSTGRES) else {
        eprintln!("skipped: {POSTGRES} names no server");
        return None;
    };
    let mut command = python()?;
    command.arg("run.py").arg("--out").arg(out);
    command.args(["--postgres", &postgres]);
    Some(command)
}

/// A running miniature.
pub struct Legacy {
    pub place: Place,
    http: reqwest::Client,
    /// Ends when its input is closed.
    harness: Child,
    /// Logs of all servers; none once it is kept.
    out: Option<TempDir>,
}

/// Where its servers are.
#[derive(Deserialize)]
#[allow(dead_code, reason = "a test asks for what it needs")]
pub struct Place {
    /// Drives the miniature itself.
    remote: String,
    /// Reflector's API.
    pub api: String,
    /// Reflector's database, as `postgres://…`.
    pub database: String,
    /// Redis for locks; pub/sub has no databases.
    pub redis: String,
    /// The same Redis as Celery's broker and result backend.
    pub broker: String,
    /// The root of its stand-ins, see [`switchyard::sandbox`].
    pub sandbox: String,
    /// S3, with any credentials.
    pub store: String,
    /// The local data folder.
    pub data: PathBuf,
    /// What API and workers run with.
    pub env: HashMap<String, String>,
}

/// A worker of a [`Legacy`].
#[derive(Clone, Copy, Debug)]
pub struct Worker(u64);

impl Legacy {
    /// Starts one with what a case of `tests/fixtures/standup/expected` has before: rows, objects,
    /// answers. API and workers get `env` on top of theirs. None where parts are missing; the test is
    /// then skipped, aloud.
    pub async fn up(case: &str, env: &[(&str, &str)]) -> Option<Self> {
        let out = tempfile::tempdir().expect("a temporary folder");
        let mut command = run_py(out.path())?;
        for (name, value) in env {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        command.args(["up", "--until-eof", "--no-worker", "--case", case]);
        let starting = tokio::task::spawn_blocking(move || {
            let mut harness = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("the harness starts");
            let mut line = String::new();
            BufReader::new(harness.stdout.take().expect("it is piped"))
                .read_line(&mut line)
                .expect("the harness tells");
            let place = serde_json::from_str(&line).expect("the harness tells where all is");
            (harness, place)
        });
        let (harness, place) = starting.await.expect("no panic");
        let _ = rustls::crypto::ring::default_provider().install_default();
        Some(Self {
            place,
            http: reqwest::Client::new(),
            harness,
            out: Some(out),
        })
    }

    /// Starts a worker; `arguments` are Celery's own. Without any it takes everything on `celery`,
    /// with `-Q legacy` what is on that queue instead.
    pub async fn worker(&self, arguments: &[&str]) -> Worker {
        self.worker_with(arguments, &[]).await
    }

    /// The same with more environment, e.g. `LEGACY_TASK_ROUTES`.
    pub async fn worker_with(&self, arguments: &[&str], env: &[(&str, &str)]) -> Worker {
        let env: HashMap<_, _> = env.iter().copied().collect();
        let body = json!({"arguments": arguments, "env": env});
        let number = self.tell("worker", &body).await;
        Worker(number.as_u64().expect("a number"))
    }

    /// Lets a worker end what it is at, and waits for that.
    pub async fn stop(&self, worker: Worker) {
        self.tell("stop_worker", &json!({"worker": worker.0})).await;
    }

    /// Kills a worker and its processes where they are.
    pub async fn kill(&self, worker: Worker) {
        self.tell("kill_worker", &json!({"worker": worker.0})).await;
    }

    /// Starts `celery beat`, which sets the poller off every `LEGACY_POLL_SECONDS`, 180 by default.
    pub async fn beat(&self) {
        self.tell("beat", &json!({})).await;
    }

    /// Daily says that the case's recording is ready: a signed webhook to Reflector's API.
    pub async fn daily_webhook(&self) {
        let answer = self.tell("daily_webhook", &json!({})).await;
        assert_eq!(answer["status"], 200, "{answer}");
    }

    /// The same for another recording of that meeting, with the same tracks, which Daily's stand-in
    /// then knows.
    pub async fn daily_webhook_of(&self, recording_id: &str) {
        let body = json!({"recording_id": recording_id});
        let answer = self.tell("daily_webhook", &body).await;
        assert_eq!(answer["status"], 200, "{answer}");
    }

    /// Publishes a task as the application does, routes included.
    pub async fn call(&self, task: &str, kwargs: &Value) {
        let body = json!({"name": task, "kwargs": kwargs});
        self.tell("call", &body).await;
    }

    /// Somebody asks Reflector to process a transcript again. Gives the answer's status.
    pub async fn process(&self, transcript_id: &str) -> u16 {
        let url = format!("{}/v1/transcripts/{transcript_id}/process", self.place.api);
        let answer = self.http.post(url).send().await;
        answer.expect("the API answers").status().as_u16()
    }

    /// Waits until every task that was ever published has ended, but for those named in `without`:
    /// tasks that no worker is meant to run.
    pub async fn until_idle(&self, without: &[&str]) {
        let body = json!({"without": without});
        self.tell("until_idle", &body).await;
    }

    /// Looks again and again until something is so.
    pub async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let looking = async {
            let mut looks = tokio::time::interval(LOOK);
            while !is_so().await {
                looks.tick().await;
            }
        };
        let waited = tokio::time::timeout(DEADLINE, looking).await;
        waited.unwrap_or_else(|_| panic!("it never came to this: {what}"));
    }

    /// Rows by table: `transcript`, `recording`, `meeting`, `room`, `meeting_consent`, each by id.
    pub async fn rows(&self) -> Value {
        self.tell("rows", &json!({})).await
    }

    /// The one transcript.
    pub async fn transcript(&self) -> Value {
        let mut rows = self.rows().await;
        let transcripts = rows["transcript"].as_array_mut().expect("rows");
        assert_eq!(transcripts.len(), 1, "transcripts");
        transcripts.remove(0)
    }

    /// Everything in both buckets: `bucket`, `key`, `size`, `content_type`, `sha256`. Reads the
    /// objects, which a capture that is going on sees as requests.
    pub async fn objects(&self) -> Vec<Value> {
        list(self.tell("objects", &json!({})).await)
    }

    /// Messages on pub/sub in the order they were published: `channel`, and `data` as it was sent.
    pub async fn published(&self) -> Vec<Value> {
        list(self.tell("published", &json!({})).await)
    }

    /// What a stand-in was asked, in order: `daily`, `transcription`, `llm`, `zulip` or `webhook`. See
    /// [`switchyard::sandbox::Recorded`].
    pub async fn requests_to(&self, service: &str) -> Vec<Value> {
        let mut requests = list(self.tell("requests", &json!({})).await);
        requests.retain(|request| request["service"] == service);
        requests
    }

    /// Has a stand-in fail, see [`switchyard::sandbox::Fault`]: `{"service": "zulip", "kind": "hang"}`.
    pub async fn fault(&self, fault: &Value) {
        self.tell_sandbox("faults", fault).await;
    }

    /// Lets requests that hang go on.
    pub async fn release(&self) {
        self.tell_sandbox("release", &json!({})).await;
    }

    /// The texts on a list of the broker's, next to be taken first.
    pub async fn queue(&self, name: &str) -> Vec<String> {
        let queue = self.tell("queue", &json!({"name": name})).await;
        let mut texts: Vec<String> = serde_json::from_value(queue).expect("texts");
        texts.reverse();
        texts
    }

    /// Begins a new capture. There is one from the start.
    pub async fn begin_capture(&self) {
        self.tell("capture", &json!({})).await;
    }

    /// Everything since the capture began.
    pub async fn capture(&self) -> Capture {
        let folder = tempfile::tempdir().expect("a temporary folder");
        self.tell("dump", &json!({"folder": folder.path()})).await;
        Capture(folder)
    }

    async fn tell_sandbox(&self, what: &str, body: &Value) {
        let url = format!("{}/_sandbox/{what}", self.place.sandbox);
        let answer = self.http.post(url).json(body).send().await;
        let status = answer.expect("the stand-ins answer").status();
        assert!(status.is_success(), "{what}: {status}");
    }

    async fn tell(&self, what: &str, body: &Value) -> Value {
        let url = format!("{}/{what}", self.place.remote);
        let answer = self.http.post(url).json(body).send().await;
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
        let is_done = answer.status().is_success();
        let said: Value = answer.json().await.expect("JSON");
        assert!(is_done, "{what}: {}", said.as_str().unwrap_or_default());
        said
    }
}

impl Drop for Legacy {
    fn drop(&mut self) {
        drop(self.harness.stdin.take());
        let _ = self.harness.wait();
        if std::thread::panicking()
            && let Some(out) = self.out.take()
        {
            eprintln!(
                "what the legacy's servers said is in {}",
                out.keep().display()
            );
        }
    }
}

fn list(value: Value) -> Vec<Value> {
    serde_json::from_value(value).expect("a list")
}

/// All that others could see of what happened in a [`Legacy`], in the form of the recorded cases:
/// rows before and after, messages in order, queues, requests with the bytes of Zulip's and the
/// webhook's, objects with their digests.
pub struct Capture(TempDir);

/// What a comparison does not look at, beside ids, moments and what `golden/masks.py` names.
#[derive(Default)]
pub struct Except<'a> {
    /// Files of a capture: regular expressions for the whole name, such as `celery/.*`.
    pub files: &'a [&'a str],
    /// Objects, and requests to the store, whose keys begin like this.
    pub keys: &'a [&'a str],
}

/// How two captures compare.
#[derive(Debug, Deserialize)]
pub struct Comparison {
    /// One line a place, with its file.
    pub differences: Vec<String>,
    /// What was not looked at: file, place and reason, and how often it was met.
    pub masked: HashMap<String, u64>,
    /// Files that were compared.
    pub compared: Vec<String>,
}

impl Capture {
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// One of its files, e.g. `db_after.json`.
    pub fn json(&self, name: &str) -> Value {
        let text = std::fs::read(self.path().join(name)).expect("the file is there");
        serde_json::from_slice(&text).expect("it is JSON")
    }

    /// Compares with another capture of the same case, or with what was [`recorded`].
    pub async fn compare(&self, expected: &Path, except: &Except<'_>) -> Comparison {
        let mut command = python().expect("a capture was made with it");
        command.arg("compare_captures.py");
        command.arg(self.path()).arg(expected);
        for file in except.files {
            command.args(["--leave-out", file]);
        }
        for key in except.keys {
            command.args(["--leave-out-keys", key]);
        }
        let output = tokio::process::Command::from(command).output().await;
        let output = output.expect("the comparison runs");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            let said = String::from_utf8_lossy(&output.stderr);
            panic!("the comparison says no JSON ({error}): {said}")
        })
    }
}
