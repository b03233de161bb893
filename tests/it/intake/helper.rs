//! The HTTP door as callers use it, and `scripts/switchyard_dispatch.py` with a real Python.

use std::path::Path;

use serde_json::{Value, json};
use switchyard::{
    access::{Action, Powers},
    model::{Bounds, Role},
    rollout::{Owner, Position},
    store::{RouteRow, RouteState},
};
use tokio::process::Command;

use super::world::noon;
use crate::{
    http::{access::tokens_alone, server::Server},
    phases, standup,
};

async fn put(server: &Server, position: Position) {
    phases::put(&server.shadow.store, "staging", position, noon()).await;
}

async fn routes(server: &Server) -> Vec<RouteRow> {
    let shadow = &server.shadow;
    let routes = shadow.store.recent_routes(&shadow.environment, 100);
    routes.await.unwrap()
}

async fn post(server: &Server, path: &str, body: &Value) -> (u16, Value) {
    let request = standup::http().post(format!("{}{path}", server.root));
    let response = request.json(body).send().await.unwrap();
    (
        response.status().as_u16(),
        response.json().await.unwrap_or_default(),
    )
}

fn recording(task: &str) -> Value {
    json!({ "transcript_id": "t", "bucket_name": "b", "track_keys": ["k"], "task_id": task })
}

#[tokio::test]
async fn a_request_is_answered_and_an_offer_is_accepted_as_often_as_one_likes() {
    let server = Server::without_engine().await;
    put(&server, Position::Draining).await;
    let (status, answer) = post(&server, "/api/v1/recordings", &recording("one")).await;
    assert_eq!(status, 200);
    let reason = "phase cleanup: the candidate serves alone";
    let expected = json!({ "serve": "candidate", "task_id": "one", "reason": reason });
    assert_eq!(answer, expected);
    for _ in 0..2 {
        let path = "/api/v1/recordings/one/accept";
        assert_eq!(
            post(&server, path, &json!({})).await,
            (200, expected.clone())
        );
    }
    assert_eq!(routes(&server).await[0].state, RouteState::Open);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named_with_its_remedy() {
    let server = Server::without_engine().await;
    for (field, value) in [
        ("transcript_id", json!(1)),
        ("transcript_id", json!("")),
        ("bucket_name", Value::Null),
        ("track_keys", json!("k")),
        ("track_keys", json!([1])),
        ("task_id", json!("x".repeat(1025))),
        ("reprocess", json!("yes")),
        ("colour", json!("red")),
    ] {
        let mut body = recording("one");
        body[field] = value;
        let (status, problem) = post(&server, "/api/v1/recordings", &body).await;
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!(status, 400, "{field}");
        assert!(
            detail.starts_with(&format!("`{field}`: ")) && detail.contains("send "),
            "{detail}"
        );
    }
    let (status, _) = post(&server, "/api/v1/recordings", &json!([])).await;
    assert_eq!(status, 400);
    let (status, problem) = post(&server, "/api/v1/recordings/none/accept", &json!({})).await;
    assert_eq!(status, 404);
    assert!(problem["detail"].as_str().unwrap().contains("publish"));
    assert!(routes(&server).await.is_empty());
}

#[tokio::test]
async fn once_celery_is_removed_a_doubt_is_no_answer() {
    let server = Server::without_engine().await;
    post(&server, "/api/v1/recordings", &recording("celery's")).await;
    put(&server, Position::Removed).await;
    let (status, answer) = post(&server, "/api/v1/recordings", &recording("one")).await;
    assert_eq!((status, &answer["serve"]), (200, &json!("candidate")));
    server.shadow.store.close().await;
    let (status, problem) = post(&server, "/api/v1/recordings", &recording("two")).await;
    assert_eq!(status, 503);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("Celery is removed"), "{detail}");
    assert!(detail.ends_with("ask again"), "{detail}");
}

#[tokio::test]
async fn a_page_on_the_web_cannot_accept() {
    let server = Server::without_engine().await;
    put(&server, Position::Draining).await;
    post(&server, "/api/v1/recordings", &recording("one")).await;
    let url = format!("{}/api/v1/recordings/one/accept", server.root);
    // What a form or an image can send without being asked whether it may.
    let request = standup::http().post(url).body("{}");
    let request = request.header("content-type", "text/plain");
    assert_eq!(request.send().await.unwrap().status().as_u16(), 415);
    assert_eq!(routes(&server).await[0].state, RouteState::Offered);
}

/// Calls the helper with a task that tells what it was published with; the answer is that, and how
/// long it took.
async fn dispatch(url: &str, in_a_task: bool) -> Value {
    // However busy the machine is.
    dispatch_within(60_000, url, in_a_task).await
}

async fn dispatch_within(budget_ms: u32, url: &str, in_a_task: bool) -> Value {
    dispatch_showing("", budget_ms, url, in_a_task).await
}

