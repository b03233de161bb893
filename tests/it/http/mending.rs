//! What people do about runs, on pages and over HTTP: by whom, with what said, and never unasked.

use reqwest::{Method, Response};
use serde_json::{Value, json};
use switchyard::model::{Bounds, Role, RunId, RunState};

use super::{
    access::{client, tokens_alone},
    server::{Server, after},
};

async fn failed(server: &Server, id: &str) -> RunId {
    let run = server.running(id, 1).await;
    server
        .fail(&run, "finalize, attempt 4: Reflector does not answer")
        .await;
    run
}

async fn post(server: &Server, path: &str, body: Value) -> (u16, Value) {
    let request = server.asks(&Method::POST, path).json(&body);
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.json().await.expect("JSON"))
}

/// What a form of that page sends back to show where it comes from.
fn csrf(page: &str) -> String {
    let at = page.find("name=\"csrf\" value=\"").expect("a form") + 19;
    page[at..].split('"').next().expect("a value").to_owned()
}

fn seen(page: &str) -> String {
    let at = page.find("name=\"seen\" value=\"").expect("a form") + 19;
    page[at..].split('"').next().expect("a value").to_owned()
}

async fn send(server: &Server, path: &str, fields: &[(&str, &str)]) -> Response {
    let request = client().post(format!("{}{path}", server.root)).form(fields);
    request.send().await.expect("an answer")
}

async fn state(server: &Server, run: &RunId) -> RunState {
    let run = server.shadow.store.run(run).await.expect("it is read");
    run.expect("it is there").state
}

#[tokio::test]
async fn a_failed_step_is_retried_from_its_page_with_a_name_and_a_reason() {
    let server = Server::without_engine().await;
    let run = failed(&server, "run_a").await;
    let page = server.get("/runs/run_a").await;
    page.says("href=\"/runs/run_a/retry\"")
        .says("href=\"/runs/run_a/compare\"")
        .says(
            "it is a shadow run; Celery serves its recording already"
                .replace("it is", "It is")
                .as_str(),
        );
    assert!(!page.body.contains("href=\"/runs/run_a/takeover\""));
    let form = server.get("/runs/run_a/retry").await;
    form.says("Retry the step that failed")
        .says("finalize, attempt 4: Reflector does not answer");
    let (csrf, seen) = (csrf(&form.body), seen(&form.body).replace("&#x2f;", "/"));
    let sent = |by: &'static str, reason: &'static str, csrf: String, seen: String| {
        let server = &server;
        async move {
            let fields = [
                ("csrf", csrf.as_str()),
                ("seen", seen.as_str()),
                ("by", by),
                ("reason", reason),
            ];
            send(server, "/runs/run_a/retry", &fields).await
        }
    };
    let unasked = sent("ana", "it is back", "0".to_owned(), seen.clone()).await;
    assert_eq!(unasked.status().as_u16(), 403);
    let blank = sent("ana", " ", csrf.clone(), seen.clone()).await;
    assert_eq!(blank.status().as_u16(), 400);
    let told = blank.text().await.expect("a page");
    assert!(
        told.contains("Reason is empty") && told.contains("value=\"ana\""),
        "{told}"
    );
    let stale = sent("ana", "it is back", csrf.clone(), after(1).to_rfc3339()).await;
    assert_eq!(stale.status().as_u16(), 409);
    assert_eq!(state(&server, &run).await, RunState::Failed);

    let done = sent("ana", "it is back", csrf.clone(), seen.clone()).await;
    assert_eq!(done.status().as_u16(), 303);
    let to = done.headers()["location"]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(to.starts_with("/runs/run_a?done="), "{to}");
    let said = server.get(&to).await;
    // The engine of these tests is gone.
    said.says("It begins as soon as the workflow engine answers.");
    assert_eq!(state(&server, &run).await, RunState::Starting);
    let twice = sent("bo", "it is back", csrf, seen).await;
    assert_eq!(twice.status().as_u16(), 409, "it was pressed again");
    assert_eq!(
        server.on_record("retry").await,
        [("ana".to_owned(), "it is back".to_owned())]
    );
}

#[tokio::test]
async fn a_takeover_has_to_be_typed() {
    let server = Server::without_engine().await;
    let run = failed(&server, "run_a").await;
    let page = server.get("/runs/run_a/takeover").await;
    page.says("It cannot be done now");
    assert!(
        !page.body.contains("name=\"confirm\""),
        "there is nothing to confirm"
    );
    let csrf = csrf(&server.get("/runs/run_a/compare").await.body);
    for typed in ["", "run_b"] {
        let fields = [
            ("csrf", csrf.as_str()),
            ("by", "ana"),
            ("reason", "its users wait"),
            ("confirm", typed),
        ];
        let answer = send(&server, "/runs/run_a/takeover", &fields).await;
        assert_eq!(answer.status().as_u16(), 400, "{typed}");
        let told = answer.text().await.expect("a page");
        assert!(told.contains("is not the run"), "{told}");
    }
    assert_eq!(state(&server, &run).await, RunState::Failed);
}

