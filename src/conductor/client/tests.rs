use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing};
use serde_json::json;

use super::{Client, ClientConfig, Error, RetryPolicy};
use crate::{conductor::wire::StartWorkflowRequest, model::WorkflowId};

/// A server that fails with `status` until it was asked `good_from` times.
#[derive(Clone)]
struct Stub {
    asked: Arc<AtomicUsize>,
    good_from: usize,
    status: StatusCode,
    good: &'static str,
}

impl Stub {
    fn new(status: u16, good_from: usize, good: &'static str) -> Self {
        Self {
            asked: Arc::default(),
            good_from,
            status: StatusCode::from_u16(status).unwrap(),
            good,
        }
    }

    async fn serve(&self) -> Client {
        async fn answer(State(stub): State<Stub>) -> axum::response::Response {
            if stub.asked.fetch_add(1, Ordering::SeqCst) + 1 >= stub.good_from {
                return stub.good.into_response();
            }
            let status = stub.status.as_u16();
            let body = json!({"status": status, "message": "no", "retryable": false});
            (stub.status, Json(body)).into_response()
        }
        let app = Router::new()
            .fallback(routing::any(answer))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, app).await });
        client(port)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn client(port: u16) -> Client {
    let mut config = ClientConfig::new(format!("http://127.0.0.1:{port}/api").parse().unwrap());
    config.retry = RetryPolicy {
        attempts: 4,
        first_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(4),
    };
    Client::new(config).unwrap()
}

#[tokio::test]
async fn a_read_is_tried_again_when_the_server_is_unavailable() {
    let stub = Stub::new(503, 3, "[]");
    assert!(
        stub.serve()
            .await
            .running("w", None)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(stub.asked(), 3);
}

#[tokio::test]
async fn a_start_is_never_tried_again() {
    let stub = Stub::new(503, 2, "id");
    let error = stub
        .serve()
        .await
        .start(&StartWorkflowRequest::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Refused { status: 503, .. }));
    assert!(error.is_ambiguous());
    assert_eq!(stub.asked(), 1);
}

#[tokio::test]
async fn a_poll_is_never_tried_again() {
    let stub = Stub::new(503, 2, "[]");
    let client = stub.serve().await;
    assert!(client.poll("kind", "w", None).await.is_err());
    assert_eq!(stub.asked(), 1);
}

#[tokio::test]
async fn a_500_that_the_server_calls_final_is_tried_once_more_only() {
    let stub = Stub::new(500, 9, "");
    let client = stub.serve().await;
    assert!(client.resume(&WorkflowId::new("x")).await.is_err());
    assert_eq!(stub.asked(), 2);
}

#[tokio::test]
async fn a_quoted_id_is_read_without_its_quotes() {
    let stub = Stub::new(500, 1, "\"abc-1\"");
    let id = stub
        .serve()
        .await
        .start(&StartWorkflowRequest::default())
        .await
        .unwrap();
    assert_eq!(id.as_str(), "abc-1");
}

#[tokio::test]
async fn nonsense_with_a_200_is_a_bad_answer_that_shows_no_body() {
    let stub = Stub::new(500, 1, "<html>secret words</html>");
    let client = stub.serve().await;
    let error = client
        .workflow(&WorkflowId::new("x"), true)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::BadAnswer { status: 200, .. }));
    assert!(error.is_outage());
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(error.to_string().starts_with("GET /workflow/x:"), "{error}");
    let error = client.start(&StartWorkflowRequest::default()).await;
    assert!(matches!(error, Err(Error::BadAnswer { .. })));
}

#[tokio::test]
async fn a_closed_port_is_unreachable_and_named_without_the_url() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = client(port).health().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }));
    assert!(!error.to_string().contains(&port.to_string()), "{error}");
}

#[test]
fn waits_double_up_to_the_bound_and_are_shortened_by_half_at_most() {
    let policy = RetryPolicy {
        attempts: 9,
        first_delay: Duration::from_millis(100),
        max_delay: Duration::from_millis(500),
    };
    let waits: Vec<_> = (1..=4).map(|n| policy.delay(n, 0.0).as_millis()).collect();
    assert_eq!(waits, [100, 200, 400, 500]);
    assert_eq!(policy.delay(4, 1.0).as_millis(), 250);
}