async fn dispatch_showing(token: &str, budget_ms: u32, url: &str, in_a_task: bool) -> Value {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let python = std::env::var("SWITCHYARD_TEST_CELERY").unwrap_or_else(|_| "python3".to_owned());
    let program = r#"
import json, sys, time
from switchyard_dispatch import dispatch

class App:
    current_worker_task = object() if sys.argv[1] == "task" else None

class Task:
    app = App()
    published = []
    def apply_async(self, kwargs, task_id):
        self.published.append({"kwargs": kwargs, "task_id": task_id})

task = Task()
began = time.monotonic()
task_id = dispatch(task, transcript_id="t", bucket_name="b", track_keys=["k"])
took = time.monotonic() - began
print(json.dumps({"task_id": task_id, "published": task.published, "took": took}))
"#;
    let called = Command::new(python)
        .args(["-c", program, if in_a_task { "task" } else { "endpoint" }])
        .env("PYTHONPATH", scripts)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SWITCHYARD_URL", url)
        .env("SWITCHYARD_TOKEN", token)
        .env("SWITCHYARD_BUDGET_MS", budget_ms.to_string())
        .output()
        .await
        .expect("a Python starts");
    let said = String::from_utf8_lossy(&called.stderr);
    assert!(called.status.success(), "{said}");
    serde_json::from_slice(&called.stdout).expect("it prints JSON")
}

#[track_caller]
fn published(told: &Value) {
    let expected = json!([{
        "kwargs": { "transcript_id": "t", "bucket_name": "b", "track_keys": ["k"] },
        "task_id": told["task_id"],
    }]);
    assert_eq!(told["published"], expected);
}

#[tokio::test]
async fn where_tokens_are_asked_for_a_helper_shows_its_own_and_publishes_without() {
    let server = Server::signing_in(tokens_alone(), Bounds::default()).await;
    put(&server, Position::Draining).await;
    published(&dispatch_showing("", 60_000, &server.root, true).await);
    assert!(routes(&server).await.is_empty());
    let operator = Powers::in_environments(Role::Operator, &["staging".into()]);
    let (_, token) = server
        .token_with("helper", operator.only([Action::AskRoute]))
        .await;
    let told = dispatch_showing(&token, 60_000, &server.root, true).await;
    assert_eq!(told["published"], json!([]));
    assert_eq!(routes(&server).await.len(), 1);
}

#[tokio::test]
async fn what_the_control_serves_is_published_under_the_id_that_was_asked_about() {
    let server = Server::without_engine().await;
    let told = dispatch(&server.root, true).await;
    published(&told);
    let routes = routes(&server).await;
    assert_eq!(told["task_id"], routes[0].task_id.as_str());
}

#[tokio::test]
async fn what_the_candidate_serves_is_accepted_and_not_published() {
    let server = Server::without_engine().await;
    put(&server, Position::Draining).await;
    let told = dispatch(&server.root, true).await;
    assert_eq!(told["published"], json!([]));
    let routes = routes(&server).await;
    assert_eq!(routes[0].state, RouteState::Open);
    assert_eq!(told["task_id"], routes[0].task_id.as_str());
}

#[tokio::test]
async fn outside_a_task_a_transcript_is_wanted_again_and_inside_it_is_not() {
    let server = Server::without_engine().await;
    dispatch(&server.root, true).await;
    let first = routes(&server).await.remove(0);
    let store = &server.shadow.store;
    assert!(store.end_route(&first, None, noon()).await.unwrap());
    dispatch(&server.root, true).await;
    assert_eq!(routes(&server).await.len(), 1);
    dispatch(&server.root, false).await;
    assert_eq!(routes(&server).await.len(), 2);
}

#[tokio::test]
async fn a_switchyard_that_is_gone_or_silent_or_something_else_costs_no_recording() {
    let gone = standup::loopback().await.local_addr().unwrap();
    let silent = standup::loopback().await;
    let not_us = axum::Router::new().fallback(async || "hello");
    let listener = standup::loopback().await;
    let other = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, not_us).await });
    let silent_at = silent.local_addr().unwrap();
    for url in [
        format!("http://{gone}"),
        format!("http://{silent_at}"),
        format!("http://{other}"),
        "nonsense".to_owned(),
    ] {
        published(&dispatch_within(300, &url, true).await);
    }
}

#[tokio::test]
async fn an_offer_that_cannot_be_confirmed_is_published() {
    // It offers, and then is gone for good.
    let offer = async |body: axum::Json<Value>| {
        let task = body.0["task_id"].clone();
        axum::Json(json!({ "serve": "candidate", "task_id": task, "reason": "" }))
    };
    let refuse = async || axum::http::StatusCode::INTERNAL_SERVER_ERROR;
    let door = axum::Router::new()
        .route("/api/v1/recordings", axum::routing::post(offer))
        .fallback(refuse);
    let listener = standup::loopback().await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, door).await });
    published(&dispatch(&format!("http://{address}"), true).await);
}

#[tokio::test]
async fn an_offer_that_lapsed_before_it_was_accepted_is_published() {
    let offer = async |body: axum::Json<Value>| {
        let task = body.0["task_id"].clone();
        axum::Json(json!({ "serve": "candidate", "task_id": task, "reason": "" }))
    };
    let lapsed = async || axum::Json(json!({ "serve": Owner::Control.as_str() }));
    let door = axum::Router::new()
        .route("/api/v1/recordings", axum::routing::post(offer))
        .fallback(lapsed);
    let listener = standup::loopback().await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, door).await });
    published(&dispatch(&format!("http://{address}"), true).await);
}
