//! `Idempotency-Key`: what is sent again under it is answered alike and done once.

use chrono::TimeDelta;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use switchyard::{
    model::{Bounds, Role},
    store::REPEATS_KEPT,
};

use super::{access::tokens_alone, server::Server};

const KEY: &str = "8e03978e-40d5-43e8-bc93-6894a57f9324";

async fn send(
    server: &Server,
    token: Option<&str>,
    path: &str,
    key: &str,
    body: &Value,
) -> Response {
    let mut request = server
        .asks(&Method::POST, path)
        .header("idempotency-key", key);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.json(body).send().await.expect("an answer")
}

async fn read(response: Response) -> (u16, bool, String) {
    let status = response.status().as_u16();
    let is_replayed = response.headers().contains_key("idempotency-replayed");
    (status, is_replayed, response.text().await.expect("a body"))
}

fn hold(reason: &str) -> Value {
    json!({ "by": "ana", "reason": reason, "hours": 1 })
}

async fn holds(server: &Server) -> usize {
    let told = server.get("/api/v1/holds").await.json();
    told["holds"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn what_is_sent_again_is_answered_alike_and_done_once() {
    let server = Server::without_engine().await;
    let path = "/api/v1/holds";
    let (status, is_replayed, first) = read(send(&server, None, path, KEY, &hold("a")).await).await;
    assert_eq!((status, is_replayed), (200, false));
    server.wait(TimeDelta::hours(1));
    let quoted = format!("\"{KEY}\"");
    for key in [KEY, &quoted] {
        let again = read(send(&server, None, path, key, &hold("a")).await).await;
        assert_eq!(again, (200, true, first.clone()));
    }
    assert_eq!(holds(&server).await, 1);
    // Without a key, and under another, it is another request.
    let plain = server
        .asks(&Method::POST, path)
        .json(&hold("a"))
        .send()
        .await;
    assert_eq!(plain.expect("an answer").status().as_u16(), 200);
    server.wait(TimeDelta::seconds(1));
    let other = KEY.replace('8', "9");
    assert_eq!(
        read(send(&server, None, path, &other, &hold("a")).await)
            .await
            .0,
        200
    );
    assert_eq!(holds(&server).await, 3);
}

#[tokio::test]
async fn a_refusal_is_answered_alike_as_well() {
    let server = Server::without_engine().await;
    let path = "/api/v1/holds/none/release";
    let body = json!({ "by": "ana" });
    let first = read(send(&server, None, path, KEY, &body).await).await;
    assert_eq!(first.0, 404);
    let again = read(send(&server, None, path, KEY, &body).await).await;
    assert_eq!(again, (404, true, first.2));
}

#[tokio::test]
async fn another_body_or_address_under_a_key_is_refused() {
    let server = Server::without_engine().await;
    send(&server, None, "/api/v1/holds", KEY, &hold("a")).await;
    for (path, body) in [
        ("/api/v1/holds", hold("b")),
        ("/api/v1/holds?x=1", hold("a")),
        ("/api/v1/holds/none/release", hold("a")),
    ] {
        let response = send(&server, None, path, KEY, &body).await;
        assert_eq!(response.status().as_u16(), 422, "{path}");
        let told: Value = response.json().await.expect("JSON");
        assert_eq!(
            told["type"],
            "urn:switchyard:problem:key-of-another-request"
        );
    }
    assert_eq!(holds(&server).await, 1);
}

#[tokio::test]
async fn keys_that_could_be_guessed_are_none() {
    let server = Server::without_engine().await;
    for key in ["", "1", "fifteen-letters"] {
        let response = send(&server, None, "/api/v1/holds", key, &hold("a")).await;
        assert_eq!(response.status().as_u16(), 400, "{key}");
    }
    assert_eq!(holds(&server).await, 0);
}

#[tokio::test]
async fn of_many_at_once_one_is_done_and_the_others_get_its_answer_or_are_told_to_wait() {
    let server = Server::without_engine().await;
    let body = hold("a");
    let all = (0..12).map(|_| async {
        let response = send(&server, None, "/api/v1/holds", KEY, &body).await;
        let wait = response.headers().get("retry-after").cloned();
        (wait, read(response).await)
    });
    let answers = futures_util::future::join_all(all).await;
    let mut done = Vec::new();
    for (wait, (status, _, text)) in answers {
        if status == 200 {
            done.push(text);
        } else {
            assert_eq!(status, 409, "{text}");
            assert!(text.contains("under-way") && wait.is_some(), "{text}");
        }
    }
    assert!(!done.is_empty());
    assert!(done.iter().all(|one| *one == done[0]), "{done:?}");
    assert_eq!(holds(&server).await, 1);
}

#[tokio::test]
async fn what_died_before_its_answer_was_kept_is_not_done_again() {
    let server = Server::without_engine().await;
    let path = "/api/v1/holds";
    send(&server, None, path, KEY, &hold("a")).await;
    // As it is when the program dies in between.
    server.forget_answers().await;
    let response = send(&server, None, path, KEY, &hold("a")).await;
    assert_eq!(response.status().as_u16(), 409);
    let told: Value = response.json().await.expect("JSON");
    assert_eq!(told["type"], "urn:switchyard:problem:under-way");
    let detail = told["detail"].as_str().expect("a sentence");
    assert!(
        detail.contains("send it under a fresh key if it was not"),
        "{detail}"
    );
    assert_eq!(holds(&server).await, 1);
}

#[tokio::test]
async fn a_key_is_its_callers_own() {
    let server = Server::signing_in(tokens_alone(), Bounds::default()).await;
    let [ana, bo] = [
        server.token("ana", Role::Operator).await,
        server.token("bo", Role::Operator).await,
    ];
    let body = json!({ "reason": "a test", "hours": 1 });
    let path = "/api/v1/holds";
    let first = read(send(&server, Some(&ana), path, KEY, &body).await).await;
    let others = read(send(&server, Some(&bo), path, KEY, &body).await).await;
    assert_eq!([first.0, others.0], [200, 200]);
    assert!(!others.1 && first.2 != others.2, "{others:?}");
    // Whoever may not is not answered from what somebody else was.
    let viewer = server.token("vi", Role::Viewer).await;
    assert_eq!(
        send(&server, Some(&viewer), path, KEY, &body)
            .await
            .status()
            .as_u16(),
        403
    );
}

#[tokio::test]
async fn a_token_is_told_once_and_kept_nowhere() {
    let server = Server::signing_in(tokens_alone(), Bounds::default()).await;
    let ada = server.token("ada", Role::Admin).await;
    let body = json!({ "label": "helper", "role": "viewer" });
    let path = "/api/v1/tokens";
    let (status, _, made) = read(send(&server, Some(&ada), path, KEY, &body).await).await;
    assert_eq!(status, 200);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let (status, _, again) = read(send(&server, Some(&ada), path, KEY, &body).await).await;
    assert_eq!(status, 409, "{again}");
    assert!(again.contains("held a secret"), "{again}");
    assert_eq!(server.kept_answers().await, [None]);
    let list = server
        .asks(&Method::GET, path)
        .bearer_auth(&ada)
        .send()
        .await;
    let list: Value = list.expect("an answer").json().await.expect("JSON");
    let of_it = |one: &&Value| one["id"] == made["id"];
    assert_eq!(
        list["tokens"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(of_it)
            .count(),
        1
    );
}

#[tokio::test]
async fn an_answer_is_kept_locked_and_for_a_day() {
    let server = Server::without_engine().await;
    let body = hold("a reason nobody else is to read");
    send(&server, None, "/api/v1/holds", KEY, &body).await;
    let kept = server.kept_answers().await;
    let kept = kept[0].as_deref().expect("an answer");
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, kept);
    let bytes = bytes.expect("base64");
    assert!(
        !String::from_utf8_lossy(&bytes).contains("hold"),
        "it is not locked"
    );
    server.wait(REPEATS_KEPT);
    let later = read(send(&server, None, "/api/v1/holds", KEY, &body).await).await;
    assert!(!later.1, "a day later it is another request");
    let store = &server.shadow.store;
    let tomorrow = (server.shadow.clock)() + REPEATS_KEPT;
    assert_eq!(
        store.sweep_repeats(tomorrow).await.expect("they are swept"),
        1
    );
    assert!(server.kept_answers().await.is_empty());
}

impl Server {
    async fn rows(&self) -> sqlx::AnyConnection {
        let opened = <sqlx::AnyConnection as sqlx::Connection>::connect(&self.database).await;
        opened.expect("the database answers")
    }

    /// Leaves requests as whoever died before they were answered.
    async fn forget_answers(&self) {
        let sql = "update repeats set answered_at = null, answer = null";
        let forgotten = sqlx::query(sql).execute(&mut self.rows().await).await;
        assert_eq!(forgotten.expect("it is written").rows_affected(), 1);
    }

    /// What is kept of answers, in the order they were asked for.
    async fn kept_answers(&self) -> Vec<Option<String>> {
        let sql = "select answer from repeats order by begun_at";
        let mut rows = self.rows().await;
        let kept = sqlx::query_scalar(sql).fetch_all(&mut rows).await;
        kept.expect("they are read")
    }
}
