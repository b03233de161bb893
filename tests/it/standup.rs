//! The bundled meeting, as its services answered it.

use std::path::{Path, PathBuf};

use serde_json::Value;
use switchyard::sandbox::{Answers, Sandbox};
use tokio::net::TcpListener;

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/standup")
}

pub fn json(path: &str) -> Value {
    let text = std::fs::read(folder().join(path)).expect("a fixture");
    serde_json::from_slice(&text).expect("a fixture is JSON")
}

/// Stand-ins with the answers the legacy pipeline got.
pub async fn sandbox() -> Sandbox {
    sandbox_with("providers").await
}

/// Stand-ins with the answers in `providers` or `providers-second-draw`.
pub async fn sandbox_with(answers: &str) -> Sandbox {
    let answers = Answers::load(&folder().join(answers)).expect("the answers are there");
    Sandbox::start(answers, loopback().await).expect("a sandbox starts")
}

/// A plain client, as somebody outside would use.
pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

pub async fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}
