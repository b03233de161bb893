//! A later attempt, made of the request that is kept.

use chrono::{DateTime, Utc};

use super::{
    super::{python_json, python_text},
    EVENT, RETRY, SIGNATURE, signed,
};
use crate::model::HttpRequest;

/// The kept request does not begin as one of [`super::body`] does, so its timestamp is not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "making the next attempt of a webhook: the kept body does not begin with event, event id and timestamp"
)]
pub struct NotOurs;

/// The request of a later attempt: the body with a new `timestamp` and else byte for byte the
/// same, `X-Webhook-Retry` counted from 0 for the first attempt, and a new signature under the
/// secret as it is now. Everything else is as it was kept.
pub fn again(
    kept: &HttpRequest,
    retry: u32,
    secret: Option<&str>,
    now: DateTime<Utc>,
) -> Result<HttpRequest, NotOurs> {
    let (before, after) = around_timestamp(&kept.body).ok_or(NotOurs)?;
    let timestamp = python_text::isoformat(now);
    let body = format!("{before}{timestamp}{after}");
    let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
    let mut headers: Vec<_> = kept
        .headers
        .iter()
        .filter(|(name, _)| !is(name, SIGNATURE))
        .cloned()
        .collect();
    for (name, value) in &mut headers {
        if is(name, RETRY) {
            *value = retry.to_string();
        }
    }
    headers.extend(signed(secret, now, &body));
    Ok(HttpRequest {
        headers,
        body,
        ..kept.clone()
    })
}

/// What stands before and after the value of `timestamp`. Read from the beginning, since texts
/// further on may hold anything.
fn around_timestamp(body: &str) -> Option<(&str, &str)> {
    let event = python_json::to_string_compact(EVENT).ok()?;
    let rest = body.strip_prefix(&format!("{{\"event\":{event},\"event_id\":\""))?;
    let (_, rest) = rest.split_once('"')?;
    let rest = rest.strip_prefix(",\"timestamp\":\"")?;
    let before = &body[..body.len() - rest.len()];
    let value = rest.find('"')?;
    Some((before, &rest[value..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::webhook::request;

    const BODY: &str = r#"{"event":"transcript.completed","event_id":"e","timestamp":"then","transcript":{"title":",\"timestamp\":\"then\""}}"#;

    fn kept(body: &str, secret: Option<&str>) -> HttpRequest {
        request(
            "https://c.example/?t=1",
            body.to_owned(),
            secret,
            0,
            DateTime::UNIX_EPOCH,
        )
    }

    #[test]
    fn nothing_but_the_first_timestamp_changes() {
        let again = again(&kept(BODY, None), 3, None, DateTime::UNIX_EPOCH).unwrap();
        let expected = BODY.replacen("then", "1970-01-01T00:00:00+00:00", 1);
        assert_eq!(again.body, expected);
        assert_eq!(again.url, "https://c.example/?t=1");
        assert_eq!(
            again.headers[3],
            ("X-Webhook-Retry".to_owned(), "3".to_owned())
        );
    }

    #[test]
    fn it_is_the_request_that_would_have_been_made_of_the_new_body() {
        let now = DateTime::from_timestamp(1_735_306_800, 5_000).unwrap();
        for (then, since) in [
            (Some("s"), Some("new")),
            (Some("s"), None),
            (None, Some("new")),
        ] {
            let again = again(&kept(BODY, then), 1, since, now).unwrap();
            let made = request(&again.url, again.body.clone(), since, 1, now);
            assert_eq!(again, made);
        }
    }

    #[test]
    fn a_body_of_another_shape_is_refused() {
        for body in [
            "",
            "{}",
            r#"{"event":"test","event_id":"e","timestamp":"then"}"#,
            r#"{"event":"transcript.completed","timestamp":"then"}"#,
            r#"{"event":"transcript.completed","event_id":"e","timestamp":"then"#,
        ] {
            let refused = again(&kept(body, None), 1, None, DateTime::UNIX_EPOCH);
            assert_eq!(refused, Err(NotOurs), "{body}");
        }
    }
}
