//! The embedded engine behind a proxy that fails as it is told.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use switchyard::{
    conductor::{Client, ClientConfig, RetryPolicy},
    controller::{
        health::{Health, Neighbour, Round},
        register,
    },
    model::{HealthLimits, TaskName},
    rollout::Layer,
    store::Store,
};

use crate::{
    engine::harness::{Server, own_store},
    intake::world::noon,
    phases, standup,
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

#[derive(Clone)]
struct Proxy {
    target: String,
    fault: Arc<Mutex<Fault>>,
    http: reqwest::Client,
}

/// An engine, what is between it and us, and who looks at it.
pub struct Between {
    pub store: Store,
    pub server: Server,
    pub health: Health,
    pub neighbour_is_down: Arc<AtomicBool>,
    fault: Arc<Mutex<Fault>>,
    clock: Arc<Mutex<DateTime<Utc>>>,
    url: String,
    _folder: tempfile::TempDir,
}

pub fn limits() -> HealthLimits {
    HealthLimits {
        timeout_s: 1,
        canary_s: 2,
        ..HealthLimits::default()
    }
}

impl Between {
    /// With workers for every task kind, in cutover.
    pub async fn new() -> Self {
        let server = Server::embedded().await;
        let (store, folder) = own_store().await;
        let fault = Arc::new(Mutex::new(Fault::None));
        let mut target = server.client.base_url().clone();
        target.set_path("");
        let proxy = Proxy {
            target: target.as_str().trim_end_matches('/').to_owned(),
            fault: Arc::clone(&fault),
            http: standup::http(),
        };
        let routes = Router::new().fallback(pass).with_state(proxy);
        let listener = standup::loopback().await;
        let url = format!("http://{}/api", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let clock = Arc::new(Mutex::new(noon()));
        let neighbour_is_down = Arc::new(AtomicBool::new(false));
        let health = health(&store, &url, &clock, &neighbour_is_down);
        register(&server.client).await.unwrap();
        for kind in TaskName::ALL {
            let polled = server.client.poll(kind.as_str(), "a worker", None).await;
            assert!(polled.unwrap().is_none());
        }
        Self {
            store,
            server,
            health,
            neighbour_is_down,
            fault,
            clock,
            url,
            _folder: folder,
        }
    }

    /// Another controller's.
    pub fn another(&self) -> Health {
        health(&self.store, &self.url, &self.clock, &self.neighbour_is_down)
    }

    pub fn fails(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    pub fn pass(&self, seconds: i64) {
        *self.clock.lock().unwrap() += TimeDelta::seconds(seconds);
    }

    pub fn now(&self) -> DateTime<Utc> {
        *self.clock.lock().unwrap()
    }

    /// Looks once, and lets the time until the next look pass.
    pub async fn look(&mut self) -> Round {
        let round = self
            .health
            .tick()
            .await
            .unwrap()
            .expect("nobody else looks");
        self.pass(limits().every_s);
        round
    }

    /// What is bad, by name.
    pub async fn bad(&self) -> HashMap<String, String> {
        let about = phases::about("staging");
        let probes = self.store.probes(&about.environment).await.unwrap();
        let bad = probes.into_iter().filter(|probe| !probe.ok);
        bad.map(|probe| (probe.name, probe.found)).collect()
    }
}

fn health(
    store: &Store,
    url: &str,
    clock: &Arc<Mutex<DateTime<Utc>>>,
    neighbour_is_down: &Arc<AtomicBool>,
) -> Health {
    let mut config = ClientConfig::new(url.parse().unwrap());
    config.request_timeout = Duration::from_secs(1);
    config.poll_margin = Duration::from_secs(1);
    config.retry = RetryPolicy {
        attempts: 1,
        ..RetryPolicy::default()
    };
    let (time, down) = (Arc::clone(clock), Arc::clone(neighbour_is_down));
    let neighbour = Neighbour {
        name: "language model",
        layer: Layer::Shared,
        reach: Arc::new(move || {
            let is_down = down.load(Ordering::Relaxed);
            Box::pin(async move {
                anyhow::ensure!(!is_down, "it answers 503");
                Ok("it answers".to_owned())
            })
        }),
    };
    Health::new(
        phases::about("staging"),
        store.clone(),
        Client::new(config).unwrap(),
        vec![neighbour],
        limits(),
        Arc::new(move || *time.lock().unwrap()),
    )
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response {
    let fault = *proxy.fault.lock().unwrap();
    let path = request.uri().path().to_owned();
    match fault {
        Fault::None => {}
        Fault::Resets => {
            let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            let stream = futures_util::stream::iter([Err::<Bytes, _>(broken)]);
            return Body::from_stream(stream).into_response();
        }
        Fault::Nonsense => return "<html>Welcome to nginx!</html>".into_response(),
        Fault::Delays => tokio::time::sleep(Duration::from_secs(3)).await,
        Fault::Errors => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::DoesNothing if path.starts_with("/api/tasks/poll/") => {
            return "[]".into_response();
        }
        Fault::DoesNothing => {}
    }
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let url = format!("{}{}", proxy.target, parts.uri);
    let asked = proxy.http.request(parts.method, url).body(body);
    let asked = match parts.headers.get("content-type") {
        Some(kind) => asked.header("content-type", kind),
        None => asked,
    };
    let answer = asked.send().await.expect("the engine answers");
    (answer.status(), answer.bytes().await.unwrap()).into_response()
}
