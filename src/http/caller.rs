//! Before a handler: who asks, whether they may, and whether what was sent comes from a page of ours.
//!
//! A handler gets a [`Caller`] as an argument.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use url::{Url, form_urlencoded};

use super::{
    Error,
    cookie::{Cookie, is_secure},
    error::PageError,
    repeats,
    routes::Needs,
    sockets,
};
use crate::{
    access::{By, Caller, Turned, is_same},
    controller::access::{Access, Offered},
};

/// How long our database may take to say who somebody is.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest form.
const LONGEST_FORM: usize = 64 * 1024;

/// A stream of events ends after that long at most, and its listener asks again: so that whoever was
/// signed out hears no more.
const LONGEST_STREAM: TimeDelta = TimeDelta::minutes(15);

/// The header in which scripts send what forms send as `csrf`.
const CSRF: &str = "x-csrf-token";

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        // A route that needs nothing has none.
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Error::Unauthorized(Turned::Unknown).into_response())
    }
}

/// A request as it came, before routes take parts of its path.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) access: Access,
    /// Path and query.
    pub(super) path: String,
    /// The address it comes from, as far as that is known.
    pub(super) from: String,
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or(Error::Internal)
    }
}

/// Notes how a request came.
pub(super) async fn arrive(access: Access, mut request: Request, next: Next) -> Response {
    let path = request.uri().path_and_query();
    let path = path.map_or("/", |path| path.as_str()).to_owned();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|ConnectInfo(address)| address.ip().to_canonical());
    let proxies = access.sign_in.as_ref().map(|sign_in| &*sign_in.proxies);
    let from = match peer {
        None => "an unknown address".to_owned(),
        Some(peer) => came_from(peer, proxies.unwrap_or_default(), request.headers()).to_string(),
    };
    let visit = Visit { access, path, from };
    request.extensions_mut().insert(visit);
    next.run(request).await
}

/// Where a request comes from: what a proxy of ours says, or else who is connected.
fn came_from(peer: IpAddr, proxies: &[IpAddr], headers: &HeaderMap) -> IpAddr {
    if !proxies.contains(&peer) {
        return peer;
    }
    let told = headers.get_all("x-forwarded-for").iter();
    let told = told.filter_map(|told| told.to_str().ok());
    let told: Vec<IpAddr> = told
        .flat_map(|told| told.split(','))
        .filter_map(|one| one.trim().parse().ok())
        .collect();
    // Whoever asks may write what they like before what our proxies add.
    let mut others = told.into_iter().rev();
    others.find(|one| !proxies.contains(one)).unwrap_or(peer)
}

/// Lets a request pass that has what its route needs.
pub(super) async fn admit(needs: Needs, request: Request, next: Next) -> Response {
    if needs == Needs::Nothing {
        return next.run(request).await;
    }
    let Some(visit) = request.extensions().get::<Visit>().cloned() else {
        return Error::Internal.into_response();
    };
    let is_page = is_page(&visit.path);
    let is_asked = matches!(*request.method(), Method::GET | Method::HEAD);
    match admitted(needs, &visit.access, &visit.from, request).await {
        Ok((request, caller)) => {
            let answered = if is_asked || !repeats::is_asked(&visit.path, &request) {
                next.run(request).await
            } else {
                let once = repeats::once(&visit.access, &caller, &visit.path, request, next);
                once.await.unwrap_or_else(IntoResponse::into_response)
            };
            bounded(answered, &caller, &visit.access)
        }
        Err(Error::Unauthorized(_)) if is_page => {
            let to = if is_asked { &*visit.path } else { "/" };
            let to: String = form_urlencoded::byte_serialize(to.as_bytes()).collect();
            Redirect::to(&format!("/sign-in?to={to}")).into_response()
        }
        Err(error) if is_page => PageError::from(error).into_response(),
        Err(error) => error.into_response(),
    }
}

/// Whether people look at it, rather than programs.
pub(super) fn is_page(path: &str) -> bool {
    !["/api", "/ofrep"].iter().any(|below| {
        let rest = path.strip_prefix(below);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
    })
}

async fn admitted(
    needs: Needs,
    access: &Access,
    from: &str,
    request: Request,
) -> Result<(Request, Caller), Error> {
    let offered = offered(access, request.headers());
    let identified = tokio::time::timeout(PATIENCE, access.identify(offered, from)).await;
    let caller = identified.map_err(|_| {
        Error::Unavailable("our database does not say in time who you are; ask again".to_owned())
    })??;
    let caller = caller.map_err(Error::Unauthorized)?;
    let is_socket = sockets::is_asked(request.headers());
    let mut request = if matches!(caller.by, By::Token(_)) {
        request
    } else if is_socket && !is_same_origin(access, request.headers()) {
        return Err(elsewhere());
    } else if request.method().is_safe() {
        request
    } else {
        from_our_page(access, &caller, request).await?
    };
    if let Needs::May(action) = needs {
        allowed(access, &caller, action).await?;
    }
    request.extensions_mut().insert(caller.clone());
    Ok((request, caller))
}

