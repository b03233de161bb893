//! `/metrics`, for Prometheus: beside the pages, and by itself where a process has none.
//!
//! Numbers alone, but of money too: they are for whoever knows the token, or asks from this machine.

use std::time::Instant;

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use tracing::error;

use super::{Error, headers, host};
use crate::{controller::Metrics, meters, model::digest};

/// What `/metrics` answers with, and to whom.
#[derive(Clone)]
pub struct Metering {
    /// What our database knows; none in a process that only counts itself.
    metrics: Option<Metrics>,
    /// Of the token; none where loopback names are enough.
    token_digest: Option<String>,
}

impl Metering {
    /// Answers whoever knows the token, or, without one, requests to loopback names.
    pub fn new(metrics: Option<Metrics>, token: Option<&str>) -> Self {
        Self {
            metrics,
            token_digest: token.map(digest::of_text),
        }
    }

    async fn text(&self) -> anyhow::Result<String> {
        match &self.metrics {
            Some(metrics) => metrics.text().await,
            None => meters::of_this_process(),
        }
    }
}

/// `/metrics` alone.
pub fn metrics_router(metering: Metering) -> Router {
    routes(metering).layer(middleware::map_response(headers::add))
}

pub(super) fn routes<S: Clone + Send + Sync + 'static>(metering: Metering) -> Router<S> {
    let routes = Router::new().route("/metrics", get(metrics));
    let routes = if metering.token_digest.is_some() {
        routes.layer(middleware::from_fn_with_state(metering.clone(), with_token))
    } else {
        let names = host::Names::of(None);
        routes.layer(middleware::from_fn(move |request, next| {
            host::only_ours(names.clone(), request, next)
        }))
    };
    routes.with_state(metering)
}

async fn metrics(State(metering): State<Metering>) -> Result<Response, Error> {
    match metering.text().await {
        Ok(text) => Ok(([(header::CONTENT_TYPE, meters::CONTENT_TYPE)], text).into_response()),
        Err(problem) => {
            error!("cannot write the metrics: {problem:#}");
            Err(Error::Internal)
        }
    }
}

async fn with_token(State(metering): State<Metering>, request: Request, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION);
    let sent = sent.and_then(|value| value.to_str().ok());
    let token = sent.and_then(|value| value.strip_prefix("Bearer "));
    // Digests, so that how long it takes says nothing of the token.
    if token.map(digest::of_text) == metering.token_digest {
        next.run(request).await
    } else {
        (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, "Bearer")],
            "send the token of `telemetry.metrics_token` as `Authorization: Bearer …`\n",
        )
            .into_response()
    }
}

/// Counts each request by the template of its route: what was really asked for may be an id.
pub(super) async fn count(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = match *request.method() {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    };
    let answer = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    meters::request(method, route, answer.status().as_u16(), began.elapsed());
    answer
}
