//! Promise 6: no secret, signed URL, name or word of a meeting in logs, in what the engine keeps,
//! in causes of failure or in what is printed, however much is logged.

use std::{collections::HashSet, path::Path};

use serde_json::{Value, json};

use crate::{
    program::{Ended, Process, SECRETS, Site, case, dump},
    world::fixtures,
};

/// Everything said, and everything written about it, as quotations.
pub struct Meeting {
    said: HashSet<Vec<String>>,
}

/// What must not be seen as it stands.
const NEVER: [&str; 12] = [
    "X-Amz-Signature",
    "X-Amz-Credential",
    "Signature=",
    "demo-secret",
    "Bearer ",
    "Ana Torres",
    "Ben Okafor",
    "Chloé",
    "Chlo\\u00e9",
    "user-ana",
    "48,200",
    "Northwind",
];

/// So many words in a row are a quotation, and not chance.
const SHINGLE: usize = 4;

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => match serde_json::from_str(text) {
            // Structured answers of the language model are JSON in a string.
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => texts(&inner, found),
            _ => found.push(text.clone()),
        },
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(entries) => entries.values().for_each(|value| texts(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Meeting {
    pub fn of(answers: &str) -> Self {
        let folder = fixtures().join("standup").join(answers);
        let read = |name: &str| -> Value {
            let text = std::fs::read_to_string(folder.join(name)).expect("a fixture");
            serde_json::from_str(&text).expect("JSON")
        };
        let mut all = Vec::new();
        texts(&read("llm.json")["answers"], &mut all);
        for track in read("transcription.json")["tracks"]
            .as_array()
            .expect("a list")
        {
            texts(&track["answer"]["text"], &mut all);
        }
        let said: HashSet<_> = all
            .iter()
            .flat_map(|text| {
                words(text)
                    .windows(SHINGLE)
                    .map(<[_]>::to_vec)
                    .collect::<Vec<_>>()
            })
            .collect();
        assert!(said.len() > 500, "the meeting was not read");
        Self { said }
    }

    /// Expects nothing of the meeting, nobody's name and no secret in a text.
    #[track_caller]
    pub fn is_not_in(&self, what: &str, text: &str) {
        for never in NEVER
            .iter()
            .chain(SECRETS[1..].iter().map(|(_, secret)| secret))
        {
            if let Some(at) = text.find(never) {
                let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
                let line: String = text[start..].chars().take(400).collect();
                panic!("`{never}` is in {what}: {line}");
            }
        }
        let words = words(text);
        let heard = words
            .windows(SHINGLE)
            .find(|words| self.said.contains(*words));
        assert_eq!(heard, None, "what was said is in {what}");
    }
}

async fn is_kept_from_the_engine(meeting: &Meeting, database: &Path) {
    for table in [
        "engine_runs",
        "engine_tasks",
        "engine_task_logs",
        "engine_queue",
        "spooled_results",
        "attempts",
    ] {
        let rows = dump(database, table).await;
        assert!(
            !rows.is_empty()
                || ["engine_task_logs", "engine_queue", "spooled_results"].contains(&table)
        );
        meeting.is_not_in(table, &rows);
    }
}

#[test]
fn the_search_finds_what_it_is_for() {
    let meeting = Meeting::of("providers");
    for text in [
        "answered \"good morning, everyone. Let's…\"",
        "GET /x?X-Amz-Signature=0",
        "asking Ana Torres",
        "key leak-d9e4-llm",
    ] {
        let found = std::panic::catch_unwind(|| meeting.is_not_in("a text", text));
        assert!(found.is_err(), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_that_logs_everything_tells_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("it is UTF-8");
    let demo = Process::start(
        &["demo", "--once", "--dir", path, "--listen", "127.0.0.1:0"],
        [("RUST_LOG", "trace")],
    );
    let ended = demo.ended().await;
    let meeting = Meeting::of("providers-second-draw");
    assert!(ended.stderr.contains("DEBUG switchyard") || ended.stderr.contains("INFO switchyard"));
    meeting.is_not_in("the logs", &ended.stderr);
    // The terminal's report tells of differences, never of what was said.
    meeting.is_not_in("the output", &ended.stdout);
    Meeting::of("providers").is_not_in("the output", &ended.stdout);
    ended.well();
    is_kept_from_the_engine(&meeting, &folder.path().join("switchyard.db")).await;
    // The page is for reviewers, who read what differs.
    let page = std::fs::read_to_string(folder.path().join("report.html")).expect("a report");
    assert!(page.contains("Northwind"));
}

/// Writes the file for whoever helps, which tells of failures and not of the meeting.
async fn helped(site: &Site, meeting: &Meeting) -> (&'static str, Ended) {
    let path = site.path("doctor.json");
    let ended = site.run(&["doctor", path.to_str().expect("UTF-8")]).await;
    let bundle = std::fs::read_to_string(path).expect("a file");
    assert!(bundle.contains("generate_title"), "failures are not told");
    meeting.is_not_in("the file for whoever helps", &bundle);
    ("doctor", ended)
}

/// Failures quote what they were about; nothing of it may be the meeting's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_services_are_told_of_without_what_they_said() {
    let site = Site::new();
    let (_objects, _sandbox) = (site.objects().await, site.sandbox().await);
    let loud = [("RUST_LOG", "trace"), ("SWITCHYARD_LOG_FORMAT", "json")];
    let engine = site.start_with(&["engine"], &loud);
    engine.logs("listens at").await;
    site.register_hastily().await;
    for (service, kind, about) in [
        (
            "daily",
            json!({ "kind": "status", "status": 500, "body": { "error": "Ana Torres is in no meeting" } }),
            None,
        ),
        (
            "daily",
            json!({ "kind": "broken_json" }),
            Some("participants"),
        ),
        (
            "transcription",
            json!({ "kind": "broken_json" }),
            Some("track 0"),
        ),
        (
            "transcription",
            json!({ "kind": "status", "status": 500, "body": { "detail": "Northwind maintenance" } }),
            Some("track 1"),
        ),
        (
            "transcription",
            json!({ "kind": "cut", "after_bytes": 400 }),
            Some("track 2"),
        ),
        ("llm", json!({ "kind": "broken_json" }), Some("topic")),
        (
            "llm",
            json!({ "kind": "cut", "after_bytes": 300 }),
            Some("title"),
        ),
        ("llm", json!({ "kind": "garbage" }), Some("recap")),
    ] {
        let mut fault = kind;
        fault["service"] = json!(service);
        fault["times"] = json!(1);
        fault["about"] = json!(about);
        site.ask_sandbox("POST", "faults", fault).await;
    }
    let worker = site.start_with(&["worker"], &loud);
    let serve = site.start_with(&["serve"], &loud);
    let recorded = case();
    let dispatch = [
        "dispatch",
        "--wait",
        "--recorded",
        recorded.to_str().expect("it is UTF-8"),
    ];
    let dispatched = site.start_with(&dispatch, &loud).ended().await;
    assert_eq!(dispatched.code, Some(0), "{dispatched:?}");
    // For good this time, and the service quotes the question.
    let said = json!({ "error": { "message": "no title for Northwind Maintenance Window" } });
    let refusal = json!({ "service": "llm", "kind": "status", "status": 400, "body": said, "about": "title" });
    site.ask_sandbox("POST", "faults", refusal).await;
    let failing = [&dispatch[..], &["--fresh"]].concat();
    let failing = site.start_with(&failing, &loud).ended().await;
    assert!(
        failing
            .stdout
            .contains("has failed: generate_title, attempt 1"),
        "{failing:?}"
    );
    assert_eq!(failing.code, Some(1));
    let runs = site.run(&["runs", "--json"]).await.json();

    let meeting = Meeting::of("providers");
    let mut told = vec![("dispatch", dispatched), ("a failing dispatch", failing)];
    told.push(("check", site.start_with(&["check"], &loud).ended().await));
    for run in runs.as_array().expect("a list") {
        let id = run["run_id"].as_str().expect("an id");
        told.push(("runs", site.run(&["runs", id, "--json"]).await));
        told.push(("compare", site.run(&["compare", id]).await));
    }
    told.push(helped(&site, &meeting).await);
    told.push(("worker", worker.kill().await));
    told.push(("serve", serve.kill().await));
    told.push(("engine", engine.kill().await));
    for (what, ended) in &told {
        meeting.is_not_in(what, &ended.stderr);
        meeting.is_not_in(what, &ended.stdout);
    }
    meeting.is_not_in("runs --json", &runs.to_string());
    is_kept_from_the_engine(&meeting, &site.path("switchyard.db")).await;
    let (_, worker) = told
        .iter()
        .find(|(what, _)| *what == "worker")
        .expect("it ran");
    let warnings = worker
        .stderr
        .lines()
        .filter(|line| line.contains("WARN"))
        .count();
    // Else there was nothing that could have told a secret.
    assert!(warnings >= 3, "failures are not logged: {}", worker.stderr);
}
