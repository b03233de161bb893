//! Errors as programs are told of them: problem details, whoever found the error.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::server::Server;

/// Asserts that it is problem details of that request; the details.
async fn problem(path: &str, status: u16, response: Response) -> Value {
    assert_eq!(response.status().as_u16(), status, "{path}");
    let kind = response.headers()["content-type"].to_str().expect("text");
    assert_eq!(kind, "application/problem+json", "{path}");
    let told: Value = response.json().await.expect("JSON");
    assert_eq!(told["status"], status, "{path}");
    let bare = path.split('?').next().expect("a path");
    assert_eq!(told["instance"], bare, "{told}");
    for field in ["type", "title", "detail"] {
        let is_told = told[field].as_str().is_some_and(|text| !text.is_empty());
        assert!(is_told, "{path}: {field} in {told}");
    }
    told
}

#[tokio::test]
async fn whatever_is_wrong_with_a_request_is_told_as_problem_details() {
    let server = Server::without_engine().await;
    for (method, path, status) in [
        (Method::GET, "/api/v1/nothing", 404),
        (Method::GET, "/api", 404),
        (Method::GET, "/ofrep/v1/nothing", 404),
        (Method::GET, "/api/v1/runs/run_none", 404),
        (Method::POST, "/api/v1/runs", 405),
        (Method::DELETE, "/api/v1/holds", 405),
        (Method::PATCH, "/api/v1/nothing", 404),
        (Method::GET, "/api/v1/runs?limit=x", 400),
        (Method::GET, "/api/v1/runs?cursor=x", 400),
        (Method::GET, "/api/v1/audit?cursor=eA", 400),
        (Method::GET, "/api/v1/runs/%FF", 400),
        (Method::GET, "/api/v1/runs/%00", 400),
        (Method::GET, "/api/v1/runs?cursor=%00", 400),
        (Method::GET, "/api/v1/phases/plan?to=nowhere", 400),
        (Method::GET, "/api/v1/phases/plan?to=a&to=b", 400),
        (Method::GET, "/api/v1/reviews/items?by=a&by=b", 400),
        (Method::GET, "/api/v1/audit/export?since=soon", 400),
        (Method::GET, "/api/v1/evidence?since=soon", 400),
        (Method::GET, "/api/v1/ws", 400),
    ] {
        let response = server.asks(&method, path).send().await.expect("an answer");
        let allowed = response.headers().get("allow").cloned();
        problem(path, status, response).await;
        assert_eq!(allowed.is_some(), status == 405, "{method} {path}");
    }
    let elsewhere = server.asks(&Method::GET, "/api/v1/runs");
    let elsewhere = elsewhere.header("host", "rebound.example.com").send().await;
    problem("/api/v1/runs", 421, elsewhere.expect("an answer")).await;
}

#[tokio::test]
async fn a_body_that_is_too_long_of_another_kind_or_no_object_is_told_apart() {
    let server = Server::without_engine().await;
    let path = "/api/v1/holds";
    let post = || server.asks(&Method::POST, path);
    let json = |body: String| post().header("content-type", "application/json").body(body);
    let reason = "a".repeat(3 * 1024 * 1024);
    for (request, status) in [
        (json(json!({ "reason": reason }).to_string()), 413),
        (post().body("{}"), 415),
        (post().header("content-type", "text/plain").body("{}"), 415),
        (json("{".to_owned()), 400),
        (json("[]".to_owned()), 400),
        (
            json(r#"{ "by": "a", "reason": "\u0000", "hours": 1 }"#.to_owned()),
            400,
        ),
        (
            json(r#"{ "by": "a", "reason": "b", "hours": 0 }"#.to_owned()),
            400,
        ),
        (json(r#"{ "why": "a" }"#.to_owned()), 400),
    ] {
        let response = request.send().await.expect("an answer");
        problem(path, status, response).await;
    }
}

#[tokio::test]
async fn a_refused_move_says_which_preconditions_are_missing() {
    let server = Server::without_engine().await;
    let path = "/api/v1/phases/moves";
    let wanted = json!({ "to": "parallel", "by": "ana" });
    let response = server.asks(&Method::POST, path).json(&wanted).send().await;
    let told = problem(path, 409, response.expect("an answer")).await;
    assert_eq!(told["type"], "urn:switchyard:problem:move-refused");
    assert_eq!(told["refusal"]["refused"], "unmet");
    let all = told["refusal"]["preconditions"].as_array().expect("a list");
    assert!(all.iter().any(|one| one["state"] == "not_yet"), "{told}");
}
