//! Passing a request on: method, path, query, body and headers as they came, but for those that
//! speak of one connection alone.

use std::time::Duration;

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Response as HttpResponse, StatusCode, header,
    },
    response::{IntoResponse, Response},
};
use reqwest::redirect::Policy;
use tracing::warn;
use url::Url;

use super::told;
use crate::model::{RUN_HEADER, SharedService};

/// No request lasts longer, whoever asks: both pipelines give up long before.
const LONGEST: Duration = Duration::from_mins(20);

/// Headers of one connection (RFC 9110, 7.6.1).
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Follows nothing and decodes nothing.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .http1_only()
        .connect_timeout(Duration::from_secs(10))
        .timeout(LONGEST)
        // A server may close an idle connection just as a request is written to it, and a body that
        // was read cannot be sent again.
        .pool_idle_timeout(Duration::from_secs(2))
        .build()
}

/// The service's URL for a path below our own.
pub(super) fn target(base: &Url, rest: &str, query: Option<&str>) -> Option<Url> {
    let base = base.as_str().trim_end_matches('/');
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Url::parse(&format!("{base}{rest}{query}")).ok()
}

/// The headers that go on.
pub(super) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let mut kept = headers.clone();
    for name in HOP_BY_HOP {
        kept.remove(name);
    }
    for name in named {
        kept.remove(name);
    }
    kept
}

/// What is asked of a service.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    /// None where there is none, which is something else than an empty one.
    pub(super) body: Option<reqwest::Body>,
}

/// Sends it. The error is what to answer instead.
pub(super) async fn send(
    http: &reqwest::Client,
    service: SharedService,
    outgoing: Outgoing,
) -> Result<reqwest::Response, Box<Response>> {
    let mut headers = end_to_end(&outgoing.headers);
    // Named anew after where it goes; and nobody outside learns of our runs.
    headers.remove(header::HOST);
    headers.remove(RUN_HEADER);
    let mut request = http.request(outgoing.method, outgoing.url).headers(headers);
    if let Some(body) = outgoing.body {
        request = request.body(body);
    }
    request.send().await.map_err(|error| {
        let (status, what) = if error.is_timeout() {
            (StatusCode::GATEWAY_TIMEOUT, "did not answer in time")
        } else if error.is_connect() {
            (StatusCode::BAD_GATEWAY, "cannot be reached")
        } else {
            (StatusCode::BAD_GATEWAY, "broke off before it answered")
        };
        let name = service.as_str();
        warn!(service = name, "the service `{name}` {what}");
        Box::new(told(status, &format!("the service `{name}` {what}")))
    })
}

/// Status and headers as they came, with this body.
pub(super) fn answer(status: StatusCode, headers: &HeaderMap, body: Body) -> Response {
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = end_to_end(headers);
    response.into_response()
}

/// Where a redirection leads, for a client that came by us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Redirection {
    /// To the service again, so by the same door: clients take their credentials to no other host. The
    /// path and query below the service's base URL.
    Here(String),
    /// Elsewhere.
    Away(Url),
}

/// Reads `Location` as it was meant, `asked` being what the service was asked at.
pub(super) fn redirection(headers: &HeaderMap, asked: &Url, base: &Url) -> Option<Redirection> {
    let location = headers.get(header::LOCATION)?.to_str().ok()?;
    let target = asked.join(location).ok()?;
    let below = target
        .path()
        .strip_prefix(base.path().trim_end_matches('/'))
        .filter(|rest| rest.is_empty() || rest.starts_with('/'));
    Some(match below {
        Some(rest) if target.origin() == base.origin() => {
            let query = target.query().map(|query| format!("?{query}"));
            Redirection::Here(format!("{rest}{}", query.unwrap_or_default()))
        }
        _ => Redirection::Away(target),
    })
}

/// The headers with `Location` as a client has to follow it that came by this door.
pub(super) fn relocated(
    headers: &HeaderMap,
    redirection: Option<&Redirection>,
    door: &str,
    service: SharedService,
) -> HeaderMap {
    let mut headers = headers.clone();
    let location = match redirection {
        None => return headers,
        Some(Redirection::Here(rest)) => format!("/{door}/{}{rest}", service.as_str()),
        Some(Redirection::Away(url)) => url.to_string(),
    };
    if let Ok(value) = HeaderValue::try_from(location) {
        headers.insert(header::LOCATION, value);
    }
    headers
}

/// The length a sender announces.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_connection_stay_and_all_others_go_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer a"),
            ("connection", "close, x-own"),
            ("x-own", "1"),
            ("te", "trailers"),
            ("accept", "application/json"),
        ] {
            headers.append(
                name.parse::<HeaderName>().expect("a name"),
                value.parse().expect("a value"),
            );
        }
        let kept = end_to_end(&headers);
        let names: Vec<_> = kept.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["authorization", "accept"]);
    }

    #[test]
    fn a_redirection_to_the_service_stays_with_us_and_another_leads_away() {
        let base = Url::parse("https://gpu.example/api").expect("a URL");
        let asked = Url::parse("https://gpu.example/api/v1/x").expect("a URL");
        let leads = |location: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, location.parse().expect("a value"));
            let found = redirection(&headers, &asked, &base);
            relocated(
                &headers,
                found.as_ref(),
                "control",
                SharedService::Transcription,
            )[header::LOCATION]
                .to_str()
                .expect("text")
                .to_owned()
        };
        assert_eq!(leads("/api/wait?id=1"), "/control/transcription/wait?id=1");
        assert_eq!(leads("y"), "/control/transcription/v1/y");
        assert_eq!(
            leads("https://gpu.example/api?id=1"),
            "/control/transcription?id=1"
        );
        assert_eq!(leads("/other"), "https://gpu.example/other");
        assert_eq!(leads("https://b.example/api/z"), "https://b.example/api/z");
    }

    #[test]
    fn path_and_query_are_put_behind_the_base_as_they_are() {
        let base = |text: &str| Url::parse(text).expect("a URL");
        let of = |text, rest, query| target(&base(text), rest, query).map(String::from);
        assert_eq!(
            of(
                "https://llm.example/v1",
                "/chat/completions",
                Some("a=%20b")
            )
            .as_deref(),
            Some("https://llm.example/v1/chat/completions?a=%20b")
        );
        assert_eq!(
            of("https://gpu.example/", "/v1/x%2Fy", None).as_deref(),
            Some("https://gpu.example/v1/x%2Fy")
        );
    }
}
