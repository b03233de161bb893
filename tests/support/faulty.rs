//! A proxy before a workflow engine that fails as it is told.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};

/// How the proxy fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not at all.
    None,
    /// It breaks the connection in the middle of an answer.
    Resets,
    /// It answers 200 with a page.
    Nonsense,
    /// It answers late.
    Delays,
    /// It answers 500.
    Errors,
    /// Starts are taken, and no task is ever handed out.
    DoesNothing,
}

/// The proxy. Clones are the same one.
#[derive(Clone)]
pub struct Faulty {
    target: String,
    fault: Arc<Mutex<Fault>>,
    http: reqwest::Client,
}

impl Faulty {
    /// Stands before the server at `target`, which has no path; the proxy and where it is.
    pub async fn before(target: &str) -> (Self, String) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let proxy = Self {
            target: target.trim_end_matches('/').to_owned(),
            fault: Arc::new(Mutex::new(Fault::None)),
            http: reqwest::Client::new(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let routes = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (proxy, format!("http://{address}"))
    }

    pub fn fails(&self, fault: Fault) {
        *self.fault.lock().expect("nobody panics with it") = fault;
    }
}

fn broken() -> Response {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let stream = futures_util::stream::iter([Err::<Bytes, _>(broken)]);
    Body::from_stream(stream).into_response()
}

async fn pass(State(proxy): State<Faulty>, request: Request) -> Response {
    let fault = *proxy.fault.lock().expect("nobody panics with it");
    match fault {
        Fault::Resets => return broken(),
        Fault::Nonsense => return "<html>Welcome to nginx!</html>".into_response(),
        Fault::Delays => tokio::time::sleep(Duration::from_secs(10)).await,
        Fault::Errors => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::DoesNothing if request.uri().path().starts_with("/api/tasks/poll/") => {
            return "[]".into_response();
        }
        Fault::DoesNothing | Fault::None => {}
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return broken();
    };
    let url = format!("{}{}", proxy.target, parts.uri);
    let asked = proxy.http.request(parts.method, url).body(body);
    let asked = match parts.headers.get("content-type") {
        Some(kind) => asked.header("content-type", kind),
        None => asked,
    };
    let Ok(answer) = asked.send().await else {
        return broken();
    };
    let (status, kind) = (
        answer.status(),
        answer.headers().get("content-type").cloned(),
    );
    let Ok(body) = answer.bytes().await else {
        return broken();
    };
    let mut passed = (status, body).into_response();
    if let Some(kind) = kind {
        passed.headers_mut().insert("content-type", kind);
    }
    passed
}
