//! The shadow runs' door: an answer the control got to the same question, or else the service's own.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderValue, Response as HttpResponse, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use tracing::{debug, warn};

use super::{
    Sharing,
    key::{Question, key},
    pass::{self, Outgoing},
    told,
};
use crate::{
    model::{REUSED_HEADER, RUN_HEADER, RunId, SharedService},
    store::{GivenAnswer, Run},
};

/// Longer requests are refused: a prompt is a fraction of it.
const LONGEST: usize = 32 << 20;

/// How long our database may take to say whether there is an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often is looked for an answer that another process may have kept.
const LOOK: Duration = Duration::from_millis(500);

/// Runs whose last wait at a service was for nothing: the control asks something else, or too late. They
/// wait no more until they find an answer again, or each of their questions would wait.
#[derive(Default)]
pub(super) struct InVain(Mutex<HashSet<(SharedService, RunId)>>);

impl InVain {
    /// How many are remembered.
    const MOST: usize = 10_000;

    fn known(&self) -> MutexGuard<'_, HashSet<(SharedService, RunId)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, service: SharedService, run: &RunId) {
        let mut known = self.known();
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert((service, run.clone()));
    }

    fn forget(&self, service: SharedService, run: &RunId) {
        self.known().remove(&(service, run.clone()));
    }

    fn waits(&self, service: SharedService, run: &RunId) -> bool {
        !self.known().contains(&(service, run.clone()))
    }
}

impl Sharing {
    /// Answers a shadow run.
    pub(super) async fn candidate(
        &self,
        service: SharedService,
        rest: &str,
        request: Request,
    ) -> Response {
        let begun = Instant::now();
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, LONGEST).await else {
            return told(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the request is too long or broke off",
            );
        };
        let run = self.run_of(&parts).await;
        if let Some(run) = &run
            && let Some(given) = self
                .reused(service, rest, (&parts, &body), run, begun)
                .await
        {
            self.note(run, service, Some(&given)).await;
            // As long as it took the control, so that what both took can be compared.
            let took = Duration::from_millis(u64::try_from(given.took_ms).unwrap_or_default());
            let most = self.patience(service).mul_f64(0.8);
            tokio::time::sleep_until((begun + took.min(most)).into()).await;
            return again(given);
        }
        if let Some(run) = &run {
            self.note(run, service, None).await;
        }
        self.ask(service, rest, parts, body).await
    }

    async fn ask(&self, service: SharedService, rest: &str, parts: Parts, body: Bytes) -> Response {
        let base = self.base(service);
        let Some(url) = pass::target(base, rest, parts.uri.query()) else {
            return told(StatusCode::BAD_REQUEST, "the path makes no URL");
        };
        let outgoing = Outgoing {
            method: parts.method,
            url: url.clone(),
            headers: parts.headers,
            body: (!body.is_empty()).then(|| body.into()),
        };
        match pass::send(&self.0.http, service, outgoing).await {
            Ok(answer) => {
                let redirection = pass::redirection(answer.headers(), &url, base);
                let headers =
                    pass::relocated(answer.headers(), redirection.as_ref(), "candidate", service);
                let status = answer.status();
                pass::answer(status, &headers, Body::from_stream(answer.bytes_stream()))
            }
            Err(instead) => *instead,
        }
    }

    /// The shadow run that asks; none where it does not say, or does not share.
    async fn run_of(&self, parts: &Parts) -> Option<Run> {
        let id = parts.headers.get(RUN_HEADER)?.to_str().ok()?;
        let inner = &self.0;
        let id = RunId::new(id);
        let run = match tokio::time::timeout(PATIENCE, inner.store.run(&id)).await {
            Ok(Ok(run)) => run?,
            Ok(Err(error)) => {
                warn!(run.id = %id, "asking anew, cannot tell what a run may share: {error:#}");
                return None;
            }
            Err(_) => {
                warn!(run.id = %id, "asking anew, the database does not answer");
                return None;
            }
        };
        let is_ours = run.environment == inner.settings.environment && run.epoch.is_none();
        is_ours.then_some(run)
    }

    /// The control's answer, waited for as long as the control may yet ask.
    async fn reused(
        &self,
        service: SharedService,
        rest: &str,
        (parts, body): (&Parts, &Bytes),
        run: &Run,
        begun: Instant,
    ) -> Option<GivenAnswer> {
        let inner = &self.0;
        let settings = &inner.settings;
        if !settings.mode.shares(&run.transcript_id) {
            return None;
        }
        let asked_type = parts.headers.get(header::CONTENT_TYPE);
        let digest = key(&Question {
            service,
            method: parts.method.as_str(),
            path: rest,
            query: parts.uri.query(),
            content_type: asked_type
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default(),
            body,
        })
        .digest;
        // Enough has to be left to ask the service itself.
        let wait = settings.wait.min(self.patience(service) / 3);
        let mut may_yet_ask = run.control_id.is_none() && inner.in_vain.waits(service, &run.id);
        loop {
            let told = inner.kept.notified();
            match tokio::time::timeout(PATIENCE, self.look(&digest, run)).await {
                Ok(Ok(Some(given))) => {
                    inner.in_vain.forget(service, &run.id);
                    return Some(given);
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => {
                    warn!(run.id = %run.id, "asking anew, cannot look for an answer of the control's: {error:#}");
                    return None;
                }
                Err(_) => {
                    warn!(run.id = %run.id, "asking anew, the database does not answer");
                    return None;
                }
            }
            let left = wait.checked_sub(begun.elapsed()).unwrap_or_default();
            if !may_yet_ask || left.is_zero() {
                if may_yet_ask && !wait.is_zero() {
                    inner.in_vain.note(service, &run.id);
                }
                debug!(run.id = %run.id, service = service.as_str(), "the control was not asked this");
                return None;
            }
            tokio::select! {
                () = told => {}
                () = tokio::time::sleep(LOOK.min(left)) => {}
            }
            if let Ok(Some(now)) = inner.store.run(&run.id).await {
                may_yet_ask = now.control_id.is_none();
            }
        }
    }

    async fn look(&self, digest: &str, run: &Run) -> anyhow::Result<Option<GivenAnswer>> {
        let inner = &self.0;
        let now = (inner.clock)();
        let whose = (&run.id, &run.transcript_id);
        inner
            .store
            .use_shared(
                &run.environment,
                digest,
                whose,
                now - inner.settings.keep,
                now,
            )
            .await
    }

    /// Meters a request. What cannot be written down is not: the run has its answer.
    async fn note(&self, run: &Run, service: SharedService, given: Option<&GivenAnswer>) {
        let spared = given.map(|given| given.cost);
        let noting = self.0.store.note_saving(&run.id, service, spared);
        match tokio::time::timeout(PATIENCE, noting).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                warn!(run.id = %run.id, "cannot note what a run was spared: {error:#}");
            }
            Err(_) => warn!(run.id = %run.id, "cannot note what a run was spared in time"),
        }
    }

    fn patience(&self, service: SharedService) -> Duration {
        match service {
            SharedService::Llm => self.0.settings.llm_patience,
            SharedService::Transcription => self.0.settings.transcription_patience,
        }
    }
}

/// A kept answer as an answer.
fn again(given: GivenAnswer) -> Response {
    let mut response = HttpResponse::new(Body::from(given.body));
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(given.content_type) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    headers.insert(REUSED_HEADER, HeaderValue::from_static("1"));
    response.into_response()
}
