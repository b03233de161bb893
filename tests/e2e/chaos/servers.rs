//! PostgreSQL and Redis of the test's own, which can be killed and come back as they were left.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;

use crate::program::{own_port, until};

/// A cluster, run by `scripts/postgres`.
pub struct Postgres {
    port: u16,
    state: TempDir,
    /// A shell that removes the cluster when this end of its input is closed.
    guard: std::process::Child,
}

impl Postgres {
    /// None where it is not installed; the test is then skipped, aloud.
    pub async fn start() -> Option<Self> {
        use std::os::unix::fs::PermissionsExt;
        let state = tempfile::tempdir().expect("a folder");
        // PostgreSQL refuses to run as root, and its user must enter the folder.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(state.path(), open).expect("it is ours");
        let guard = r#"
            trap '' INT
            read -r _
            "$1" stop
            rm -rf "$2""#;
        let port = own_port();
        let script = script();
        let guard = Command::new("sh")
            .args(["-c", guard, "sh"])
            .arg(&script)
            .arg(state.path())
            .env("SWITCHYARD_STATE", state.path())
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell");
        let server = Self { port, state, guard };
        let started = server.script("start").await;
        if !started.status.success() {
            let said = String::from_utf8_lossy(&started.stderr);
            eprintln!("skipped: {}", said.trim());
            return None;
        }
        let mut admin = PgConnection::connect(&server.url("postgres"))
            .await
            .expect("the server");
        // What is committed must outlast the server, though not the machine.
        let lasting = "alter role postgres set synchronous_commit = on";
        admin.execute(lasting).await.expect("it is set");
        Some(server)
    }

    async fn script(&self, what: &str) -> std::process::Output {
        tokio::process::Command::new(script())
            .arg(what)
            .env("SWITCHYARD_STATE", self.state.path())
            .env("SWITCHYARD_POSTGRES_PORT", self.port.to_string())
            .stdin(Stdio::null())
            .output()
            .await
            .expect("the script runs")
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// A connection, once there is one to be had.
    pub async fn connect(&self, database: &str) -> PgConnection {
        let url = self.url(database);
        until("PostgreSQL", async || {
            PgConnection::connect(&url).await.ok()
        })
        .await
    }

    /// A database of its own.
    pub async fn database(&self, name: &str) -> PgConnection {
        let mut admin = self.connect("postgres").await;
        let create = format!("create database {name}");
        let created = admin.execute(AssertSqlSafe(create)).await;
        created.expect("a database");
        self.connect(name).await
    }

    /// SIGKILL for the server, whose children notice and follow.
    pub async fn kill(&self) {
        let lock = self.state.path().join("pgdata/postmaster.pid");
        let Ok(text) = std::fs::read_to_string(lock) else {
            return;
        };
        let pid = text.lines().next().expect("it begins with the pid");
        let kill = tokio::process::Command::new("kill")
            .args(["-9", pid])
            .status();
        kill.await.expect("there is such a program");
    }

    /// Breaks it off: no session ends well, nothing more is written.
    pub async fn crash(&self) {
        let stopped = self.script("stop").await;
        assert!(stopped.status.success(), "{stopped:?}");
    }

    /// Starts it again as it was left.
    pub async fn resume(&self) {
        until("PostgreSQL is back", async || {
            // A server that was only just killed may still count as one that runs.
            let resumed = self.script("resume").await.status.success();
            let is_back = resumed && PgConnection::connect(&self.url("postgres")).await.is_ok();
            is_back.then_some(())
        })
        .await;
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        self.guard.wait().expect("it ends");
    }
}

fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres")
}

/// A Redis that forgets nothing it has answered.
pub struct Redis {
    port: u16,
    folder: TempDir,
    server: tokio::sync::Mutex<Option<tokio::process::Child>>,
}

impl Redis {
    /// None where it is not installed; the test is then skipped, aloud.
    pub async fn start() -> Option<Self> {
        let installed = Command::new("redis-server")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if installed.is_err() {
            eprintln!("skipped: redis-server is not installed");
            return None;
        }
        let redis = Self {
            port: own_port(),
            folder: tempfile::tempdir().expect("a folder"),
            server: tokio::sync::Mutex::default(),
        };
        redis.resume().await;
        Some(redis)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub async fn connect(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url()).expect("a URL");
        until("Redis", async || {
            let mut link = client.get_multiplexed_async_connection().await.ok()?;
            // While it reads its file it takes connections and refuses everything else.
            let ping = redis::cmd("PING");
            let asked = ping.query_async::<String>(&mut link).await;
            asked.ok().map(|_| link)
        })
        .await
    }

    /// SIGKILL.
    pub async fn crash(&self) {
        if let Some(mut server) = self.server.lock().await.take() {
            server.kill().await.expect("it can be killed");
        }
    }

    /// Starts it again as it was left.
    pub async fn resume(&self) {
        let port = self.port.to_string();
        let mut command = tokio::process::Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let server = command.spawn().expect("it starts");
        *self.server.lock().await = Some(server);
        let answers = tokio::time::timeout(Duration::from_mins(1), self.connect());
        answers.await.expect("Redis is back");
    }
}
