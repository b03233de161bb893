//! One request through the stand-ins: understood, written down, failed if so wished, answered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use super::{
    Answers, Clock, FaultKind, Service,
    answers::Plain,
    control, daily,
    fault::Faults,
    llm,
    record::{Call, Log},
    sign_in::{self, Provider, SignInAnswers},
    transcription, webhook,
    wire::{Gate, Link},
    zulip::{self, Posted},
};

/// Longer requests are refused.
const LONGEST: usize = 32 << 20;

/// Everything the stand-ins know and remember.
#[derive(Clone)]
pub(super) struct World(Arc<Inner>);

struct Inner {
    answers: Answers,
    log: Mutex<Log>,
    faults: Mutex<Faults>,
    variants: Mutex<HashMap<Service, String>>,
    posted: Mutex<Vec<Posted>>,
    provider: Mutex<Provider>,
    clock: Mutex<Option<Clock>>,
    released: watch::Sender<u64>,
    http: reqwest::Client,
    shutdown: CancellationToken,
}

/// An answer before it is sent.
pub(super) struct Reply {
    status: u16,
    retry_after: Option<u64>,
    /// Where whoever asks is sent on to.
    location: Option<String>,
    content_type: &'static str,
    body: Vec<u8>,
}

impl Reply {
    /// A page for people.
    pub(super) fn page(html: &str) -> Self {
        Self {
            status: 200,
            retry_after: None,
            location: None,
            content_type: "text/html; charset=utf-8",
            body: html.as_bytes().to_vec(),
        }
    }

    /// Sends whoever asks elsewhere.
    pub(super) fn redirect(to: &str) -> Self {
        Self {
            status: 302,
            location: Some(to.to_owned()),
            ..Self::page("")
        }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            retry_after: None,
            location: None,
            content_type: "application/json",
            body: body.to_string().into_bytes(),
        }
    }

    pub(super) fn plain(plain: &Plain) -> Self {
        Self::json(plain.status, &plain.answer)
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::builder()
            .status(self.status)
            .header("content-type", self.content_type);
        if let Some(seconds) = self.retry_after {
            response = response.header("retry-after", seconds);
        }
        if let Some(location) = self.location {
            response = response.header("location", location);
        }
        response
            .body(Body::from(self.body))
            .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }
}

impl World {
    pub(super) fn new(answers: Answers) -> anyhow::Result<Self> {
        // The whole process shares one; a second installation only says that it is there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(Duration::from_mins(1))
            .build()
            .context("sandbox: setting up the HTTP client that fetches audio")?;
        Ok(Self(Arc::new(Inner {
            answers,
            log: Mutex::default(),
            faults: Mutex::default(),
            variants: Mutex::default(),
            posted: Mutex::default(),
            provider: Mutex::new(Provider::new()?),
            clock: Mutex::default(),
            released: watch::Sender::new(0),
            http,
            shutdown: CancellationToken::new(),
        })))
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        locked(&self.0.log)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        locked(&self.0.faults)
    }

    pub(super) fn release(&self) {
        self.0.released.send_modify(|times| *times += 1);
    }

    pub(super) fn shut_down(&self) {
        self.0.shutdown.cancel();
    }

    pub(super) fn keep_time(&self, clock: Clock) {
        *locked(&self.0.clock) = Some(clock);
    }

    pub(super) fn sign_in_answers(&self, answers: SignInAnswers) {
        locked(&self.0.provider).answers = answers;
    }

    /// Chooses a variant, which must be in the service's data.
    pub(super) fn vary(&self, service: Service, variant: Option<&str>) -> anyhow::Result<()> {
        let answers = &self.0.answers;
        let mut variants = locked(&self.0.variants);
        let Some(name) = variant else {
            variants.remove(&service);
            return Ok(());
        };
        match service {
            Service::Transcription => Answers::variant(&answers.transcription.rest, name).map(drop),
            Service::Zulip => Answers::variant(&answers.zulip, name).map(drop),
            Service::Webhook => Answers::variant(&answers.webhook, name).map(drop),
            Service::Llm => {
                let known =
                    name == "invalid_answer" && answers.llm.invalid_answer_variant.is_some();
                known.then_some(()).with_context(|| {
                    format!("sandbox: no variant is called `{name}`; there is invalid_answer")
                })
            }
            Service::Daily => (name == daily::ANY_RECORDING)
                .then_some(())
                .with_context(|| {
                    format!("sandbox: no variant is called `{name}`; there is any_recording")
                }),
            Service::SignIn => anyhow::bail!("sandbox: the sign-in provider has no variants"),
        }?;
        variants.insert(service, name.to_owned());
        Ok(())
    }

