//! A Redis for tests: one `redis-server` per test binary, on a port of its own, with a database for
//! each test. Ends with the binary, however that ends.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use redis::{AsyncConnectionConfig, FromRedisValue, aio::MultiplexedConnection};
use switchyard::legacy::celery::{Broker, Limits, RedisLocation};

/// Names a Redis that tests may fill; they use keys with a prefix of their own there.
const OVERRIDE: &str = "SWITCHYARD_TEST_REDIS";

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_mins(2);

static SERVER: OnceLock<Option<Server>> = OnceLock::new();
static USED: AtomicUsize = AtomicUsize::new(0);

/// An empty database nobody else uses.
pub struct Redis {
    pub url: String,
    /// What all keys begin with.
    pub prefix: String,
    connection: MultiplexedConnection,
}

impl Redis {
    /// A fresh database. None where there is no Redis; the test is then skipped, aloud.
    pub async fn fresh() -> Option<Self> {
        if let Ok(url) = std::env::var(OVERRIDE) {
            let prefix = format!("switchyard-test-{}:", uuid::Uuid::new_v4().simple());
            return Some(Self::open(url, prefix).await);
        }
        let server = SERVER.get_or_init(Server::start).as_ref()?;
        let database = USED.fetch_add(1, Ordering::Relaxed);
        Some(Self::open(format!("{}/{database}", server.url()), String::new()).await)
    }

    pub async fn open(url: String, prefix: String) -> Self {
        let client = redis::Client::open(&*url).expect("a URL");
        // However busy the machine is.
        let patient = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let connection = client.get_multiplexed_async_connection_with_config(&patient);
        let connection = connection.await;
        Self {
            url,
            prefix,
            connection: connection.expect("a connection"),
        }
    }

    pub fn location(&self) -> RedisLocation {
        RedisLocation::parse(&self.url).expect("a URL")
    }

    pub fn broker(&self) -> Broker {
        Broker::new(&self.location(), &*self.prefix, Limits::default()).expect("a broker")
    }

    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Runs a command on a key.
    pub async fn ask<T: FromRedisValue>(&self, command: &str, key: &str, args: &[&[u8]]) -> T {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd(command);
        command.arg(self.key(key)).arg(args);
        let answer = command.query_async(&mut connection).await;
        answer.expect("Redis answers")
    }

    /// Publishes a text as kombu does.
    pub async fn publish(&self, list: &str, text: impl AsRef<[u8]>) {
        let _: u64 = self.ask("LPUSH", list, &[text.as_ref()]).await;
    }

    /// What is on a list, next to be taken first.
    pub async fn list(&self, list: &str) -> Vec<Vec<u8>> {
        let mut found: Vec<Vec<u8>> = self.ask("LRANGE", list, &[b"0", b"-1"]).await;
        found.reverse();
        found
    }

    pub async fn texts(&self, list: &str) -> Vec<String> {
        let found = self.list(list).await;
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        found.into_iter().map(text).collect()
    }

    /// All keys, sorted.
    pub async fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.ask("KEYS", "*", &[]).await;
        keys.sort();
        keys
    }
}

/// A `redis-server` that lives as long as this value, or as the process.
pub struct Server {
    /// A shell that ends the server when this end of its input is closed.
    shell: Child,
    port: u16,
}

impl Server {
    /// None where it is not installed.
    pub fn start() -> Option<Self> {
        // Somebody may take the port before the server does.
        (0..5).find_map(|_| {
            let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?;
            Self::start_on(port.port())
        })
    }

    pub fn start_on(port: u16) -> Option<Self> {
        let installed = Command::new("redis-server")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if installed.is_err() {
            eprintln!("skipped: redis-server is not installed, and {OVERRIDE} names no server");
            return None;
        }
        let script = r#"
            trap '' INT
            dir=$(mktemp -d) && cd "$dir" || exit 1
            redis-server --bind 127.0.0.1 --port "$1" --dir "$dir" --databases 1024 --save '' &
            read -r _
            kill -9 $!
            wait
            cd / && rm -rf "$dir""#;
        let mut shell = Command::new("sh")
            .args(["-c", script, "sh", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut log = BufReader::new(shell.stdout.take().expect("it is piped")).lines();
        let mut server = Self { shell, port };
        if !log.any(|line| line.is_ok_and(|line| line.contains("Ready to accept connections"))) {
            server.stop();
            return None;
        }
        // A full pipe would halt the server.
        std::thread::spawn(move || log.for_each(drop));
        Some(server)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    fn stop(&mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().expect("it ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
