//! The program as its users meet it: processes with arguments, output and exit codes.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use switchyard::{
    conductor::{Client, ClientConfig, definitions::contract, install_crypto},
    legacy::recorded,
    model::{RunId, TaskName},
    objects::{self, Addressing, Objects},
    store::{Attempt, Output, Store},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    sync::watch,
};

use crate::world::{fixtures, short_tracks};

/// How long a test waits for anything.
const DEADLINE: Duration = Duration::from_mins(5);

/// How often a condition that nobody announces is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Every secret a site has; none may ever be seen.
pub const SECRETS: [(&str, &str); 5] = [
    ("SITE_ACCESS_KEY", "site-access-key"),
    ("SITE_SECRET_KEY", "leak-a7f3-objects"),
    ("SITE_DAILY_KEY", "leak-b81c-daily"),
    ("SITE_GPU_KEY", "leak-c02d-transcription"),
    ("SITE_LLM_KEY", "leak-d9e4-llm"),
];

/// Waits until something is so, looking again and again.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    let found = tokio::time::timeout(DEADLINE, looking).await;
    found.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// What a process that has ended left behind.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none if it was killed.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Expects it to have done what was asked, and gives what it printed.
    #[track_caller]
    pub fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.stdout
    }

    /// Expects it to have ended with exit code 1 and one message, and gives that message.
    #[track_caller]
    pub fn refused(self) -> String {
        assert_eq!(
            (self.code, self.stdout.as_str()),
            (Some(1), ""),
            "{self:#?}"
        );
        self.stderr
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        let printed = self.well();
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    }
}

/// A process that runs; it is killed with its test.
pub struct Process {
    name: String,
    child: Child,
    stdout: watch::Receiver<String>,
    stderr: watch::Receiver<String>,
}

/// The variable that `access.oidc.client_secret` names, and what the sandbox's provider takes.
pub const PROVIDER_SECRET: (&str, &str) = ("SITE_OIDC_SECRET", "sandbox-secret");

/// The commands that lead a migration to a step, whatever is missing; the last one is the step itself,
/// with its percentage where it has one.
pub fn way_to(step: &str, percent: &str) -> Vec<Vec<String>> {
    let steps = ["parallel", "shadow", "cutover"];
    let last = steps
        .iter()
        .position(|known| *known == step)
        .expect("a step");
    let by = ["--by", "ops", "--override", "all", "--reason", "a test"];
    steps[..=last]
        .iter()
        .map(|step| {
            let percent = match *step {
                "parallel" => vec![],
                _ => vec!["--percent", percent],
            };
            let words = [&["phase", "set", *step][..], &percent, &by].concat();
            words.into_iter().map(str::to_owned).collect()
        })
        .collect()
}

impl Process {
    /// Starts the program with an environment of its own.
    pub fn start<'a>(
        arguments: &[&str],
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
        command
            .args(arguments)
            .env_clear()
            .envs(SECRETS)
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("the program starts");
        Self {
            name: arguments.join(" "),
            stdout: collect(child.stdout.take().expect("it is piped")),
            stderr: collect(child.stderr.take().expect("it is piped")),
            child,
        }
    }

    /// Waits until it has printed this.
    pub async fn prints(&self, text: &str) {
        self.shows(&self.stdout, text).await;
    }

    /// Waits until it has logged this.
    pub async fn logs(&self, text: &str) {
        self.shows(&self.stderr, text).await;
    }

    async fn shows(&self, stream: &watch::Receiver<String>, text: &str) {
        let mut stream = stream.clone();
        let seen = stream.wait_for(|seen| seen.contains(text));
        match tokio::time::timeout(DEADLINE, seen).await {
            Ok(Ok(_)) => {}
            _ => panic!(
                "`{}` never said `{text}`: {}\n{}",
                self.name,
                *self.stdout.borrow(),
                *self.stderr.borrow()
            ),
        }
    }

    /// As Ctrl-C does.
    pub fn interrupt(&self) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill")
            .args(["-INT", &id])
            .status();
        assert!(sent.expect("there is a `kill`").success());
    }

    /// SIGKILL, at once.
    pub async fn kill(mut self) -> Ended {
        self.child.start_kill().expect("it can be killed");
        self.ended().await
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> Ended {
        let ending = async {
            let status = self.child.wait().await.expect("it ends");
            // Closed once the process, and with it the last writer, is gone.
            while self.stdout.changed().await.is_ok() {}
            while self.stderr.changed().await.is_ok() {}
            status
        };
        let Ok(status) = tokio::time::timeout(DEADLINE, ending).await else {
            panic!("`{}` hangs: {}", self.name, *self.stderr.borrow());
        };
        Ended {
            code: status.code(),
            stdout: self.stdout.borrow().clone(),
            stderr: self.stderr.borrow().clone(),
        }
    }
}

