//! Gate, reports, the breaker, the trail, replays: what pages say is what programs are told.

use serde_json::json;
use switchyard::{
    rollout::{Breaker, Layer, Probe, Signals},
    store::{BreakerRow, NewHold},
};

use super::{titled, unescaped};
use crate::{
    http::{
        server::{Server, after, noon},
        sign_in::World,
    },
    phases,
};

#[tokio::test]
async fn the_gate_shows_each_test_with_its_number_and_its_bound() {
    let server = Server::without_engine().await;
    server.judged("run_1", 1, titled).await;
    let page = server.get("/gate").await;
    assert_eq!(page.status, 200);
    let told = server.get("/api/v1/gate").await.json();
    let body = unescaped(&page.body);
    for line in told["lines"].as_array().expect("a list") {
        for part in ["observed", "bound", "missing"] {
            let text = line[part].as_str().expect("text");
            let text = text.replace('<', "&lt;").replace('\'', "&#x27;");
            assert!(body.contains(&text), "{part} of {line}");
        }
    }
    for field in told["fields"].as_array().expect("a list") {
        let label = field["label"].as_str().expect("text");
        assert!(body.contains(label), "{label}");
    }
    page.says("What was served").says(r#"href="/evidence""#);
}

#[tokio::test]
async fn reports_are_listed_by_verdict_and_field_with_the_worst_and_in_pages_of_fifty() {
    let server = Server::without_engine().await;
    server.get("/reports").await.says("No run was compared yet");
    for number in 1..=51 {
        let id = format!("run_{number:02}");
        if number == 7 {
            server.judged(&id, number, |_, _| {}).await;
        } else {
            server.judged(&id, number, titled).await;
        }
    }
    let page = server.get("/reports").await;
    page.says("1 to 50 of 51")
        .says("Next 50")
        .says(r#"href="/runs/run_51/report""#);
    assert!(
        !page.body.contains("run_01"),
        "the oldest is on the second page"
    );
    server
        .get("/reports?page=2")
        .await
        .says("51 to 51 of 51")
        .says("run_01");
    server.get("/reports?page=99").await.says("51 to 51 of 51");
    let differing = server.get("/reports?field=title").await;
    differing.says("of 50").says("Title");
    assert!(!differing.body.contains("run_07"));
    let one = server.get("/reports?id=run_07").await;
    one.says("1 to 1 of 1").says("nothing");
    let told = server.get("/api/v1/reports?id=run_07").await.json();
    assert_eq!(told["reports"][0]["run_id"], "run_07");
    let first = server
        .get("/api/v1/reports?field=title&limit=1")
        .await
        .json();
    let cursor = first["next"].as_str().expect("there are more");
    let told = format!("/api/v1/reports?field=title&limit=1&cursor={cursor}");
    let told = server.get(&told).await.json();
    assert_eq!(told["reports"][0]["worst"], "title");
    assert_ne!(told["reports"][0]["run_id"], first["reports"][0]["run_id"]);
    assert_eq!(server.get("/reports?verdict=perhaps").await.status, 400);
    assert_eq!(server.get("/api/v1/reports?limit=0").await.status, 400);
}

/// A breaker that a bad look has made suspicious and a second one has opened.
async fn opened(server: &Server) {
    let limits = switchyard::model::HealthLimits::default();
    let bad = |sign: Option<&str>| Signals {
        bad: sign.map(str::to_owned),
        only_watched: false,
    };
    let mut breaker = Breaker::first(&bad(Some("server: gone")), noon(), &limits);
    for seconds in [10, 20, 30] {
        breaker = breaker.after(&bad(Some("server: gone")), after(seconds), &limits);
    }
    let row = BreakerRow {
        breaker,
        holding: Some("language model: gone".to_owned()),
        version: 0,
    };
    let about = phases::about("staging");
    let store = &server.shadow.store;
    let written = store.set_breaker(&about, &row, &[], after(80)).await;
    assert!(written.expect("it is written"));
    for (name, layer, found) in [
        ("server", Layer::Conductor, Err("gone".to_owned())),
        ("language model", Layer::Shared, Err("gone".to_owned())),
        (
            "Celery's broker",
            Layer::Legacy,
            Ok("it answers".to_owned()),
        ),
    ] {
        let probe = Probe { name, layer, found };
        let noted = store
            .note_probe(&about.environment, &probe, after(80))
            .await;
        noted.expect("it is noted");
    }
}

#[tokio::test]
async fn the_breaker_is_shown_by_layers_and_closed_by_a_person_only_when_all_is_well() {
    let server = Server::without_engine().await;
    server
        .get("/breaker")
        .await
        .says("Nothing was looked at yet")
        .says("Not watched");
    opened(&server).await;
    let page = server.get("/breaker").await;
    page.says("Both pipelines need what is down: language model: gone")
        .says("Conductor and its workers")
        .says("What both pipelines need")
        .says("The legacy pipeline")
        .says("Close the breaker");
    let csrf = page.csrf();
    let closing = [
        ("csrf", &*csrf),
        ("by", "ana"),
        ("reason", "it was restarted"),
    ];
    let refused = server.send("/breaker/closing", &closing).await;
    assert_eq!(refused.status, 409, "{}", refused.body);
    refused
        .says("Nothing was changed")
        .says("value=\"it was restarted\"");
    let api = crate::standup::http().post(format!("{}/api/v1/breaker/closing", server.root));
    let api = api
        .json(&json!({ "by": "ana", "reason": "it was restarted" }))
        .send()
        .await
        .expect("an answer");
    assert_eq!(api.status().as_u16(), 409);

    // A good look makes room for somebody's word.
    let store = &server.shadow.store;
    let about = phases::about("staging");
    let row = store.breaker(&about.environment).await.expect("a row");
    let mut row = row.expect("it is there");
    let limits = switchyard::model::HealthLimits::default();
    row.breaker = row.breaker.after(&Signals::default(), after(85), &limits);
    let written = store.set_breaker(&about, &row, &[], after(85)).await;
    assert!(written.expect("it is written"));
    let closed = server.send("/breaker/closing", &closing).await;
    assert_eq!(
        (closed.status, closed.header("location")),
        (303, "/breaker?done=closed")
    );
    let page = server.get("/breaker?done=closed").await;
    page.says("The breaker is closed.")
        .says("it was restarted")
        .says("Closed");
    assert_eq!(
        server.get("/api/v1/breaker").await.json()["state"],
        "closed"
    );
    let told = server.get("/api/v1/audit?action=breaker").await.json();
    let entries = told["entries"].as_array().expect("a list");
    assert_eq!((entries.len(), &entries[0]["actor"]), (1, &json!("ana")));
}

#[tokio::test]
async fn the_trail_is_narrowed_paged_and_says_where_it_is_broken() {
    let server = Server::without_engine().await;
    server
        .get("/audit")
        .await
        .says("Nothing was changed so far")
        .says("The trail is whole: 0 entries");
    let store = &server.shadow.store;
    let about = phases::about("staging");
    for number in 0..60 {
        let owner = if number % 2 == 0 { "ana" } else { "bo" };
        let hold = NewHold {
            owner: owner.to_owned(),
            reason: format!("reason {number}"),
            expires_at: after(3600),
        };
        let placed = store.place_hold(&about, &hold, after(number)).await;
        placed.expect("it is placed");
    }
    let page = server.get("/audit").await;
    page.says("1 to 50 of 60")
        .says("The trail is whole: 60 entries")
        .says("reason 59");
    server
        .get("/audit?page=2")
        .await
        .says("51 to 60 of 60")
        .says("reason 0");
    let mine = server.get("/audit?by=bo&action=hold").await;
    mine.says("1 to 30 of 30");
    assert!(!mine.body.contains("reason 58"), "that is ana's");
    let late = server.get("/audit?since=2026-03-02T12:00:50Z").await;
    late.says("1 to 10 of 10");
    assert_eq!(server.get("/audit?since=yesterday").await.status, 400);
    let first = server.get("/api/v1/audit?by=bo&limit=2").await.json();
    assert_eq!(first["entries"][1]["reason"], "reason 57");
    let cursor = first["next"].as_str().expect("there are more");
    let told = format!("/api/v1/audit?by=bo&limit=2&cursor={cursor}");
    let told = server.get(&told).await.json();
    assert_eq!(told["entries"][0]["reason"], "reason 55");
    let export = server
        .get("/api/v1/audit/export?since=2026-03-02T12:00:50Z")
        .await;
    assert_eq!(export.body.lines().count(), 10);
    assert!(
        page.body.contains("/api/v1/audit/export") || page.body.contains("&#x2f;audit&#x2f;export")
    );
}

#[tokio::test]
async fn replays_say_what_is_missing_where_reflector_is_not_named() {
    let server = Server::without_engine().await;
    let page = server.get("/replays").await;
    page.says("Nothing was replayed in staging so far")
        .says("`environments.staging.legacy`")
        .says("Nothing was rehearsed yet");
    let told = server.get("/api/v1/replays").await.json();
    assert_eq!(told, json!({ "replays": [] }));
    assert_eq!(
        server.get("/api/v1/rehearsals").await.json(),
        json!({ "rehearsals": [] })
    );
    let begun = crate::standup::http().post(format!("{}/api/v1/replays", server.root));
    let begun = begun
        .json(&json!({ "from": "2026-01-01", "limit": 2, "rate": 6, "by": "ana" }))
        .send()
        .await
        .expect("an answer");
    assert_eq!(begun.status().as_u16(), 422);
    assert_eq!(server.get("/replays/rpl_none").await.status, 404);
}

#[tokio::test]
async fn who_looks_up_what_follows_their_role() {
    let world = World::new().await;
    let all = [
        "/gate",
        "/reports",
        "/breaker",
        "/audit",
        "/replays",
        "/settings",
        "/doctor",
    ];
    for (person, may) in [("vi", 5), ("rey", 5), ("ola", 7), ("apo", 7), ("ada", 7)] {
        let mut browser = world.browser();
        browser.signs_in(person).await;
        for (at, path) in all.iter().enumerate() {
            let status = browser.get(path).await.status;
            assert_eq!(status == 200, at < may, "{person} {path}: {status}");
        }
    }
    let mut rey = world.browser();
    rey.signs_in("rey").await;
    let csrf = rey.get("/gate").await.csrf();
    for path in [
        "/breaker/closing",
        "/replays",
        "/replays/rpl_1/pause",
        "/doctor",
    ] {
        let form = [("csrf", &*csrf)];
        rey.post(path, &form)
            .await
            .refuses(403, "takes the role operator");
    }
    let mut ola = world.browser();
    ola.signs_in("ola").await;
    for path in [
        "/breaker/closing",
        "/replays",
        "/replays/rpl_1/cancellation",
        "/doctor",
    ] {
        ola.post(path, &[("by", "ola")])
            .await
            .refuses(403, "did not come from a page of ours");
    }
}
