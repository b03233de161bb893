//! What the OpenAPI document says, beside the routes there are and what they really answer.

use std::collections::BTreeSet;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use switchyard::{
    http::{Declared, declared, document},
    model::Bounds,
};

use super::server::Server;

/// The routes that programs ask.
pub fn for_programs() -> Vec<Declared> {
    let mut routes = declared();
    routes.retain(|route| route.path.starts_with("/api/") || route.path.starts_with("/ofrep/"));
    routes
}

fn named(route: &Declared) -> String {
    format!("{} {}", route.method, route.path)
}

#[test]
fn every_route_for_programs_says_what_it_is_for_and_what_it_answers() {
    let routes = for_programs();
    let silent: Vec<_> = routes.iter().filter(|route| !route.is_told()).collect();
    let silent: Vec<_> = silent.into_iter().map(named).collect();
    assert!(
        silent.is_empty(),
        "these say nothing; write `.says(…)` and `.answers::<…>()`, `.lists::<…>(…)` or their like after them: {silent:#?}"
    );
}

#[test]
fn the_document_has_every_route_for_programs_and_nothing_else() {
    let told = document();
    let mut found = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (path, methods) in told["paths"].as_object().expect("paths") {
        for (method, said) in methods.as_object().expect("methods") {
            let name = format!("{} {path}", method.to_uppercase());
            let text = |field: &str| said[field].as_str().unwrap_or_default().to_owned();
            assert!(
                ids.insert(text("operationId")),
                "{name}: its id is another's"
            );
            assert!(text("description").starts_with("Takes "), "{name}");
            let parameters = said["parameters"].as_array().expect("a list");
            let in_path = parameters.iter().filter(|one| one["in"] == "path");
            let in_path: Vec<_> = in_path.filter_map(|one| one["name"].as_str()).collect();
            let braces: Vec<_> = path
                .split('/')
                .filter_map(|part| {
                    part.strip_prefix('{')
                        .and_then(|part| part.strip_suffix('}'))
                })
                .collect();
            assert_eq!(in_path, braces, "{name}");
            let answers = said["responses"].as_object().expect("answers");
            let well = answers.keys().any(|status| status.starts_with(['1', '2']));
            assert!(
                well && answers.contains_key("4XX") && answers.contains_key("5XX"),
                "{name}"
            );
            assert_eq!(said["requestBody"].is_object(), method == "post", "{name}");
            assert!(
                !said["security"].as_array().expect("a list").is_empty(),
                "{name}"
            );
            found.insert(name);
        }
    }
    let expected: BTreeSet<_> = for_programs().iter().map(named).collect();
    assert_eq!(found, expected);
}

#[test]
fn references_within_the_document_lead_somewhere() {
    fn look(value: &Value, whole: &Value) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let place = reference.strip_prefix('#').expect("a place within");
            assert!(whole.pointer(place).is_some(), "{reference} leads nowhere");
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|field| look(field, whole)),
            Value::Array(items) => items.iter().for_each(|item| look(item, whole)),
            _ => {}
        }
    }
    let told = document();
    look(&told, &told);
}

/// Asserts that an answer is what the document says of that route; its body.
pub async fn conforming(told: &Value, route: &str, response: Response) -> (u16, Value) {
    let (method, path) = route.split_once(' ').expect("a method and a path");
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").expect("a type");
    let kind = kind
        .to_str()
        .expect("text")
        .split(';')
        .next()
        .expect("a type")
        .to_owned();
    let body: Value = response.json().await.expect("JSON");
    let answers = &told["paths"][path][method.to_lowercase()]["responses"];
    let range = format!("{}XX", status / 100);
    let answer = answers
        .get(status.to_string())
        .or_else(|| answers.get(&range));
    let mut answer = answer.unwrap_or_else(|| panic!("{route} says nothing of {status}"));
    if let Some(reference) = answer.get("$ref").and_then(Value::as_str) {
        answer = told.pointer(&reference[1..]).expect("it leads somewhere");
    }
    let schema = &answer["content"][&kind]["schema"];
    assert!(
        !schema.is_null(),
        "{route} says nothing of {kind} at {status}"
    );
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": told["components"],
        "allOf": [schema],
    });
    let validator = jsonschema::validator_for(&whole).expect("a schema");
    let wrong: Vec<_> = validator
        .iter_errors(&body)
        .map(|wrong| format!("{}: {wrong}", wrong.instance_path))
        .collect();
    assert!(wrong.is_empty(), "{route}, {status}: {wrong:#?}\n{body:#}");
    (status, body)
}

