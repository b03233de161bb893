//! One way to call a service: send, bound, read, judge, and repeat by policy.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::DateTime;
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};
use serde::de::DeserializeOwned;
use tracing::warn;
use url::Url;

use super::{Cause, Error, Retry, Service, retry::luck};
use crate::{
    meters::{self, Outcome},
    model::REUSED_HEADER,
};

/// Longer answers are refused: the words of a whole day's meeting are a tenth of it.
const LONGEST_ANSWER: usize = 64 << 20;

/// A service as it is reached.
pub(super) struct Http {
    client: Client,
    service: Service,
    base: Url,
    timeout: Duration,
    retry: Retry,
}

/// An answer with what it took.
pub(super) struct Reply<T> {
    pub(super) value: T,
    /// Time of all requests, failed ones included.
    pub(super) spent: Duration,
    /// Whether our proxy gave what the control was answered.
    pub(super) is_reused: bool,
}

impl Http {
    pub(super) fn new(
        service: Service,
        base: Url,
        key: Option<&str>,
        timeout: Duration,
        retry: Retry,
    ) -> anyhow::Result<Self> {
        // The whole process shares one; a second installation only says that it is there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        anyhow::ensure!(
            matches!(base.scheme(), "http" | "https"),
            "{service}: the URL must begin with http:// or https://"
        );
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let mut bearer = HeaderValue::try_from(format!("Bearer {key}"))
                .ok()
                .with_context(|| {
                    format!("{service}: the API key has characters that no header can carry")
                })?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        // Long transcriptions are answered by a chain of redirects, one every 150 s.
        let redirects = match service {
            Service::Transcription => Policy::limited(20),
            Service::Daily
            | Service::Llm
            | Service::Embeddings
            | Service::Zulip
            | Service::Webhook
            | Service::Notices
            | Service::SignIn
            | Service::Collector => Policy::none(),
        };
        let client = Client::builder()
            .default_headers(headers)
            .redirect(redirects)
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .user_agent(concat!("switchyard/", env!("CARGO_PKG_VERSION")))
            .build()
            .with_context(|| format!("{service}: setting up its HTTP client"))?;
        Ok(Self {
            client,
            service,
            base,
            timeout,
            retry,
        })
    }

    /// The base URL with path segments added, each encoded.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Where the service is.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Asks for a path that costs nothing, to learn whether the service can be reached and takes
    /// our key. Where there is no such path, an answer of 404 or 405 says as much.
    pub(super) async fn reach(&self, segments: &[&str]) -> Result<(), Error> {
        let url = self.url(segments);
        let asked = self
            .call("reaching it", || self.client.get(url.clone()), |_| Ok(()))
            .await;
        match asked {
            Err(error) if !matches!(error.status(), Some(404 | 405)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends the request until `read` accepts the answer or the policy gives up. `asked` says
    /// what for, without secrets.
    pub(super) async fn call<T>(
        &self,
        asked: &str,
        request: impl Fn() -> RequestBuilder,
        read: impl Fn(&[u8]) -> Result<T, Cause>,
    ) -> Result<Reply<T>, Error> {
        self.call_by(&self.retry, asked, request, read).await
    }

    /// [`Http::call`] by another policy, for what must not be sent twice.
    pub(super) async fn call_by<T>(
        &self,
        retry: &Retry,
        asked: &str,
        request: impl Fn() -> RequestBuilder,
        read: impl Fn(&[u8]) -> Result<T, Cause>,
    ) -> Result<Reply<T>, Error> {
        let begun = Instant::now();
        let mut spent = Duration::ZERO;
        let mut attempt = 1;
        loop {
            let started = Instant::now();
            let answered = self.once(request()).await;
            let result = answered.and_then(|(body, is_reused)| Ok((read(&body)?, is_reused)));
            let took = started.elapsed();
            let outcome = result.as_ref().map_or_else(Cause::outcome, |_| Outcome::Ok);
            meters::call(self.service.metered(), outcome, took);
            spent += took;
            let cause = match result {
                Ok((value, is_reused)) => {
                    return Ok(Reply {
                        value,
                        spent,
                        is_reused,
                    });
                }
                Err(cause) => cause,
            };
            let wait = retry.wait(&cause, attempt, begun.elapsed(), self.timeout, luck());
            let Some(wait) = wait else {
                return Err(Error {
                    service: self.service,
                    asked: asked.to_owned(),
                    cause,
                    attempts: attempt,
                    allowed: retry.attempts,
                    spent,
                });
            };
            warn!(
                service = %self.service,
                attempt,
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                "{}: {asked}: {cause}; asking again", self.service
            );
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn once(&self, request: RequestBuilder) -> Result<(Vec<u8>, bool), Cause> {
        let whole = async {
            let response = request
                .send()
                .await
                .map_err(|error| cause(error, self.timeout))?;
            judge(&response)?;
            let is_reused = response.headers().contains_key(REUSED_HEADER);
            Ok((self.body(response).await?, is_reused))
        };
        // Around the whole exchange: a body may trickle for ever.
        tokio::time::timeout(self.timeout, whole)
            .await
            .unwrap_or(Err(Cause::Timeout {
                after: self.timeout,
            }))
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Cause> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| cause(error, self.timeout))?
        {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(Cause::BadAnswer(format!(
                    "longer than {LONGEST_ANSWER} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Why a request was not answered, without its URL. `timeout` is the bound it had.
pub(super) fn cause(error: reqwest::Error, timeout: Duration) -> Cause {
    if error.is_timeout() && error.is_connect() {
        return Cause::NotConnected("it does not come about in time".to_owned());
    }
    if error.is_timeout() {
        return Cause::Timeout { after: timeout };
    }
    if error.is_builder() {
        return Cause::Invalid("it cannot be put into HTTP".to_owned());
    }
    if error.is_redirect() {
        return Cause::Connection("too many redirects".to_owned());
    }
    let connects = error.is_connect();
    // URLs may carry signatures, and the outer messages repeat them.
    let mut innermost: &dyn std::error::Error = &error.without_url();
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let told = innermost.to_string();
    if connects {
        Cause::NotConnected(told)
    } else {
        Cause::Connection(told)
    }
}

/// Only 200 is an answer.
fn judge(response: &Response) -> Result<(), Cause> {
    let status = response.status();
    let code = status.as_u16();
    match status {
        StatusCode::OK => Ok(()),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Err(Cause::Busy {
                status: code,
                retry_after: retry_after(response.headers()),
            })
        }
        _ if status.is_server_error() => Err(Cause::Server {
            status: code,
            retry_after: retry_after(response.headers()),
        }),
        _ => Err(Cause::Refused { status: code }),
    }
}

/// `Retry-After` in seconds, or as a date, which is read against the answer's own `Date`.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    let now = DateTime::parse_from_rfc2822(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some((until - now).to_std().unwrap_or_default())
}

/// Reads JSON. The error says where and what kind, never what was there.
pub(super) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Cause> {
    serde_json::from_slice(body).map_err(|error| Cause::BadAnswer(without_content(&error)))
}

/// What is wrong with a JSON text, without quoting it: it may be meeting text or a name.
pub(super) fn without_content(error: &serde_json::Error) -> String {
    let at = format!("line {}, column {}", error.line(), error.column());
    if !error.is_data() {
        return format!("not JSON ({at})");
    }
    let text = error.to_string();
    if text.starts_with("missing field `") {
        return text;
    }
    let expected = text
        .rsplit_once(", expected ")
        .map_or("another shape", |(_, expected)| {
            expected.split(" at line").next().unwrap_or(expected)
        });
    format!("not of the agreed shape: expected {expected} ({at})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Shape {
        #[allow(dead_code)]
        count: i64,
    }

    fn complaint(text: &str) -> String {
        without_content(&serde_json::from_str::<Shape>(text).expect_err("it does not fit"))
    }

    #[test]
    fn complaints_about_answers_quote_nothing_of_them() {
        assert_eq!(
            complaint(r#"{"count": "Ana said, expected or not"}"#),
            "not of the agreed shape: expected i64 (line 1, column 37)"
        );
        assert_eq!(complaint("<html>"), "not JSON (line 1, column 1)");
        assert!(complaint("{}").starts_with("missing field `count`"));
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(7)));
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from_static("Wed, 21 Oct 2015 07:28:30 GMT"),
        );
        assert_eq!(retry_after(&headers), None);
        headers.insert(
            DATE,
            HeaderValue::from_static("Wed, 21 Oct 2015 07:28:00 GMT"),
        );
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(30)));
    }
}
