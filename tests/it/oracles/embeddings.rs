//! Cosines, which need a model to ask.

use std::{process::Stdio, time::Duration};

use switchyard::providers::{Embeddings, Retry};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::{Report, case_file, cases, id_of, values::string};

const NAMED_BY: &str = "SWITCHYARD_TEST_EMBEDDINGS";

/// A server of the model, for as long as this is there.
struct Server {
    url: String,
    _process: Option<Child>,
}

impl Server {
    /// The one that is named, or one that the named Python runs.
    async fn start(named: String) -> Self {
        if named.starts_with("http") {
            return Self {
                url: named,
                _process: None,
            };
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracles/embeddings.py");
        let mut process = Command::new(named)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the Python of the embeddings starts");
        let said = process.stdout.take().expect("its output is a pipe");
        let mut lines = BufReader::new(said).lines();
        let first = lines.next_line().await.expect("it can be read");
        Self {
            url: first.expect("it says its URL"),
            _process: Some(process),
        }
    }
}

#[tokio::test]
async fn a_model_says_the_cosines_of_the_case_file() {
    let Ok(named) = std::env::var(NAMED_BY) else {
        eprintln!(
            "skipped: {NAMED_BY} names neither a Python with the weights of all-MiniLM-L6-v2 nor an API that serves it"
        );
        return;
    };
    let server = Server::start(named).await;
    let timeout = Duration::from_mins(1);
    let retry = Retry::standard(timeout);
    let url = server.url.parse().expect("a URL");
    let embeddings = Embeddings::new(url, None, "all-minilm-l6-v2", timeout, retry);
    let embeddings = embeddings.expect("settings are right");
    let file = case_file();
    let cases = cases(&file["suites"]["embedding_minilm"]);
    let pairs: Vec<(String, String)> = cases
        .iter()
        .map(|case| (string(&case["a"]), string(&case["b"])))
        .collect();
    let cosines = embeddings.cosines(&pairs).await.expect("it answers");
    let mut report = Report::new();
    for (at, (case, cosine)) in cases.into_iter().zip(cosines).enumerate() {
        let expected = case["expected_cosine"].as_f64().expect("a cosine");
        report.take("embedding_minilm", &id_of(case, at), || {
            let is_close = (cosine - expected).abs() <= 1e-4;
            is_close
                .then_some(())
                .ok_or_else(|| format!("cosine is {cosine}, the oracle says {expected}"))
        });
    }
    report.finish();
}