#[tokio::test]
async fn a_run_is_compared_again_by_one_at_a_time_and_the_newest_counts() {
    let server = Server::without_engine().await;
    let run = failed(&server, "run_a").await;
    let store = &server.shadow.store;
    let lease = chrono::TimeDelta::seconds(30);
    let held = store.hold_lease("compare/run_a", "another", lease, after(90));
    assert!(held.await.expect("it is asked"));
    let body = json!({ "by": "ana", "reason": "the policy is new" });
    let (status, told) = post(&server, "/api/v1/runs/run_a/compare", body.clone()).await;
    assert_eq!(status, 409);
    assert!(
        told["detail"]
            .as_str()
            .is_some_and(|told| told.contains("somebody else is at run"))
    );
    store
        .release_lease("compare/run_a", "another")
        .await
        .expect("it is");
    let (status, told) = post(&server, "/api/v1/runs/run_a/compare", body).await;
    assert_eq!(
        (status, &told["verdict"]),
        (200, &json!("candidate_failed"))
    );
    assert_eq!(told["did"], "compared");
    let kept = store.run(&run).await.expect("it is read").expect("it is");
    assert_eq!(kept.verdict.as_deref(), Some("candidate_failed"));
    assert_eq!(
        server.on_record("compare").await,
        [("ana".to_owned(), "the policy is new".to_owned())]
    );
}

#[tokio::test]
async fn programs_are_told_what_may_be_done_and_why_not() {
    let server = Server::without_engine().await;
    failed(&server, "run_a").await;
    let told = server.get("/api/v1/runs/run_a/mending").await.json();
    let of = |mend: &str| {
        let all = told["mending"].as_array().expect("a list");
        let one = all.iter().find(|one| one["mend"] == mend).expect("it is");
        one["refusal"].clone()
    };
    assert_eq!([of("retry"), of("compare")], [Value::Null, Value::Null]);
    assert_eq!(of("resume"), "the run has failed; retry the step that did");
    assert!(
        told["seen"]
            .as_str()
            .is_some_and(|seen| seen.starts_with("2026-03-02T12:01:00"))
    );
    for (path, body, status, part) in [
        (
            "resume",
            json!({ "by": "ana", "reason": "x" }),
            409,
            "retry the step",
        ),
        ("retry", json!({ "by": "ana" }), 400, "`reason`"),
        ("retry", json!({ "reason": "x" }), 400, "`by`"),
        (
            "retry",
            json!({ "by": "a", "reason": "x", "seen": "then" }),
            400,
            "`seen`",
        ),
        (
            "retry",
            json!({ "by": "a", "reason": "x", "force": true }),
            400,
            "`force`",
        ),
        (
            "takeover",
            json!({ "by": "ana", "reason": "x" }),
            409,
            "shadow run",
        ),
    ] {
        let (found, told) = post(&server, &format!("/api/v1/runs/run_a/{path}"), body).await;
        let detail = told["detail"].as_str().expect("a sentence");
        assert!(found == status && detail.contains(part), "{path}: {told}");
    }
    let body = json!({ "by": "ana", "reason": "x" });
    let (status, _) = post(&server, "/api/v1/runs/run_none/retry", body).await;
    assert_eq!(status, 404);
    let body = json!({ "by": "ana", "reason": "x", "seen": told["seen"] });
    let (status, told) = post(&server, "/api/v1/runs/run_a/retry", body).await;
    assert_eq!((status, &told["did"]), (200, &json!("goes_on")), "{told}");
}

#[tokio::test]
async fn only_operators_mend_and_a_page_shows_others_no_way_to() {
    let server = Server::signing_in(tokens_alone(), Bounds::default()).await;
    let run = failed(&server, "run_a").await;
    let viewer = server.token("vi", Role::Reviewer).await;
    let operator = server.token("ola", Role::Operator).await;
    let get = async |path: &str, token: &str| {
        let request = server.asks(&Method::GET, path).bearer_auth(token);
        let answer = request.send().await.expect("an answer");
        (
            answer.status().as_u16(),
            answer.text().await.expect("a body"),
        )
    };
    let (_, page) = get("/runs/run_a", &viewer).await;
    assert!(!page.contains("/runs/run_a/retry"));
    assert_eq!(get("/runs/run_a/retry", &viewer).await.0, 403);
    let (_, page) = get("/runs/run_a", &operator).await;
    assert!(page.contains("/runs/run_a/retry"));
    let ask = async |token: &str, body: Value| {
        let request = server.asks(&Method::POST, "/api/v1/runs/run_a/retry");
        let answer = request.bearer_auth(token).json(&body).send().await;
        answer.expect("an answer").status().as_u16()
    };
    assert_eq!(ask(&viewer, json!({ "reason": "x" })).await, 403);
    let as_other = json!({ "reason": "x", "by": "bo" });
    assert_eq!(ask(&operator, as_other).await, 400);
    assert_eq!(state(&server, &run).await, RunState::Failed);
    assert_eq!(ask(&operator, json!({ "reason": "x" })).await, 200);
    assert_eq!(server.on_record("retry").await[0].0, "ola");
}
