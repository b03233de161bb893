//! The control's door. Nothing behind it reads what was kept.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, Utc};

use super::{
    Mode, Sharing,
    keep::Seen,
    pass::{self, Outgoing, Redirection},
    tee::{Copy, tee},
    told,
};
use crate::model::SharedService;

/// What was asked, and when.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) service: SharedService,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) content_type: String,
    pub(super) question: Arc<Copy>,
    pub(super) at: DateTime<Utc>,
    pub(super) begun: Instant,
}

/// Questions whose answers have to be fetched elsewhere: a transcription that lasts is answered by a
/// chain of redirections. The oldest is let go for a new one.
#[derive(Default)]
pub(super) struct Redirected(Mutex<VecDeque<(String, Asked)>>);

/// How many may be under way.
const REDIRECTED: usize = 256;

impl Redirected {
    fn add(&self, to: String, asked: Asked) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() == REDIRECTED {
            known.pop_front();
        }
        known.push_back((to, asked));
    }

    /// What led there.
    fn find(&self, service: SharedService, to: &str) -> Option<Asked> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newest_first = known.iter().rev();
        newest_first
            .find(|(known, asked)| known == to && asked.service == service)
            .map(|(_, asked)| asked.clone())
    }

    fn forget(&self, to: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(known, _)| known != to);
    }
}

impl Sharing {
    /// Passes a request of the control's on, and the answer back as it comes; what came to its end well
    /// is offered to the keeper.
    pub(super) async fn control(
        &self,
        service: SharedService,
        rest: &str,
        request: Request,
    ) -> Response {
        let inner = &self.0;
        let base = self.base(service);
        let (at, begun) = ((inner.clock)(), Instant::now());
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().map(str::to_owned);
        let Some(url) = pass::target(base, rest, query.as_deref()) else {
            return told(StatusCode::BAD_REQUEST, "the path makes no URL");
        };
        let place = query.as_ref().map(|query| format!("{rest}?{query}"));
        let place = place.unwrap_or_else(|| rest.to_owned());
        // A redirection turns a POST into a GET; anything else asks for itself.
        let asked = Some(&parts.method)
            .filter(|method| **method == Method::GET)
            .and_then(|_| inner.redirected.find(service, &place));
        let asked = asked.unwrap_or_else(|| Asked {
            service,
            method: parts.method.as_str().to_owned(),
            path: rest.to_owned(),
            query,
            content_type: text(&parts.headers, &header::CONTENT_TYPE),
            question: Copy::new(inner.room.clone()),
            at,
            begun,
        });
        let body = (!body.is_end_stream()).then(|| {
            let length = pass::length(&parts.headers);
            let question = Arc::clone(&asked.question);
            reqwest::Body::wrap_stream(tee(body.into_data_stream(), length, question, || {}))
        });
        let outgoing = Outgoing {
            method: parts.method,
            url: url.clone(),
            headers: parts.headers,
            body,
        };
        let answer = match pass::send(&inner.http, service, outgoing).await {
            Ok(answer) => answer,
            Err(instead) => return *instead,
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        let redirection = pass::redirection(&headers, &url, base);
        let onward = pass::relocated(&headers, redirection.as_ref(), "control", service);
        let keeps = inner.settings.mode != Mode::Off;
        if status.is_redirection()
            && keeps
            && let Some(Redirection::Here(to)) = redirection
        {
            inner.redirected.add(to, asked);
            return pass::answer(status, &onward, Body::from_stream(answer.bytes_stream()));
        }
        if !status.is_success() || !keeps {
            return pass::answer(status, &onward, Body::from_stream(answer.bytes_stream()));
        }
        inner.redirected.forget(&place);
        let mut seen = Seen {
            took: asked.begun.elapsed(),
            asked,
            answered_type: text(&headers, &header::CONTENT_TYPE),
            answered_encoding: text(&headers, &header::CONTENT_ENCODING),
            answer: Copy::new(inner.room.clone()),
        };
        let (keeper, copy) = (inner.keeper.clone(), Arc::clone(&seen.answer));
        let length = pass::length(&headers);
        let passing = tee(answer.bytes_stream(), length, copy, move || {
            seen.took = seen.asked.begun.elapsed();
            keeper.offer(seen);
        });
        pass::answer(status, &onward, Body::from_stream(passing))
    }
}

fn text(headers: &HeaderMap, name: &header::HeaderName) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
