//! The list of recordings, and everything there is of one; a run as it is drawn.

use serde_json::Value;
use switchyard::{
    legacy::recorded,
    model::{Role, RunId, UsageKind},
    rollout::{Percent, Position, salt},
    store::{Arrival, Way, Wish},
};

use super::{
    access::tokens_alone,
    engine,
    server::{Server, after, noon},
};
use crate::{phases, standup::folder, store::samples};

/// The bundled meeting, routed as the phase says.
async fn arrive(server: &Server, number: i64) {
    let mut subject = recorded::load(&folder().join("expected/base"), None)
        .expect("a recording")
        .subject;
    subject.transcript.id = format!("transcript-{number}").as_str().into();
    subject.recording.id = format!("recording-{number}").as_str().into();
    let arrival = Arrival {
        environment: samples::staging(),
        flag: samples::flag(),
        task_id: format!("task-{number}"),
        transcript: subject.transcript.id.clone(),
        bucket_name: subject.recording.bucket_name.clone(),
        track_keys: subject.track_keys.clone(),
        wish: Wish::Once,
        way: Way::Tap,
    };
    let keys = switchyard::rollout::Keys::of(&subject);
    let salt = salt(&samples::staging(), &samples::flag());
    let store = &server.shadow.store;
    let pinned = store.arrive(&arrival, &keys, Some(&subject), &salt, after(number));
    pinned.await.expect("it is pinned");
}

/// So many recordings in shadow.
async fn with(recordings: i64) -> Server {
    let server = Server::without_engine().await;
    let all = Position::Shadow(Percent::ALL);
    phases::put(&server.shadow.store, "staging", all, noon()).await;
    for number in 0..recordings {
        arrive(&server, number).await;
    }
    server
}

fn ids(page: &Value) -> Vec<String> {
    let lines = page["recordings"].as_array().expect("a list");
    let id = |line: &Value| line["id"].as_str().expect("an id").to_owned();
    lines.iter().map(id).collect()
}

/// The address that a link of that name leads to.
fn link(page: &str, name: &str) -> Option<String> {
    let before = page.split(&format!(">{name}</a>")).next()?;
    if before.len() == page.len() {
        return None;
    }
    let start = before.rfind("href=\"")? + 6;
    let address = before[start..].split('"').next()?;
    Some(address.replace("&amp;", "&").replace("&#x2f;", "/"))
}