/// Refuses, on record, what somebody may not do in the environment that is served.
pub(super) async fn allowed(
    access: &Access,
    caller: &Caller,
    action: crate::access::Action,
) -> Result<(), Error> {
    let Err(denied) = caller.may(action, &access.about.environment) else {
        return Ok(());
    };
    access.refused(caller, &denied).await?;
    Err(Error::Forbidden(denied.to_string()))
}

/// What a request shows of who makes it. A token counts for more than a cookie.
pub(super) fn offered<'a>(access: &Access, headers: &'a HeaderMap) -> Offered<'a> {
    let Some(sign_in) = &access.sign_in else {
        return Offered::Nothing;
    };
    if let Some(shown) = headers.get(header::AUTHORIZATION) {
        let bearer = shown.to_str().ok().and_then(|shown| {
            let (scheme, token) = shown.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        return Offered::Bearer(bearer.unwrap_or_default());
    }
    if let Some(token) = sockets::token_of(headers).filter(|_| sockets::is_asked(headers)) {
        return Offered::Bearer(token);
    }
    let cookie = Cookie::Session.of(headers, is_secure(&sign_in.public_url));
    cookie.map_or(Offered::Nothing, Offered::Cookie)
}

/// A browser sends cookies with whatever any page has it send. What changes something has to come from
/// a page of ours, which knows what to send back.
async fn from_our_page(
    access: &Access,
    caller: &Caller,
    request: Request,
) -> Result<Request, Error> {
    let headers = request.headers();
    if !is_same_origin(access, headers) {
        return Err(elsewhere());
    }
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_form = kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    if !is_form {
        let sent = headers.get(CSRF).and_then(|sent| sent.to_str().ok());
        let is_ours = sent.is_some_and(|sent| is_same(sent, &caller.csrf));
        // Without sign-in nothing is sent along that a page elsewhere could use: JSON is asked for,
        // which it cannot send here.
        return if is_ours || caller.by == By::Loopback {
            Ok(request)
        } else {
            Err(elsewhere())
        };
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LONGEST_FORM)
        .await
        .map_err(|_| Error::BadRequest(format!("a form holds {LONGEST_FORM} bytes at most")))?;
    if field(&body, "csrf").is_some_and(|sent| is_same(&sent, &caller.csrf)) {
        Ok(Request::from_parts(parts, Body::from(body)))
    } else {
        Err(elsewhere())
    }
}

/// A field of a form as it is sent.
pub(super) fn field(form: &[u8], name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(form);
    fields
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.into_owned())
}

pub(super) fn elsewhere() -> Error {
    Error::Forbidden(
        "this did not come from a page of ours, or from one that is too old; load the page again and repeat it"
            .to_owned(),
    )
}

/// Whether a browser says that one of our pages sends it; what sends no browser says nothing.
pub(super) fn is_same_origin(access: &Access, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site")
        && !["same-origin", "none"].contains(&site)
    {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Some(origin) = origin
        .to_str()
        .ok()
        .and_then(|origin| Url::parse(origin).ok())
    else {
        return false;
    };
    let public = access.sign_in.as_ref();
    if public.is_some_and(|sign_in| sign_in.public_url.origin() == origin.origin()) {
        return true;
    }
    // As the name we were asked under.
    let asked =
        text("host").and_then(|host| Url::parse(&format!("{}://{host}", origin.scheme())).ok());
    asked.is_some_and(|asked| asked.origin() == origin.origin())
}

/// How long somebody may listen without saying again who they are.
pub(super) fn left_of(caller: &Caller, now: DateTime<Utc>) -> Duration {
    let left = caller.until.map(|until| left_until(until, now));
    left.unwrap_or(Duration::MAX)
}

fn left_until(until: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    let left = (until - now).min(LONGEST_STREAM);
    left.to_std().unwrap_or_default()
}

/// A stream does not outlive what its listener showed.
fn bounded(response: Response, caller: &Caller, access: &Access) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_stream = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let Some(until) = caller.until.filter(|_| is_stream) else {
        return response;
    };
    let left = left_until(until, (access.clock)());
    response.map(|body| {
        let ends = tokio::time::sleep(left);
        Body::from_stream(body.into_data_stream().take_until(ends))
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn pages_are_what_lies_outside_of_what_programs_ask() {
        for page in ["/", "/runs/api", "/apiary", "/sign-in?to=/api"] {
            assert!(is_page(page), "{page}");
        }
        for data in ["/api", "/api/v1/runs", "/api?x", "/ofrep/v1/events"] {
            assert!(!is_page(data), "{data}");
        }
    }

    #[test]
    fn only_a_proxy_of_ours_is_believed_and_only_what_it_added_itself() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let mut headers = HeaderMap::new();
        let told = "203.0.113.7, 198.51.100.9, 10.0.0.2";
        headers.insert("x-forwarded-for", HeaderValue::from_static(told));
        let proxies = [ip("10.0.0.1"), ip("10.0.0.2")];
        assert_eq!(
            came_from(ip("192.0.2.1"), &proxies, &headers),
            ip("192.0.2.1")
        );
        assert_eq!(
            came_from(ip("10.0.0.1"), &proxies, &headers),
            ip("198.51.100.9")
        );
        assert_eq!(
            came_from(ip("10.0.0.1"), &proxies, &HeaderMap::new()),
            ip("10.0.0.1")
        );
    }
}