#[tokio::test]
async fn what_the_server_answers_is_what_the_document_says() {
    let server = Server::within(Bounds {
        approvals: 1,
        ..Bounds::default()
    })
    .await;
    let told = document();
    let run = server.running("run_a", 1).await;
    let failed = Some(("failed", 2, Some("the service is full")));
    let attempt = ("transcribe_track", "transcribe_track_0", 1);
    server.attempt(&run, attempt, 20, failed).await;
    server
        .fail(&run, "transcribe_track_0, attempt 1: full")
        .await;
    server.compare(&run).await;
    server.running("run_b", 2).await;

    let ask = async |route: &str, path: &str, body: Value| {
        let method: Method = route.split(' ').next().unwrap().parse().expect("a method");
        let mut request = server.asks(&method, path);
        if method == Method::POST {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        conforming(&told, route, response).await
    };
    let post = async |path: &str, body: Value| ask(&format!("POST {path}"), path, body).await;

    // Refused, then asked for, then made.
    let (status, refused) = post(
        "/api/v1/phases/moves",
        json!({ "to": "parallel", "by": "ana" }),
    )
    .await;
    assert_eq!(status, 409, "{refused}");
    assert_eq!(refused["type"], "urn:switchyard:problem:move-refused");
    assert!(
        refused["refusal"]["preconditions"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
    let all = json!({ "to": "parallel", "by": "ana", "override": ["all"], "reason": "a test" });
    let (status, asked) = post("/api/v1/phases/moves", all).await;
    assert_eq!(status, 202);
    let (_, waiting) = ask("GET /api/v1/requests", "/api/v1/requests", json!({})).await;
    assert_eq!(waiting["requests"][0]["id"], asked["request"]);
    let approvals = format!(
        "/api/v1/requests/{}/approvals",
        asked["request"].as_str().unwrap()
    );
    let route = "POST /api/v1/requests/{id}/approvals";
    assert_eq!(ask(route, &approvals, json!({ "by": "ana" })).await.0, 409);
    assert_eq!(ask(route, &approvals, json!({ "by": "bo" })).await.0, 200);
    let route = "POST /api/v1/requests/{id}/withdrawal";
    let withdrawal = approvals.replace("approvals", "withdrawal");
    assert_eq!(ask(route, &withdrawal, json!({ "by": "bo" })).await.0, 404);

    let (status, held) = post(
        "/api/v1/holds",
        json!({ "by": "ana", "reason": "a test", "hours": 1 }),
    )
    .await;
    assert_eq!(status, 200);
    assert_eq!(
        ask("GET /api/v1/phases/plan", "/api/v1/phases/plan", json!({}))
            .await
            .0,
        200
    );
    let (_, token) = post(
        "/api/v1/tokens",
        json!({ "label": "x", "role": "viewer", "by": "ana" }),
    )
    .await;
    let (_, items) = ask(
        "GET /api/v1/reviews/items",
        "/api/v1/reviews/items?by=ana",
        json!({}),
    )
    .await;
    assert!(items["items"].is_array());
    let rule = json!({ "path": "/title/*", "class": "cosmetic", "at_most": 5, "days": 3, "by": "ana", "reason": "a test" });
    let mut preview = rule.clone();
    preview["preview"] = json!("yes");
    assert_eq!(post("/api/v1/reviews/rules", preview).await.0, 200);
    let (status, made) = post("/api/v1/reviews/rules", rule).await;
    assert_eq!(status, 200, "{made}");
    let verdict = json!({ "on": "item_none", "says": "accept", "by": "ana" });
    assert_eq!(post("/api/v1/reviews/verdicts", verdict).await.0, 409);
    let wanted = json!({ "transcript_id": "t", "bucket_name": "b", "track_keys": ["k"], "task_id": "8e03978e-40d5-43e8-bc93-6894a57f9324" });
    post("/api/v1/recordings", wanted).await;

    // Whatever is read, of what there is now and of what there is not.
    for route in for_programs() {
        let is_stream = route.path.ends_with("/events")
            || route.path.ends_with("/ws")
            || route.path.ends_with("/export");
        if route.method != "GET" || is_stream {
            continue;
        }
        for id in ["run_a", "none"] {
            let path = route.path.replace("{id}", id);
            ask(&named(&route), &path, json!({})).await;
        }
    }
    // And whatever is done, to what is not there.
    for route in for_programs() {
        if route.method == "POST" {
            let path = route
                .path
                .replace("{id}", "none")
                .replace("{task_id}", "none")
                .replace("{key}", "daily_diarization_pipeline");
            for body in [json!({}), json!({ "by": "ana" }), json!([1])] {
                ask(&named(&route), &path, body).await;
            }
        }
    }
    for (route, id) in [
        ("POST /api/v1/holds/{id}/release", &held["hold"]),
        ("POST /api/v1/tokens/{id}/revocation", &token["id"]),
        ("POST /api/v1/reviews/rules/{id}/removal", &made["rule"]),
    ] {
        let path = route
            .trim_start_matches("POST ")
            .replace("{id}", id.as_str().expect("an id"));
        assert_eq!(
            ask(route, &path, json!({ "by": "ana", "reason": "a test" }))
                .await
                .0,
            200,
            "{route}"
        );
    }
}

#[tokio::test]
async fn the_document_is_served_and_is_what_the_command_line_prints() {
    let server = Server::without_engine().await;
    let answer = server.get("/api/v1/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json(), document());
    assert_eq!(switchyard::app::openapi(), document());
}