    /// What a request is about, in the words faults use.
    fn about(&self, call: &Call) -> String {
        let answers = &self.0.answers;
        match call.service {
            Service::Daily => daily::about(call),
            Service::Transcription => transcription::about(call, answers),
            Service::Llm => llm::about(call, answers),
            Service::Zulip => zulip::about(call),
            Service::Webhook => webhook::about(call),
            Service::SignIn => sign_in::about(call),
        }
    }

    async fn answer(&self, call: &Call, n: u64) -> anyhow::Result<Reply> {
        let inner = &*self.0;
        let variant = locked(&inner.variants).get(&call.service).cloned();
        let variant = variant.as_deref();
        match call.service {
            Service::Daily => Ok(daily::answer(call, &inner.answers, variant)),
            Service::Transcription => {
                let (reply, bytes) =
                    transcription::answer(call, &inner.answers, variant, &inner.http).await?;
                if let Some(bytes) = bytes {
                    self.log().downloaded(n, bytes);
                }
                Ok(reply)
            }
            Service::Llm => Ok(llm::answer(call, &inner.answers, variant)),
            Service::Zulip => {
                zulip::answer(call, &inner.answers, variant, &mut locked(&inner.posted))
            }
            Service::Webhook => webhook::answer(&inner.answers, variant),
            Service::SignIn => {
                let clock = locked(&inner.clock).clone();
                let clock = clock.context("nobody told the sign-in provider the time")?;
                locked(&inner.provider).answer(call, clock())
            }
        }
    }

    async fn handle(&self, call: &Call, link: &Link) -> Reply {
        let about = self.about(call);
        // Before the request is visible: a release that follows it must not be missed.
        let mut released = self.0.released.subscribe();
        let n = self.log().add(call, &about);
        let fault = self.faults().take(call, &about);
        match &fault {
            Some(FaultKind::Status {
                status,
                retry_after,
                body,
            }) => {
                self.log().answered(n, *status);
                return Reply {
                    retry_after: *retry_after,
                    ..Reply::json(*status, body.as_ref().unwrap_or(&json!({})))
                };
            }
            Some(FaultKind::Hang) => tokio::select! {
                _ = released.changed() => {}
                () = self.0.shutdown.cancelled() => {}
            },
            Some(FaultKind::Delay { ms }) => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Some(FaultKind::Cut { after_bytes }) => link.cut_after(*after_bytes),
            Some(FaultKind::Garbage | FaultKind::BrokenJson) | None => {}
        }
        let reply = self.answer(call, n).await.unwrap_or_else(|error| {
            Reply::json(500, &json!({"error": format!("sandbox: {error:#}")}))
        });
        if !matches!(fault, Some(FaultKind::Cut { .. })) {
            self.log().answered(n, reply.status);
        }
        match fault {
            Some(FaultKind::Garbage) => Reply {
                status: 200,
                retry_after: None,
                location: None,
                content_type: "text/html",
                body: b"<!doctype html><title>Welcome</title>".to_vec(),
            },
            Some(FaultKind::BrokenJson) => Reply {
                body: reply.body[..reply.body.len() / 2].to_vec(),
                ..reply
            },
            _ => reply,
        }
    }
}

/// Serves until the world is shut down.
pub(super) async fn serve(world: World, listener: TcpListener) {
    let shutdown = world.0.shutdown.clone();
    let app = Router::new()
        .nest("/_sandbox", control::routes())
        .fallback(any)
        .with_state(world)
        .into_make_service_with_connect_info::<Link>();
    let served = axum::serve(Gate(listener), app)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!("sandbox: serving ended: {error}");
    }
}

async fn any(
    State(world): State<World>,
    ConnectInfo(link): ConnectInfo<Link>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let path = path.strip_prefix('/').unwrap_or(path);
    let first = path.split('/').next().unwrap_or_default();
    let Some(service) = Service::ALL
        .into_iter()
        .find(|service| service.as_str() == first)
    else {
        let known = Service::ALL.map(Service::as_str);
        let body = json!({"error": "no such stand-in", "known": known});
        return Reply::json(404, &body).into_response();
    };
    let Ok(body) = to_bytes(body, LONGEST).await else {
        return Reply::json(
            413,
            &json!({"error": "the request is too long or broke off"}),
        )
        .into_response();
    };
    let headers = parts.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let call = Call {
        service,
        method: parts.method.as_str().to_owned(),
        path: path[first.len()..].to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: headers.collect(),
        body: body.to_vec(),
    };
    world.handle(&call, &link).await.into_response()
}

/// What a panicking request left behind is still whole: every change is one statement.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
