//! What must not be on a page: secrets anywhere, and what was said where an action does not allow it.

use switchyard::model::Outcome;

use crate::http::{
    server::{SECRET, Server},
    sign_in::World,
};

/// In titles, summaries and words of a meeting.
const CANARY: &str = "zanzibarquux";

fn with_canary(control: &mut Outcome, candidate: &mut Outcome) {
    for (side, number) in [(&mut *control, 17), (&mut *candidate, 70)] {
        side.title = Some(format!("{CANARY} in {number} days"));
        side.long_summary = Some(format!("# {CANARY}\n\n{number} of them"));
        if let Some(topic) = side.topics.first_mut() {
            topic.title = format!("{CANARY} {number}");
        }
    }
    candidate.words[3].text = format!(" {CANARY}");
}

#[tokio::test]
async fn what_was_said_is_on_pages_alone_whose_action_allows_it() {
    let world = World::new().await;
    let server = &world.server;
    server.judged("run_1", 1, with_canary).await;
    server.judged("run_2", 2, with_canary).await;
    let mut rey = world.browser();
    rey.signs_in("rey").await;
    let listed = rey.get("/api/v1/reviews/items").await;
    assert!(!listed.body.contains(CANARY));
    let listed: serde_json::Value = serde_json::from_str(&listed.body).expect("JSON");
    let items = listed["items"].as_array().expect("a list");
    let mut quoting = 0;
    for item in items {
        let id = item["id"].as_str().expect("an id");
        let page = rey.get(&format!("/reviews/items/{id}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        quoting += usize::from(page.body.contains(CANARY));
    }
    assert!(
        quoting >= 4,
        "{quoting} of {} items quote the meeting",
        items.len()
    );
    let mut ada = world.browser();
    ada.signs_in("ada").await;
    let cluster = items
        .iter()
        .find_map(|item| item["about"]["signature"].as_str());
    let cluster = format!("/reviews/clusters/{}", cluster.expect("a cluster"));
    for path in [
        "/reviews",
        "/reviews?kind=title",
        "/reviews/clusters",
        &*cluster,
        "/reviews/rules",
        "/gate",
        "/evidence",
        "/reports",
        "/breaker",
        "/audit",
        "/replays",
        "/settings",
        "/api/v1/reports",
        "/api/v1/reviews/clusters",
        "/api/v1/settings",
        "/api/v1/doctor",
    ] {
        let page = ada.get(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        assert!(!page.body.contains(CANARY), "{path}");
    }
}

#[tokio::test]
async fn secrets_are_masked_in_the_settings_and_in_what_whoever_helps_is_given() {
    let server = Server::without_engine().await;
    let page = server.get("/settings").await;
    page.says("environments.staging.daily")
        .says("***")
        .says("database");
    let json = server.get("/api/v1/settings").await;
    assert_eq!(
        json.json()["environments"]["staging"]["daily"]["api_key"],
        "***"
    );
    let bundle = server.get("/api/v1/doctor").await;
    assert_eq!(bundle.status, 200);
    assert!(
        bundle
            .header("content-disposition")
            .contains("switchyard-doctor.json")
    );
    assert!(bundle.json()["checks"].is_array());
    let asked = server.get("/doctor").await;
    let form = [("csrf", &*asked.csrf())];
    let found = server.send("/doctor", &form).await;
    assert_eq!(found.status, 200, "{}", found.body);
    found.says("our database").says("Connections");
    for answer in [&page, &json, &bundle, &found] {
        assert!(!answer.body.contains(SECRET));
    }
}

#[tokio::test]
async fn settings_of_environments_where_somebody_has_no_role_are_left_out() {
    let server = Server::without_engine().await;
    server
        .get("/settings")
        .await
        .says("environments.production.daily");
    let world = World::new().await;
    let mut ola = world.browser();
    ola.signs_in("ola").await;
    let page = ola.get("/settings").await;
    assert!(
        page.body.contains("environments.staging.daily"),
        "{}",
        page.body
    );
    assert!(!page.body.contains("environments.production"));
    assert!(page.body.contains("1 environment of the file is left out"));
    for path in ["/api/v1/settings", "/api/v1/doctor"] {
        let told = ola.get(path).await;
        assert!(!told.body.contains("production.example.test"), "{path}");
    }
}
