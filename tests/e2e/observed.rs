//! What tools are told of a meeting: metrics, traces, notices and logs, and that none of it is the
//! meeting's.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    collector::{Collector, attributes, tree},
    program::{Process, SECRETS, Site, dump, own_port, until, way_to},
    secrecy::Meeting,
    world::fixtures,
};

/// Words that nothing but the meeting holds: what it is about, and who takes part.
const CANARIES: [(&str, &str); 2] = [("Northwind", "Zanzibarwind"), ("Torres", "Zanzibartorres")];

/// What must never be seen.
const CANARY: &str = "zanzibar";

/// Copies the meeting's texts, with the canaries in them.
fn plant(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        let copy = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            plant(&path, &copy);
            continue;
        }
        let content = std::fs::read(&path).expect("it can be read");
        let content = match String::from_utf8(content) {
            Ok(mut text) => {
                for (word, canary) in CANARIES {
                    text = text.replace(word, canary);
                }
                text.into_bytes()
            }
            Err(binary) => binary.into_bytes(),
        };
        std::fs::write(copy, content).expect("it is written");
    }
}

/// Where people are told; keeps what it is sent.
async fn receiver() -> (String, Arc<Mutex<Vec<String>>>) {
    let got: Arc<Mutex<Vec<String>>> = Arc::default();
    let keep = async |State(got): State<Arc<Mutex<Vec<String>>>>, body: Bytes| {
        let text = String::from_utf8_lossy(&body).into_owned();
        got.lock().expect("nobody died").push(text);
    };
    let routes = Router::new()
        .route("/leak-e5f6-notices", post(keep))
        .with_state(Arc::clone(&got));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (format!("http://{address}/leak-e5f6-notices"), got)
}

async fn text_at(url: &str) -> String {
    let answer = reqwest::get(url).await.expect("it answers");
    assert!(answer.status().is_success(), "{answer:?}");
    answer.text().await.expect("a text")
}

/// What was told of each run, once there is as much as that.
async fn traces(collector: &Collector, count: usize) -> (Vec<Vec<Span>>, String) {
    let mut raw = String::new();
    let mut all: Vec<Span> = Vec::new();
    until("traces", async || {
        for request in collector.got() {
            let token = request.headers["authorization"].to_str().expect("a text");
            assert_eq!(token, SECRETS[4].1);
            raw.push_str(&String::from_utf8_lossy(&request.body));
            all.extend(request.spans());
        }
        let roots = all.iter().filter(|span| span.name == "recording");
        (roots.count() >= count).then_some(())
    })
    .await;
    let mut traces: Vec<Vec<Span>> = Vec::new();
    for span in all {
        match traces.iter_mut().find(|of| of[0].trace_id == span.trace_id) {
            Some(of) => of.push(span),
            None => traces.push(vec![span]),
        }
    }
    (traces, raw)
}

/// The whole run, step by step, in any order: three tracks, and what is done once.
fn is_whole(spans: &[Span]) {
    let found = tree(spans);
    let times = |line: &str| found.iter().filter(|found| *found == line).count();
    assert_eq!(found[0], "recording < -");
    for (line, count) in [
        ("control < recording ok", 1),
        ("candidate < recording ok", 1),
        ("comparison < recording", 1),
        ("get_recording < candidate ok", 1),
        ("get_participants < candidate ok", 1),
        ("pad_track < candidate ok", 3),
        ("transcribe_track < candidate ok", 3),
        ("mixdown_tracks < candidate ok", 1),
        ("generate_waveform < candidate ok", 1),
        ("merge_transcripts < candidate ok", 1),
        ("detect_topics < candidate ok", 1),
        ("generate_title < candidate ok", 1),
        ("generate_summary < candidate ok", 1),
        ("finalize < candidate ok", 1),
        ("cleanup_consent < candidate ok", 1),
        ("post_zulip < candidate ok", 1),
        ("send_webhook < candidate ok", 1),
        ("arrival < recording", 0),
    ] {
        assert_eq!(times(line), count, "{line}\n{found:#?}");
    }
    assert!(!found.iter().any(|line| line.ends_with('?')), "{found:#?}");
    for span in spans {
        let of = attributes(&span.attributes);
        let is_candidates = span.name != "control";
        assert_eq!(of.contains_key("shadow"), is_candidates, "{of:?}");
        assert!(of.get("shadow").is_none_or(|shadow| shadow == "true"));
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    }
}