/// Gathers what a process writes.
fn collect(mut pipe: impl AsyncRead + Unpin + Send + 'static) -> watch::Receiver<String> {
    let (sender, receiver) = watch::channel(String::new());
    tokio::spawn(async move {
        let mut bytes = Vec::new();
        let mut chunk = [0; 8192];
        while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
            bytes.extend_from_slice(&chunk[..count]);
            // A character cut by the end of the chunk comes whole with the next.
            let whole = std::str::from_utf8(&bytes).map_or_else(|cut| cut.valid_up_to(), str::len);
            let text: Vec<u8> = bytes.drain(..whole).collect();
            sender.send_modify(|seen| {
                seen.push_str(&String::from_utf8(text).expect("it was checked"));
            });
        }
    });
    receiver
}

/// What is known of a run at one moment.
#[derive(Clone, Debug)]
pub struct Trail {
    pub attempts: Vec<Attempt>,
    pub outputs: Vec<Output>,
}

impl Trail {
    pub async fn of(store: &Store, run: &RunId) -> Self {
        // In this order a checkpoint seen has its attempt seen too.
        let outputs = store.outputs(run).await.expect("a read");
        Self {
            attempts: store.attempts(run).await.expect("a read"),
            outputs,
        }
    }

    /// How many attempts a task had.
    pub fn attempts_at(&self, task_ref: &str) -> usize {
        let of_it = self
            .attempts
            .iter()
            .filter(|attempt| attempt.task_ref == task_ref);
        of_it.count()
    }

    /// Whether a task of this kind is at work.
    pub fn is_at(&self, kind: TaskName) -> bool {
        self.attempts
            .iter()
            .any(|attempt| attempt.task_name == kind.as_str() && attempt.status == "running")
    }

    /// Whether a task of this kind has left its checkpoint.
    pub fn has_done(&self, kind: TaskName) -> bool {
        self.outputs.iter().any(|output| {
            self.attempts.iter().any(|attempt| {
                attempt.task_ref == output.task_ref && attempt.task_name == kind.as_str()
            })
        })
    }

    /// Expects that nothing of this was lost or done again until `later`.
    #[track_caller]
    pub fn is_kept_in(&self, later: &Self) {
        for output in &self.outputs {
            let reference = &output.task_ref;
            assert!(
                later.outputs.contains(output),
                "the checkpoint of {reference} was lost or replaced"
            );
            assert_eq!(
                later.attempts_at(reference),
                self.attempts_at(reference),
                "{reference} was done, and was done again"
            );
        }
    }

    /// Expects each task of a whole run to have been completed once, and no attempt to be open.
    #[track_caller]
    pub fn is_whole(&self) {
        for attempt in &self.attempts {
            match attempt.status.as_str() {
                "completed" => assert!(attempt.cause.is_none(), "{attempt:?}"),
                "failed" => assert!(attempt.cause.is_some(), "{attempt:?}"),
                _ => panic!("{attempt:?}"),
            }
            assert!(attempt.finished_at.is_some(), "{attempt:?}");
        }
        for output in &self.outputs {
            let completed = self.attempts.iter().filter(|attempt| {
                attempt.task_ref == output.task_ref && attempt.status == "completed"
            });
            assert_eq!(completed.count(), 1, "{}", output.task_ref);
        }
        let tracks = self.attempts.iter().filter(|attempt| {
            attempt.task_ref.starts_with("transcribe_track") && attempt.status == "completed"
        });
        assert_eq!(tracks.count(), 3);
        assert!(self.has_done(TaskName::SendWebhook), "{self:#?}");
    }
}