#[tokio::test]
async fn pages_of_fifty_go_on_behind_one_another_for_people_and_programs_alike() {
    let server = with(120).await;
    let first = server.get("/recordings").await;
    assert_eq!(first.status, 200);
    first
        .says("50 recordings, newest first")
        .says("Control, candidate beside")
        .says("waits to be started");
    let mut page = first;
    let mut seen = Vec::new();
    for expected in [50, 50, 20] {
        let rows: Vec<_> = page.body.matches("<th scope=\"row\">").collect();
        assert_eq!(rows.len(), expected);
        seen.push(page.body.clone());
        // What comes meanwhile is on no page behind.
        arrive(&server, 1_000 + i64::try_from(seen.len()).expect("few")).await;
        let Some(older) = link(&page.body, "Older") else {
            break;
        };
        page = server.get(&older).await;
    }
    assert_eq!(seen.len(), 3, "the last page leads no further");
    for number in 0..120 {
        let name = format!(">recording-{number}</a>");
        let times = seen.iter().filter(|page| page.contains(&name)).count();
        assert_eq!(times, 1, "recording-{number}");
    }

    let mut path = "/api/v1/recordings?limit=7".to_owned();
    let mut all = Vec::new();
    while all.len() < 123 {
        let page = server.get(&path).await.json();
        all.extend(ids(&page));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/api/v1/recordings?limit=7&cursor={next}");
    }
    let last = server.get(&path).await.json();
    assert_eq!((all.len(), &last["next"]), (123, &Value::Null));
    assert_eq!(all[3], "recording-119");
    for path in ["/recordings?before=odd", "/api/v1/recordings?cursor=odd"] {
        assert_eq!(server.get(path).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn an_address_says_what_is_seen() {
    let server = with(3).await;
    let run = server.running("run_by_hand", 9).await;
    server.fail(&run, "finalize, attempt 4: gone").await;
    let page = server
        .get("/recordings?q=recording-1&pipeline=beside&environment=&state=no_run")
        .await;
    page.says("value=\"recording-1\"")
        .says("<option value=\"beside\" selected>")
        .says(">recording-1</a>")
        .says("All recordings</a>");
    assert!(!page.body.contains(">recording-2</a>"));
    for (query, expected) in [
        ("state=failed", 1),
        ("pipeline=unrouted", 1),
        ("verdict=differs", 0),
        ("since=2026-03-02T12:00:02Z", 2),
        ("until=2026-03-02T12:00:01Z", 1),
        ("environment=production", 0),
        ("flag=daily_diarization_pipeline", 4),
        ("q=%25", 0),
    ] {
        let told = server.get(&format!("/api/v1/recordings?{query}")).await;
        assert_eq!(ids(&told.json()).len(), expected, "{query}");
        let page = server.get(&format!("/recordings?{query}")).await;
        let rows = page.body.matches("<th scope=\"row\">").count();
        assert_eq!(rows, expected, "{query}");
    }
    let nothing = server.get("/recordings?verdict=differs").await;
    nothing.says("Nothing is like that.");
    for query in ["state=odd", "pipeline=celery", "since=soon", "limit=0"] {
        let told = server.get(&format!("/api/v1/recordings?{query}")).await;
        assert_eq!(told.status, 400, "{query}");
    }
    let script = server.get("/recordings?q=<script>alert(1)</script>").await;
    assert!(!script.body.contains("<script>alert"));
    let empty = Server::without_engine().await;
    empty
        .get("/recordings")
        .await
        .says("No recording has come yet.");
}

#[tokio::test]
async fn a_recording_has_its_route_runs_controls_and_times_and_nothing_of_its_people() {
    let server = with(1).await;
    let run = server.running("run_a", 2).await;
    server.fail(&run, "finalize, attempt 4: gone").await;
    server.compare(&run).await;
    let subject = recorded::load(&folder().join("expected/base"), None);
    let subject = subject.expect("a recording").subject;
    let routed = server.get("/recordings/recording-0").await;
    routed
        .says("Phase shadow: bucket")
        .says("Arrived: the control serves, the candidate runs beside")
        .says("The new pipeline did not work on it.");
    let same = server.get("/recordings/transcript-0").await;
    same.says("<h1>recording-0</h1>");

    let id = &subject.recording.id;
    let page = server.get(&format!("/recordings/{id}")).await;
    page.says("No route led to it")
        .says("Candidate failed")
        .says("A shadow run was dispatched")
        .says("The run ended: failed")
        .says("a recorded outcome");
    let told = server.get(&format!("/api/v1/recordings/{id}")).await.json();
    assert_eq!(told["runs"][0]["run_id"], "run_a");
    assert_eq!(told["runs"][0]["verdict"], "candidate_failed");
    assert_eq!(told["controls"][0]["control_id"], "ctl_of_run_a");
    let room = subject.room.expect("it has one");
    let list = server.get("/recordings").await;
    for page in [&routed, &page, &list] {
        for personal in [room.name.as_str(), "Ana Ferreira", "ctl_of_run_a/"] {
            assert!(!page.body.contains(personal), "{personal}");
        }
    }
    for path in ["/recordings/nobody", "/api/v1/recordings/nobody"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn who_has_no_role_elsewhere_sees_nothing_from_there() {
    let server = Server::signing_in(tokens_alone(), switchyard::model::Bounds::default()).await;
    server.run_in("production", "run_theirs", 1).await;
    let theirs = server.shadow.store.run(&RunId::new("run_theirs")).await;
    let recording = theirs.expect("it is read").expect("it is").recording_id;
    let token = server.token("vi", Role::Viewer).await;
    for (path, status) in [
        ("/api/v1/recordings".to_owned(), 200),
        ("/api/v1/recordings?environment=production".to_owned(), 200),
        (format!("/api/v1/recordings/{recording}"), 404),
        (format!("/recordings/{recording}"), 404),
        ("/recordings".to_owned(), 200),
    ] {
        let asked = server
            .asks(&reqwest::Method::GET, &path)
            .bearer_auth(&token);
        let answer = asked.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let body = answer.text().await.expect("a body");
        assert!(
            !body.contains("run_theirs") && !body.contains(">production<"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_run_is_drawn_with_shapes_words_and_links_to_its_steps() {
    let tasks = [
        ("get_recording", "get_recording", "COMPLETED"),
        ("get_participants", "get_participants", "COMPLETED"),
        ("pad_track", "pad_track_0", "COMPLETED"),
        ("pad_track", "pad_track_1", "IN_PROGRESS"),
    ];
    let engine = engine("workflow-of-run_a", &tasks).await;
    let server = Server::with_engine(&engine).await;
    let run = server.running("run_a", 1).await;
    let done = Some(("completed", 3, None));
    for kind in ["get_recording", "get_participants"] {
        server.attempt(&run, (kind, kind, 1), 5, done).await;
    }
    server
        .attempt(&run, ("pad_track", "pad_track_0", 1), 10, done)
        .await;
    let failed = Some(("failed", 2, Some("the store is full")));
    server
        .attempt(&run, ("pad_track", "pad_track_1", 1), 10, failed)
        .await;
    server
        .attempt(&run, ("pad_track", "pad_track_1", 2), 20, None)
        .await;
    let used = [samples::usage(UsageKind::GpuSeconds, "whisper", 0.1)];
    let noted = server
        .shadow
        .store
        .note_usage(&run, "pad_track_0", "task", &used);
    noted.await.expect("it is noted");
    let page = server.get("/runs/run_a").await;
    page.says("aria-label=\"The steps of run_a and the order between them\"")
        .says("aria-label=\"Aligning tracks: running, 1 of 3 done, 1 under way, attempt 2 of 4\"")
        .says("href=\"#pad_track_1\"")
        .says("● 1 of 3, attempt 2/4")
        .says("aria-label=\"Mixing the tracks: pending\"")
        .says("<tr id=\"pad_track_1\"")
        .says("unknown (no price for gpu_seconds of whisper)");
    assert!(!page.body.contains("style="), "the policy forbids it");
    let told = server.get("/api/v1/runs/run_a").await.json();
    let nodes = told["graph"]["nodes"].as_array().expect("nodes");
    assert_eq!(nodes.len(), 14);
    assert_eq!(nodes[2]["members"]["completed"], 1);
    assert_eq!(told["cost"]["unpriced"][0]["of"], "whisper");
    assert!(told["conductor_url"].is_null() && told["expected"].is_null());

    let failure = "pad_track_1, attempt 4: the store is full";
    server.fail(&run, failure).await;
    let last = Some(("failed_terminally", 1, Some("the store is full")));
    server
        .attempt(&run, ("pad_track", "pad_track_1", 4), 30, last)
        .await;
    let page = server.get("/runs/run_a").await;
    page.says("Failed during the alignment of tracks")
        .says("<polygon class=\"shape\"")
        .says("failed during the alignment of tracks\"");
}
