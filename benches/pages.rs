//! What the console's pages cost: `cargo bench --bench pages`.
//!
//! The program serves a store of ten thousand compared recordings, on SQLite and, where
//! `SWITCHYARD_TEST_POSTGRES` names a server, on PostgreSQL. Every sort of page is asked for again and again;
//! printed are the times the server took and the bytes it sent. Where `SWITCHYARD_TEST_BROWSER` names a
//! Python with `tests/browser/requirements.txt`, a real Chromium says when it first painted and how
//! many bytes a page took in all.

#[path = "parts/evidence.rs"]
mod evidence;

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::Client;
use serde_json::Value;
use sqlx::Executor;
use switchyard::{conductor::install_crypto, store::Store};

use evidence::{Database, Kind, PAIRS, fill};

/// How often a page is asked for.
const TIMES: usize = 40;
/// What 95 of 100 requests may take.
const TARGET: Duration = Duration::from_millis(100);

const PAGES: [&str; 17] = [
    "/",
    "/phases/staging/daily_diarization_pipeline",
    "/recordings",
    "/recordings?q=rec_77",
    "/recordings/rec_77",
    "/runs",
    "/runs/run_77",
    "/reviews",
    "/reviews/clusters",
    "/reviews/rules",
    "/evidence",
    "/gate",
    "/reports",
    "/breaker",
    "/audit",
    "/replays",
    "/settings",
];

/// The program, serving; it is stopped with this.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn settings(database: &str, port: u16) -> String {
    let nowhere = "http://127.0.0.1:9";
    format!(
        r#"
        database.url = "{database}"
        server.listen = "127.0.0.1:{port}"
        [environments.staging]
        conductor.url = "{nowhere}/api"
        reflector.ui_base_url = "https://reflector.example.test"
        [environments.staging.objects]
        endpoint = "{nowhere}"
        access_key = {{ env = "BENCH_KEY" }}
        secret_key = {{ env = "BENCH_KEY" }}
        bucket = "reflector-transcripts"
        [environments.staging.daily]
        url = "{nowhere}/daily"
        api_key = {{ env = "BENCH_KEY" }}
        [environments.staging.transcription]
        url = "{nowhere}/transcription"
        api_key = {{ env = "BENCH_KEY" }}
        [environments.staging.llm]
        url = "{nowhere}/llm"
        api_key = {{ env = "BENCH_KEY" }}
        model = "a-model"
        "#
    )
}

fn program(settings: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
    command
        .args(arguments)
        .arg("--config")
        .arg(settings)
        .env("BENCH_KEY", "bench")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// The rows count under the versions this program has.
async fn under_our_versions(database: &Database, settings: &Path) {
    let told = program(settings, &["gate", "--json"]).output();
    let told: Value = serde_json::from_slice(&told.expect("it runs").stdout).expect("JSON");
    let versions = told["evidence"]["epoch"]
        .as_str()
        .expect("it tells its versions")
        .to_owned();
    assert!(versions.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let mut connection = database.connect().await;
    for table in ["comparisons", "review_items"] {
        let sql = format!("update {table} set epoch = '{versions}' where epoch = 'epoch'");
        let done = connection.execute(sqlx::AssertSqlSafe(sql)).await;
        done.expect("rows change");
    }
}

async fn serving(settings: &Path, root: &str, client: &Client) -> Serving {
    let serve = program(settings, &["serve"])
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let serving = Serving(serve);
    let begun = Instant::now();
    while client
        .get(format!("{root}/api/v1/health"))
        .send()
        .await
        .is_err()
    {
        assert!(begun.elapsed() < Duration::from_mins(2), "nobody answers");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    serving
}

/// Milliseconds of each request, sorted, and the bytes of the last.
async fn asked(client: &Client, address: &str) -> Option<(Vec<f64>, usize)> {
    let mut took = Vec::new();
    let mut bytes = 0;
    for _ in 0..TIMES {
        let begun = Instant::now();
        let answer = client.get(address).send().await.expect("it answers");
        if !answer.status().is_success() {
            println!("{address}: {}", answer.status());
            return None;
        }
        bytes = answer.bytes().await.expect("a body").len();
        took.push(1000.0 * begun.elapsed().as_secs_f64());
    }
    took.sort_by(f64::total_cmp);
    Some((took, bytes))
}

#[tokio::main]
async fn main() {
    install_crypto();
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let Some(database) = Database::fresh(kind).await else {
            continue;
        };
        let store = Store::open(&database.url).await.expect("it opens");
        fill(&database).await;
        store.close().await;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("switchyard.toml");
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        std::fs::write(&path, settings(&database.url, port)).expect("it is written");
        under_our_versions(&database, &path).await;
        let (client, root) = (Client::new(), format!("http://127.0.0.1:{port}"));
        let serving = serving(&path, &root, &client).await;
        println!(
            "\n{kind:?}, {PAIRS} recordings\npage                                          p50 ms   p95 ms      KB"
        );
        let mut slow = Vec::new();
        for page in PAGES {
            let Some((took, bytes)) = asked(&client, &format!("{root}{page}")).await else {
                slow.push(page);
                continue;
            };
            let p95 = took[took.len() * 95 / 100];
            println!(
                "{page:<44}  {:>6.1}   {p95:>6.1}  {:>6.1}",
                took[took.len() / 2],
                bytes as f64 / 1024.0
            );
            if p95 > 1000.0 * TARGET.as_secs_f64() {
                slow.push(page);
            }
        }
        let met = if slow.is_empty() {
            "met".to_owned()
        } else {
            format!("MISSED by {}", slow.join(", "))
        };
        println!("95 of 100 within {} ms: {met}", TARGET.as_millis());
        painted(&root);
        drop(serving);
        database.remove().await;
    }
}

/// What a browser says of the pages.
fn painted(root: &str) {
    let Ok(python) = std::env::var("SWITCHYARD_TEST_BROWSER") else {
        println!("no first paint: SWITCHYARD_TEST_BROWSER names no Python");
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/paint.py");
    let ended = Command::new(python)
        .arg(script)
        .arg(root)
        .args(PAGES)
        .status();
    assert!(ended.expect("it starts").success());
}