/// Below the ports that systems hand out by themselves, so that a role that was killed finds its
/// port free.
pub fn own_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 20_000 + u16::try_from(std::process::id() % 1000).expect("it is small") * 10;
    loop {
        let port = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A settings file with everything on this machine, and the roles it is for.
pub struct Site {
    folder: TempDir,
    pub sandbox_port: u16,
    pub engine_port: u16,
    pub objects_port: u16,
    pub server_port: u16,
}

impl Site {
    pub fn new() -> Self {
        install_crypto();
        let site = Self {
            folder: tempfile::tempdir().expect("a folder"),
            sandbox_port: own_port(),
            engine_port: own_port(),
            objects_port: own_port(),
            server_port: own_port(),
        };
        site.reset();
        site
    }

    /// Writes the settings as they were at first.
    pub fn reset(&self) {
        std::fs::write(self.settings(), self.text()).expect("it is written");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self) -> PathBuf {
        self.path("switchyard.toml")
    }

    fn text(&self) -> String {
        let Self {
            sandbox_port,
            engine_port,
            objects_port,
            server_port,
            ..
        } = self;
        let folder = self.folder.path().display();
        let mut text = format!(
            r#"
            database.url = "sqlite:{folder}/switchyard.db"
            server.listen = "127.0.0.1:{server_port}"
            engine.listen = "127.0.0.1:{engine_port}"
            worker.poll_ms = 200
            worker.drain_s = 5

            [environments.test]
            conductor.url = "http://127.0.0.1:{engine_port}/api"
            # A busy machine is no doubt.
            routing.answer_ms = 60000
            reflector.ui_base_url = "https://reflector.example.test"
            reflector.zulip_realm = "zulip.example.test"

            [environments.test.objects]
            endpoint = "http://127.0.0.1:{objects_port}"
            local_dir = "{folder}/objects"
            access_key = {{ env = "SITE_ACCESS_KEY" }}
            secret_key = {{ env = "SITE_SECRET_KEY" }}
            bucket = "reflector-transcripts"
            "#
        );
        for (section, path, key, more) in [
            ("daily", "daily/v1", "SITE_DAILY_KEY", ""),
            ("transcription", "transcription", "SITE_GPU_KEY", ""),
            ("llm", "llm/v1", "SITE_LLM_KEY", "model = \"golden-model\""),
        ] {
            write!(
                text,
                r#"
            [environments.test.{section}]
            url = "http://127.0.0.1:{sandbox_port}/{path}"
            api_key = {{ env = "{key}" }}
            {more}
            "#
            )
            .expect("it is written");
        }
        text
    }

    /// Changes the settings.
    pub fn change(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.settings()).expect("a settings file");
        assert!(text.contains(from), "`{from}` is not in {text}");
        std::fs::write(self.settings(), text.replacen(from, to, 1)).expect("it is written");
    }

    /// Has people sign in at the sandbox's provider, whose groups have the roles they are called after.
    pub fn has_people_sign_in(&self, roles: &[&str]) {
        let (server, sandbox) = (self.server_port, self.sandbox_port);
        let roles: Vec<String> = roles
            .iter()
            .map(|role| {
                format!(
                    r#"{{ group = "switchyard-{role}s", role = "{role}", environments = ["test"] }}"#
                )
            })
            .collect();
        let access = format!(
            r#"worker.drain_s = 5
            access.public_url = "http://127.0.0.1:{server}"
            access.oidc.issuer = "http://127.0.0.1:{sandbox}/oidc"
            access.oidc.client_id = "switchyard"
            access.oidc.client_secret = {{ env = "{}" }}
            access.roles = [{}]
            "#,
            PROVIDER_SECRET.0,
            roles.join(", ")
        );
        self.change("worker.drain_s = 5", &access);
    }

    /// Starts a command with these settings.
    pub fn start(&self, arguments: &[&str]) -> Process {
        self.start_with(arguments, &[])
    }

    /// Starts a command with these settings and variables.
    pub fn start_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Process {
        let settings = self.settings();
        let config = ["--config", settings.to_str().expect("it is UTF-8")];
        Process::start(&[arguments, &config].concat(), variables.iter().copied())
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).ended().await
    }

    pub async fn engine(&self) -> Process {
        let engine = self.start(&["engine"]);
        engine.logs("listens at").await;
        engine
    }

    pub async fn serve(&self) -> Process {
        let serve = self.start(&["serve"]);
        serve.logs("pages and API at").await;
        serve
    }

    pub async fn worker(&self) -> Process {
        let worker = self.start(&["worker"]);
        worker.logs("working for").await;
        worker
    }

    /// The object store, with the bundled meeting's tracks in it: ten seconds each.
    pub async fn objects(&self) -> Process {
        let objects = self.start(&["objects"]);
        objects.logs("listens at").await;
        let client = self.objects_client();
        let recorded = recorded::load(&case(), None).expect("a record");
        let bucket = &recorded.subject.recording.bucket_name;
        client
            .create_bucket_if_missing(bucket)
            .await
            .expect("a bucket");
        for (source, track) in recorded
            .sources
            .iter()
            .zip(short_tracks().into_iter().cycle())
        {
            let content = track.content.expect("a fixture has content");
            let put = client.put_bytes(bucket, &source.key, content, Some("video/webm"));
            put.await.expect("it is put");
        }
        objects
    }

    pub fn objects_client(&self) -> Objects {
        let endpoint = format!("http://127.0.0.1:{}", self.objects_port);
        let settings = objects::Settings::new(
            Some(endpoint.parse().expect("it is a URL")),
            "us-east-1",
            SECRETS[0].1,
            SECRETS[1].1,
            Addressing::Path,
        );
        Objects::new(settings).expect("settings of a store")
    }

    pub async fn sandbox(&self) -> Process {
        let listen = format!("127.0.0.1:{}", self.sandbox_port);
        let sandbox = Process::start(&["sandbox", "--listen", &listen], []);
        sandbox.logs("sandbox serves at").await;
        sandbox
    }

    pub fn client(&self) -> Client {
        let url = format!("http://127.0.0.1:{}/api", self.engine_port);
        Client::new(ClientConfig::new(url.parse().expect("it is a URL"))).expect("a client")
    }

    /// Registers the definitions, then shortens what the engine waits for a killed worker.
    pub async fn register_hastily(&self) {
        self.run(&["register"]).await.well();
        let hastened: Vec<_> = TaskName::ALL
            .into_iter()
            .map(|task| {
                let mut definition = contract(task).definition.clone();
                definition.response_timeout_seconds = 4;
                definition.retry_delay_seconds = 0;
                definition
            })
            .collect();
        let client = self.client();
        client
            .put_task_defs(&hastened)
            .await
            .expect("they are taken");
    }

    pub async fn store(&self) -> Store {
        let url = format!("sqlite:{}", self.path("switchyard.db").display());
        Store::open(&url).await.expect("a database")
    }

    /// Asks the stand-ins' own door.
    pub async fn ask_sandbox(
        &self,
        method: &str,
        path: &str,
        body: serde_json::Value,
    ) -> serde_json::Value {
        let url = format!("http://127.0.0.1:{}/_sandbox/{path}", self.sandbox_port);
        let method = method.parse().expect("it is a method");
        let asked = reqwest::Client::new()
            .request(method, url)
            .json(&body)
            .send();
        let answer = asked.await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
        answer.json().await.unwrap_or_default()
    }
}

/// The folder of the recorded meeting.
pub fn case() -> PathBuf {
    fixtures().join("standup/expected/base")
}

/// Every row of a table, as one text.
pub async fn dump(database: &Path, table: &str) -> String {
    use sqlx::{Column, Row, ValueRef};
    let url = format!("sqlite:{}", database.display());
    let pool = sqlx::SqlitePool::connect(&url).await.expect("a database");
    let sql = format!("select * from {table}");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .fetch_all(&pool)
        .await
        .expect("a table");
    let mut text = String::new();
    for row in &rows {
        for column in row.columns() {
            let value = row.try_get_raw(column.ordinal()).expect("a value");
            if !value.is_null()
                && let Ok(value) = row.try_get_unchecked::<String, _>(column.ordinal())
            {
                text.push_str(&value);
                text.push('\n');
            }
        }
    }
    pool.close().await;
    text
}
