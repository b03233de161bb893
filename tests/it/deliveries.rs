//! What others can see: messages on Zulip, customers' webhooks, files in Reflector's data folder.

mod data_dir;
mod webhook;
mod zulip;

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use switchyard::{
    model::{HttpRequest, RecordingId, RunId},
    rollout::{Live, Owner, Ownership},
    sandbox::{FaultKind, Recorded},
};
use url::Url;

use crate::standup::{folder, json};

/// For a loopback that hangs for certain.
const SHORT: Duration = Duration::from_secs(1);
/// For one that answers, however busy the machine is.
const LONG: Duration = Duration::from_secs(30);

/// How long to wait for an answer under that fault.
const fn timeout(kind: &FaultKind) -> Duration {
    if matches!(kind, FaultKind::Hang) {
        SHORT
    } else {
        LONG
    }
}

/// The proof that a run owns its recording.
pub fn live(epoch: i64) -> Live {
    let run = RunId::new("run_1");
    let ownership = Ownership {
        recording_id: RecordingId::new("r"),
        owner: Owner::Candidate,
        run_id: Some(run.clone()),
        epoch,
    };
    Live::of(&ownership, &run).expect("it owns it")
}

fn relays(host: &str, to: Url) -> BTreeMap<String, Url> {
    BTreeMap::from([(host.to_owned(), to)])
}

/// A relay where nobody listens.
async fn nobody() -> Url {
    let listener = crate::standup::loopback().await;
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    format!("http://{address}/").parse().expect("a URL")
}

fn status(status: u16) -> FaultKind {
    FaultKind::Status {
        status,
        retry_after: None,
        body: None,
    }
}

/// The request the legacy pipeline sent a service, with all its headers, and its body.
fn legacy(case: &str, service: &str, scheme_and_host: &str) -> HttpRequest {
    let requests = json(&format!("expected/{case}/requests.json"));
    let mut requests = requests.as_array().expect("a list").iter();
    let request = requests
        .find(|request| request["service"] == service)
        .expect("it was sent");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let body = folder().join(format!("expected/{case}/{}", text(&request["body_file"])));
    let headers = request["headers"].as_array().expect("a list").iter();
    HttpRequest {
        method: text(&request["method"]),
        url: format!("{scheme_and_host}{}", text(&request["target"])),
        headers: headers
            .map(|pair| (text(&pair[0]), text(&pair[1])))
            .collect(),
        body: std::fs::read_to_string(body).expect("a fixture"),
    }
}

/// That request as ours is made: without the headers that the HTTP library adds by itself.
fn ours(legacy: &HttpRequest) -> HttpRequest {
    let by_itself = [
        "Host",
        "Accept",
        "Accept-Encoding",
        "Connection",
        "Content-Length",
        "Authorization",
    ];
    let mut ours = legacy.clone();
    ours.headers
        .retain(|(name, value)| !by_itself.contains(&&**name) && !value.starts_with("python"));
    ours
}

/// Every header the legacy sent is there with its value, but for these; and no other is.
fn assert_headers(sent: &Recorded, legacy: &HttpRequest, except: &[&str]) {
    let lower = |name: &str| name.to_lowercase();
    for (name, value) in &legacy.headers {
        if !except.contains(&&*lower(name)) {
            assert_eq!(sent.header(&lower(name)), Some(&**value), "{name}");
        }
    }
    for (name, _) in &sent.headers {
        let known = legacy
            .headers
            .iter()
            .any(|(other, _)| lower(other) == *name);
        assert!(known || except.contains(&&**name), "{name} is one too many");
    }
}