/// A line that speaks of a run has its id and the recording's as fields, its own or those around it.
fn speaks_of_runs_by_fields(what: &str, lines: &str) -> usize {
    let mut spoken = 0;
    // What a command says at its end is for people.
    for line in lines.lines().filter(|line| line.starts_with('{')) {
        let told: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{what}: {line}"));
        let message = told["fields"]["message"].as_str().unwrap_or_default();
        let around = told["spans"].as_array().cloned().unwrap_or_default();
        let is_of_a_task = around.iter().any(|span| span["name"] == "task");
        if !message.contains("run `run_") && !is_of_a_task {
            continue;
        }
        spoken += 1;
        for field in ["run.id", "recording.id"] {
            let has = |place: &Value| place[field].is_string();
            let has = has(&told["fields"]) || around.iter().any(has);
            assert!(has, "{what}: `{field}` is missing: {line}");
        }
    }
    spoken
}

/// What `serve` and a worker count of one run that ended well and one whose title was refused.
fn counts(of_serve: &str, of_worker: &str) {
    for (text, line) in [
        (
            of_serve,
            "switchyard_phase{environment=\"test\",flag=\"daily_diarization_pipeline\",phase=\"shadow\"} 1",
        ),
        (
            of_serve,
            "switchyard_runs_ended_total{effects=\"shadow\",environment=\"test\",flag=\"daily_diarization_pipeline\",origin=\"manual\",state=\"failed\"} 1",
        ),
        (
            of_serve,
            "switchyard_step_failures_total{environment=\"test\",flag=\"daily_diarization_pipeline\",kind=\"failed_terminally\",task=\"generate_title\"} 1",
        ),
        (
            of_worker,
            "switchyard_step_attempts_total{outcome=\"failed_terminally\",task=\"generate_title\"} 1",
        ),
        (
            of_worker,
            "switchyard_calls_total{outcome=\"refused\",service=\"llm\"} 1",
        ),
        (
            of_worker,
            "switchyard_calls_total{outcome=\"ok\",service=\"transcription\"} ",
        ),
        (
            of_worker,
            "switchyard_calls_total{outcome=\"ok\",service=\"objects\"} ",
        ),
        (
            of_worker,
            "switchyard_call_duration_seconds_bucket{service=\"conductor\",",
        ),
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

/// Tables that hold nothing of a meeting.
const TABLES: [&str; 9] = [
    "engine_runs",
    "engine_tasks",
    "engine_task_logs",
    "attempts",
    "traces",
    "notices",
    "notice_deliveries",
    "told_changes",
    "retention_proofs",
];

/// Neither the canary, nor a sentence, a name, a secret or a signed URL.
fn nothing_is_heard(all: &[(&str, String)]) {
    let meeting = Meeting::of("providers");
    for (what, text) in all {
        if let Some(at) = text.to_lowercase().find(CANARY) {
            let around: String = text
                .chars()
                .skip(at.saturating_sub(200))
                .take(400)
                .collect();
            panic!("the canary is in {what}: {around}");
        }
        assert!(!text.contains("leak-e5f6"), "the notices' URL is in {what}");
        meeting.is_not_in(what, text);
    }
}

/// Settings in which traces and notices go somewhere, by secrets.
fn have_told(site: &Site, collector: &Collector, notices: &str) {
    let (url, authorization) = (&collector.url, SECRETS[4].0);
    site.change(
        "[environments.test]",
        &format!(
            "[telemetry.traces]\nurl = \"{url}\"\nheaders = {{ authorization = {{ env = \"{authorization}\" }} }}\n\
             [environments.test.notices]\nurl = \"{notices}\"\n[environments.test]"
        ),
    );
}

/// The run whose title was refused.
fn has_failed(spans: &[Span]) {
    let found = tree(spans);
    for line in [
        "candidate < recording failed",
        "generate_title < candidate failed",
    ] {
        assert!(
            found.iter().any(|found| found == line),
            "{line}\n{found:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_meeting_with_a_canary_nothing_is_told_but_how_it_went() {
    let site = Site::new();
    let planted = site.path("planted");
    plant(&fixtures().join("standup"), &planted);
    let collector = Collector::serve().await;
    let (notices, told) = receiver().await;
    let metrics_port = own_port();
    have_told(&site, &collector, &notices);
    let _objects = site.objects().await;
    let listen = format!("127.0.0.1:{}", site.sandbox_port);
    let answers = planted.join("providers").display().to_string();
    let arguments = ["sandbox", "--listen", &listen, "--answers", &answers];
    let sandbox = Process::start(&arguments, []);
    sandbox.logs("sandbox serves at").await;

    let loud = [("RUST_LOG", "trace"), ("SWITCHYARD_LOG_FORMAT", "json")];
    let engine = site.start_with(&["engine"], &loud);
    engine.logs("listens at").await;
    site.register_hastily().await;
    let metrics = format!("127.0.0.1:{metrics_port}");
    let worker = site.start_with(&["worker", "--metrics-listen", &metrics], &loud);
    let serve = site.start_with(&["serve"], &loud);
    serve.logs("pages and API at").await;
    for command in way_to("shadow", "100") {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        site.run(&words).await.well();
    }
    let recorded = planted.join("expected/base").display().to_string();
    let dispatch = ["dispatch", "--wait", "--recorded", &recorded];
    let dispatched = site.start_with(&dispatch, &loud).ended().await;
    assert_eq!(dispatched.code, Some(0), "{dispatched:?}");
    // The model quotes the meeting when it refuses.
    let said =
        json!({ "error": { "message": "no title for the Zanzibarwind Maintenance Window" } });
    let refusal = json!({ "service": "llm", "kind": "status", "status": 400, "body": said, "about": "title" });
    site.ask_sandbox("POST", "faults", refusal).await;
    let again = [&dispatch[..], &["--fresh"]].concat();
    let failed = site.start_with(&again, &loud).ended().await;
    assert_eq!(failed.code, Some(1), "{failed:?}");

    let (traces, raw) = traces(&collector, 2).await;
    is_whole(&traces[0]);
    has_failed(&traces[1]);
    let kept = until("notices", async || {
        let told = told.lock().expect("nobody died").clone();
        (told.len() >= 2).then_some(told)
    })
    .await;
    let server = site.server_port;
    let of_serve = text_at(&format!("http://127.0.0.1:{server}/metrics")).await;
    let of_worker = text_at(&format!("http://{metrics}/metrics")).await;
    counts(&of_serve, &of_worker);
    let exported = site.run(&["audit", "--export"]).await.well();
    std::fs::write(site.path("audit.jsonl"), &exported).expect("it is written");
    let path = site.path("audit.jsonl").display().to_string();
    let checked = site.run(&["audit", "--verify-file", &path]).await.well();
    assert!(checked.starts_with("The export is whole"), "{checked}");

    let mut all = vec![
        ("traces", raw),
        ("notices", kept.join("\n")),
        ("metrics of serve", of_serve),
        ("metrics of a worker", of_worker),
        ("the audit trail", exported),
        ("a dispatch", dispatched.stdout),
        ("a failing dispatch", failed.stdout),
    ];
    let mut spoken = 0;
    for (what, ended) in [
        ("the log of a worker", worker.kill().await.stderr),
        ("the log of serve", serve.kill().await.stderr),
        ("the log of the engine", engine.kill().await.stderr),
        ("the log of a dispatch", dispatched.stderr),
        ("the log of a failing dispatch", failed.stderr),
    ] {
        // A line that a kill cut off is none.
        let whole = ended.rfind('\n').map_or("", |end| &ended[..end]);
        spoken += speaks_of_runs_by_fields(what, whole);
        all.push((what, ended));
    }
    assert!(spoken >= 4, "{spoken} lines speak of runs");
    let database = site.path("switchyard.db");
    for table in TABLES {
        all.push((table, dump(&database, table).await));
    }
    nothing_is_heard(&all);
    // Else nothing was looked for.
    let outputs = dump(&database, "outputs").await.to_lowercase();
    assert!(
        outputs.contains(CANARY),
        "the canary was not in the meeting"
    );
}
