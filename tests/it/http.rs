//! Pages and API, through the real router over HTTP.

pub mod access;
mod console;
mod desk;
mod document;
mod flags;
mod gate;
mod keeping;
mod mending;
mod pages_of_lists;
mod phases;
mod problems;
mod recordings;
mod repeats;
mod reviews;
pub mod server;
mod sign_in;
mod sockets;
mod sound;

use std::time::Duration;

use axum::{Json, Router, routing::get};
use serde_json::json;
use switchyard::model::RunState;
use tokio::time::timeout;

use self::server::{Server, after, workflow};
use crate::standup::loopback;

/// Nothing here takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// An engine that has one workflow.
async fn engine(id: &str, tasks: &[(&str, &str, &str)]) -> String {
    let told = workflow(id, tasks);
    let listener = loopback().await;
    let address = listener.local_addr().expect("an address");
    let path = format!("/api/workflow/{id}");
    let routes = Router::new().route(&path, get(async || Json(told)));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}/api")
}

/// Everything before the second of three transcriptions is done.
const TRANSCRIBING: [(&str, &str, &str); 9] = [
    ("get_recording", "get_recording", "COMPLETED"),
    ("get_participants", "get_participants", "COMPLETED"),
    ("pad_track", "pad_track_0", "COMPLETED"),
    ("pad_track", "pad_track_1", "COMPLETED"),
    ("pad_track", "pad_track_2", "COMPLETED"),
    ("mixdown_tracks", "mixdown_tracks", "COMPLETED"),
    ("generate_waveform", "generate_waveform", "COMPLETED"),
    ("transcribe_track", "transcribe_track_0", "COMPLETED"),
    ("transcribe_track", "transcribe_track_1", "IN_PROGRESS"),
];

#[tokio::test]
async fn an_empty_list_says_how_to_start_a_run() {
    let server = Server::without_engine().await;
    let page = server.get("/runs").await;
    assert_eq!(page.status, 200);
    page.says("There are no runs yet")
        .says("<code>switchyard dispatch</code>");
    let list = server.get("/api/v1/runs").await;
    assert_eq!(list.json(), json!({ "runs": [] }));
}

#[tokio::test]
async fn an_engine_that_is_gone_leaves_out_the_progress_and_nothing_else() {
    let server = Server::without_engine().await;
    server.running("run_older", 1).await;
    server.running("run_newer", 2).await;

    let page = server.get("/runs").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    page.says("Progress unknown: the workflow engine does not answer")
        .says("2026-03-02 12:00:02");
    let [newer, older] = ["run_newer", "run_older"].map(|id| page.body.find(id).expect("listed"));
    assert!(newer < older, "the newest run comes first");

    let run = server.get("/runs/run_newer").await;
    assert_eq!(run.status, 200);
    run.says("Progress unknown: the workflow engine does not answer");

    let list = server.get("/api/v1/runs?limit=1").await.json();
    let runs = list["runs"].as_array().expect("a list");
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0]["run_id"], "run_newer");
    assert_eq!(runs[0]["engine"], "silent");
    assert!(runs[0]["progress"].is_null());
}

#[tokio::test]
async fn a_running_run_is_shown_with_its_step_and_percentage() {
    let engine = engine("workflow-of-run_a", &TRANSCRIBING).await;
    let server = Server::with_engine(&engine).await;
    let run = server.running("run_a", 1).await;
    let done = Some(("completed", 3, None));
    let first = ("transcribe_track", "transcribe_track_0", 1);
    server.attempt(&run, first, 20, done).await;
    let failed = Some(("failed", 2, Some("the service is full")));
    let second = ("transcribe_track", "transcribe_track_1", 1);
    server.attempt(&run, second, 20, failed).await;
    let again = ("transcribe_track", "transcribe_track_1", 2);
    server.attempt(&run, again, 30, None).await;

    let list = server.get("/runs").await;
    list.says("Transcribing track 2 of 3")
        .says("step 6 of 13, 46 %")
        .says(r#"<progress max="100" value="46" aria-label="Progress of run_a">"#);
    let page = server.get("/runs/run_a").await;
    page.says("Transcribing track 2 of 3")
        .says(r#"<td class="num" data-label="Attempt">2/4</td>"#)
        .says("Attempt 1 failed during transcription after 2.0 s: the service is full")
        .says(r#"data-since="2026-03-02T12:00:30Z">1 min 00 s"#)
        .says(r#"data-events="/api/v1/runs/run_a/events""#);

    let told = server.get("/api/v1/runs/run_a").await.json();
    assert_eq!(told["run"]["progress"]["percent"], 46);
    assert_eq!(told["run"]["progress"]["step_index"], 6);
    let steps = told["steps"].as_array().expect("steps");
    let states: Vec<_> = steps
        .iter()
        .filter(|step| step["number"] == 6)
        .map(|step| [&step["task_ref"], &step["state"]].map(|text| text.as_str().expect("text")))
        .collect();
    assert_eq!(
        states,
        [
            ["transcribe_track_0", "completed"],
            ["transcribe_track_1", "running"],
            ["transcribe_track_2", "pending"]
        ]
    );
    assert_eq!(told["attempts"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn what_a_failure_says_is_text_and_never_markup() {
    let server = Server::without_engine().await;
    let run = server.running("run_a", 1).await;
    let script = "<script>alert('x')</script>";
    let end = Some(("failed_terminally", 1, Some(script)));
    let attempt = ("detect_topics", "detect_topics", 1);
    server.attempt(&run, attempt, 10, end).await;
    let failure = format!("detect_topics, attempt 1: {script}");
    server.fail(&run, &failure).await;

    for path in [
        "/",
        "/runs",
        "/runs/run_a",
        "/runs/<script>alert('x')</script>",
    ] {
        let page = server.get(path).await;
        assert!(!page.body.contains("<script>alert"), "{path}");
    }
    let page = server.get("/runs/run_a").await;
    page.says("Failed during topic detection")
        .says("Attempt 1 failed during topic detection after 1.0 s: &lt;script&gt;alert(");
    server.get("/runs").await.says("during topic detection");
    let told = server.get("/api/v1/runs/run_a").await.json();
    assert_eq!(told["run"]["failure"], failure.as_str());
    assert_eq!(told["run"]["failed_during"], "topic detection");
}

#[tokio::test]
async fn a_compared_run_leads_to_its_report() {
    let server = Server::without_engine().await;
    let run = server.running("run_a", 1).await;
    server
        .fail(&run, "get_recording, attempt 4: Daily does not answer")
        .await;
    let page = server.get("/runs/run_a").await;
    page.says("Being compared with its control");
    let missing = server.get("/api/v1/runs/run_a/report").await;
    assert_eq!(missing.status, 404);
    assert_eq!(
        missing.json()["detail"],
        "run `run_a` has not been compared yet"
    );

    server.compare(&run).await;
    for path in ["/runs", "/runs/run_a"] {
        let page = server.get(path).await;
        page.says("Candidate failed")
            .says(r#"href="/runs/run_a/report""#);
    }
    assert!(
        !server.get("/runs/run_a").await.body.contains("data-events"),
        "nothing on the page will change any more"
    );

    let report = server.get("/runs/run_a/report").await;
    assert_eq!(report.status, 200);
    assert_eq!(report.header("content-type"), "text/html; charset=utf-8");
    let policy = report.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"));
    assert_eq!(report.header("cache-control"), "no-store");
    report.says("Candidate failed");

    let json = server.get("/api/v1/runs/run_a/report").await;
    assert_eq!(json.header("content-type"), "application/json");
    assert!(json.body.contains("candidate_failed"));
}

#[tokio::test]
async fn all_the_evidence_is_a_page_and_the_same_for_programs() {
    let server = Server::without_engine().await;
    let empty = server.get("/evidence").await;
    assert_eq!(empty.status, 200);
    empty.says("NOT YET").says("No recording counts so far.");
    let run = server.running("run_a", 1).await;
    server.fail(&run, "pad_track_0, attempt 3: gone").await;
    server.compare(&run).await;
    // Under the versions that the evidence is asked of.
    let store = &server.shadow.store;
    let compared = store.newest_comparison(&run).await.expect("it is read");
    let mut compared = compared.expect("it is there");
    // Of two at once, the first by its id counts as the newer.
    compared.id = "a_comparison_of_these_versions".to_owned();
    compared.epoch = "epoch".to_owned();
    let kept = store.insert_comparison(&compared).await;
    kept.expect("it is kept");
    let page = server.get("/evidence").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"));
    page.says("the candidate failed")
        .says(r#"href="/runs/run_a/report""#);
    let json = server.get("/api/v1/evidence").await.json();
    assert_eq!(json["worst"][0]["run"], "run_a");
    assert_eq!(json["reliability"]["candidate_failed"], 1);
    assert_eq!(json["about"]["environment"], "staging");
    assert!(json["changes"].is_null(), "nobody asked since when");
    assert_eq!(json["timeline"]["phases"][0]["what"], "infrastructure");

    // It was compared at the very end of the day that is asked for, and now is now.
    let changed = server.get("/evidence?since=1d").await;
    changed
        .says("Changed since 2026-03-01 12:01 UTC")
        .says("Nothing had been compared then; it is NO-GO now.")
        .says("recordings 0 → 1");
    let same = server.get("/api/v1/evidence?since=0h").await.json();
    assert_eq!(same["changes"]["verdict_then"], "fail");
    assert_eq!(same["changes"]["counts"], json!([]));
    server
        .get("/evidence?since=0h")
        .await
        .says("Nothing changed.");
    for path in ["/evidence?since=soon", "/api/v1/evidence?since=2030-01-01"] {
        assert_eq!(server.get(path).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn a_verdict_on_an_earlier_end_is_not_shown_once_a_run_goes_on() {
    let server = Server::without_engine().await;
    let run = server.running("run_a", 1).await;
    server.fail(&run, "get_recording, attempt 4: gone").await;
    server.compare(&run).await;
    let store = &server.shadow.store;
    let claimed = store.claim_start(&run, after(70), after(80)).await;
    assert!(claimed.expect("an answer"), "it goes on");
    let told = server.get("/api/v1/runs/run_a").await.json();
    assert_eq!(told["run"]["state"], "starting");
    assert!(told["run"]["verdict"].is_null());
}

#[tokio::test]
async fn another_environments_run_is_not_looked_for_in_this_ones_engine() {
    let engine = engine("workflow-of-run_a", &TRANSCRIBING).await;
    let server = Server::with_engine(&engine).await;
    server.run_in("production", "run_a", 1).await;
    let told = server.get("/api/v1/runs/run_a").await.json();
    assert_eq!(told["run"]["engine"], "not_asked");
    let page = server.get("/runs").await;
    page.says("Progress unknown: it runs in environment production");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_for_programs_and_a_page_for_people() {
    let server = Server::without_engine().await;
    for path in [
        "/api/v1/runs/run_none",
        "/api/v1/runs/run_none/report",
        "/api/v1/runs/run_none/events",
        "/api/v1/nothing",
        "/api",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["title"], "Not Found");
        assert_eq!(problem["status"], 404);
        assert!(problem["detail"].is_string());
    }
    for path in ["/runs/run_none", "/runs/run_none/report", "/nothing"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        answer.says("<h1>Not Found</h1>");
    }
}

#[tokio::test]
async fn a_limit_outside_its_range_is_refused_with_the_range() {
    let server = Server::without_engine().await;
    for limit in ["0", "-1", "501", "many", "99999999999999999999"] {
        let answer = server.get(&format!("/api/v1/runs?limit={limit}")).await;
        assert_eq!(answer.status, 400, "{limit}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let detail = "`limit` must be a whole number from 1 to 500";
        assert_eq!(answer.json()["detail"], detail);
    }
}

#[tokio::test]
async fn only_loopback_names_are_answered_but_probes_may_use_any() {
    let server = Server::without_engine().await;
    for host in ["localhost:8480", "127.0.0.1", "[::1]:1"] {
        assert_eq!(server.get_as("/", Some(host)).await.status, 200, "{host}");
    }
    for path in ["/", "/api/v1/runs", "/assets/live.js", "/nothing"] {
        let answer = server.get_as(path, Some("rebound.example.com:8480")).await;
        assert_eq!(answer.status, 421, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains("only requests to `localhost`"), "{detail}");
    }
    let health = server.get_as("/health", Some("10.0.0.7:8480")).await;
    assert_eq!(health.status, 200);
    assert_eq!(health.json()["database"]["kind"], "SQLite");
}

#[tokio::test]
async fn a_database_that_is_gone_is_unhealthy_and_tells_nothing_of_itself() {
    let server = Server::without_engine().await;
    server.shadow.store.close().await;
    let health = server.get("/health").await;
    assert_eq!(health.status, 503);
    assert_eq!(health.json()["status"], "failing");
    let list = server.get("/api/v1/runs").await;
    assert_eq!(list.status, 500);
    let detail = "something went wrong here; the log says what";
    assert_eq!(list.json()["detail"], detail);
    let page = server.get("/").await;
    assert_eq!(page.status, 500);
    page.says("Something went wrong here; the log says what.");
}

#[tokio::test]
async fn pages_run_no_script_but_ours_and_only_assets_are_kept() {
    let server = Server::without_engine().await;
    let page = server.get("/").await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe-inline"));
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "same-origin");
    assert!(!page.body.contains("style=\"") && !page.body.contains("<style"));
    let list = server.get("/api/v1/runs").await;
    assert_eq!(list.header("cache-control"), "no-store");

    let quoted: Vec<_> = page.body.split('"').collect();
    let assets: Vec<_> = quoted
        .iter()
        .filter(|text| text.starts_with("/assets/"))
        .collect();
    assert_eq!(assets.len(), 3, "icon, style, script");
    for path in assets {
        let asset = server.get(path).await;
        assert_eq!(asset.status, 200, "{path}");
        assert!(asset.header("cache-control").contains("immutable"));
        assert!(!asset.body.is_empty());
    }
}

#[tokio::test]
async fn a_stream_tells_of_a_run_at_once_then_of_each_change_and_then_ends() {
    let server = Server::without_engine().await;
    let run = server.running("run_a", 1).await;
    let told = timeout(PATIENCE, async {
        let mut listener = server.listen("/api/v1/runs/run_a/events").await;
        let (name, first) = listener.next().await.expect("a first event");
        assert_eq!(name, "snapshot");
        assert_eq!(first["run"]["state"], "running");

        server.fail(&run, "get_recording, attempt 4: gone").await;
        let (_, second) = listener.next().await.expect("a change");
        assert_eq!(second["run"]["state"], "failed");
        assert!(second["run"]["awaits_verdict"].as_bool().expect("a flag"));

        server.compare(&run).await;
        let (_, third) = listener.next().await.expect("a change");
        assert_eq!(third["run"]["verdict"], "candidate_failed");
        let (name, _) = listener.next().await.expect("an end");
        assert_eq!(name, "end");
        assert!(listener.next().await.is_none());

        // Whoever comes late hears the same end.
        let mut late = server.listen("/api/v1/runs/run_a/events").await;
        let (_, whole) = late.next().await.expect("a first event");
        assert_eq!(whole, third);
        assert_eq!(late.next().await.expect("an end").0, "end");
    });
    told.await.expect("nothing hangs");
}

#[tokio::test]
async fn a_run_without_a_control_has_told_everything_when_it_ends() {
    let server = Server::without_engine().await;
    let run = server.running("run_a", 1).await;
    let store = &server.shadow.store;
    let stopped = store.finish_run(&run, RunState::Terminated, Some("by hand"), after(9));
    assert!(stopped.await.expect("it ends"));
    let page = server.get("/runs/run_a").await;
    page.says("by hand").says("Not reached");
    assert!(!page.body.contains("data-events"));
}

#[tokio::test]
async fn listeners_to_the_list_share_what_is_seen_and_do_not_hold_up_a_stop() {
    let server = Server::without_engine().await;
    let told = timeout(PATIENCE, async {
        let mut first = server.listen("/api/v1/events").await;
        assert_eq!(first.next().await.expect("a list").1, json!({ "runs": [] }));
        let mut second = server.listen("/api/v1/events").await;
        assert_eq!(
            second.next().await.expect("a list").1,
            json!({ "runs": [] })
        );

        server.running("run_a", 1).await;
        let [one, other] = [first.next().await, second.next().await].map(Option::unwrap);
        assert_eq!(one.1["runs"][0]["run_id"], "run_a");
        assert_eq!(one, other);

        server.shutdown.cancel();
        assert!(first.next().await.is_none() && second.next().await.is_none());
        server.stopped().await;
    });
    told.await.expect("nothing hangs");
}
