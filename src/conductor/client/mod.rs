//! A thin client for the part of Conductor's API that 3.15.0, later releases and the embedded
//! engine have in common.
//!
//! Retries happen only where a second call does no harm: `GET` (but not polls, which take a task
//! out of its queue), `PUT`, and `POST /tasks`. A start is never retried.

mod error;
mod metadata;
mod tasks;
mod workflows;

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use super::wire::{ErrorAnswer, Health};
use crate::meters::{self, Outcome, Service};
pub use error::{Call, Error};
pub use workflows::Started;

/// How long is waited, and how often tried.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Ends in `/api`, e.g. `http://127.0.0.1:8080/api`.
    pub base_url: Url,
    /// For a connection.
    pub connect_timeout: Duration,
    /// For a whole call.
    pub request_timeout: Duration,
    /// On top of a long poll's own timeout.
    pub poll_margin: Duration,
    /// For calls that may be repeated.
    pub retry: RetryPolicy,
    /// Where people see the server's own pages, if it has any.
    pub ui_url: Option<Url>,
}

impl ClientConfig {
    /// The usual bounds for the server at this base URL.
    pub fn new(base_url: Url) -> Self {
        Self {
            base_url,
            connect_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(10),
            poll_margin: Duration::from_secs(5),
            retry: RetryPolicy::default(),
            ui_url: None,
        }
    }
}

/// Tries and the waits between them: exponential, each shortened by up to half at random.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// All tries; 1 is no retry.
    pub attempts: u32,
    /// Before the second try.
    pub first_delay: Duration,
    /// At most.
    pub max_delay: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            first_delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(5),
        }
    }
}

impl RetryPolicy {
    /// The wait after try `attempt` (from 1), where `random` is between 0 and 1.
    fn delay(&self, attempt: u32, random: f64) -> Duration {
        let doubled = self
            .first_delay
            .saturating_mul(2u32.saturating_pow(attempt.saturating_sub(1)));
        doubled.min(self.max_delay).mul_f64(1.0 - random / 2.0)
    }
}

/// A connection to one workflow engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    config: ClientConfig,
}

/// Makes ring the process's one provider of cryptography for TLS. Does nothing the second time.
pub fn install_crypto() {
    // An error says that a provider is installed already, which is all we want.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// Whether a call may be repeated when its fate is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeat {
    Safe,
    Never,
}

/// An answer with a status of success.
struct Answer {
    call: Call,
    status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::BadAnswer {
            call: self.call,
            status: self.status.as_u16(),
            problem: format!(
                "expected {}, stopped at line {} column {}",
                std::any::type_name::<T>(),
                error.line(),
                error.column()
            ),
        })
    }

    /// `None` for 204 and for an empty body.
    fn json_or_nothing<T: DeserializeOwned>(self) -> Result<Option<T>, Error> {
        if self.status == StatusCode::NO_CONTENT || self.body.is_empty() {
            return Ok(None);
        }
        self.json().map(Some)
    }

    /// A bare text, with or without quotes.
    fn text(self) -> Result<String, Error> {
        let text = std::str::from_utf8(&self.body)
            .map(|text| text.trim().trim_matches('"').to_owned())
            .unwrap_or_default();
        if text.is_empty() || text.len() > 200 || text.contains(char::is_whitespace) {
            return Err(Error::BadAnswer {
                call: self.call,
                status: self.status.as_u16(),
                problem: "expected one word".to_owned(),
            });
        }
        Ok(text)
    }
}

impl Client {
    /// Builds a client; nothing is sent. Fails only if the TLS settings of this machine are broken.
    pub fn new(config: ClientConfig) -> anyhow::Result<Self> {
        install_crypto();
        let http = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .timeout(config.request_timeout)
            .user_agent(concat!("switchyard/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                anyhow::anyhow!("preparing HTTP for Conductor: {}", error.without_url())
            })?;
        Ok(Self { http, config })
    }

    /// The base URL it was made for.
    pub fn base_url(&self) -> &Url {
        &self.config.base_url
    }

    /// `GET /health`: says that an HTTP thread answered, nothing more.
    pub async fn health(&self) -> Result<Health, Error> {
        let mut url = self.config.base_url.clone();
        let root = url.path().trim_end_matches('/').trim_end_matches("/api");
        let path = format!("{root}/health");
        url.set_path(&path);
        let call = Call {
            method: "GET",
            path: "/health".to_owned(),
        };
        self.send(&call, Repeat::Never, || self.http.get(url.clone()))
            .await?
            .json()
    }

    /// The server's version; `None` where it does not tell, as 3.15.0.
    pub async fn version(&self) -> Result<Option<String>, Error> {
        match self.get(&["version"], &[]).await {
            Ok(answer) => answer.text().map(Some),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.config.base_url.clone();
        // Config accepts http and https only, and those have a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    async fn get(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Answer, Error> {
        self.call(Method::GET, segments, query, Repeat::Safe, |request| {
            request
        })
        .await
    }

    async fn call(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
        repeat: Repeat,
        finish: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Answer, Error> {
        let call = Call {
            method: method_name(&method),
            path: format!("/{}", segments.join("/")),
        };
        let url = self.url(segments);
        self.send(&call, repeat, || {
            let request = self.http.request(method.clone(), url.clone());
            finish(if query.is_empty() {
                request
            } else {
                request.query(query)
            })
        })
        .await
    }

    async fn send(
        &self,
        call: &Call,
        repeat: Repeat,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Answer, Error> {
        let attempts = match repeat {
            Repeat::Safe => self.config.retry.attempts.max(1),
            Repeat::Never => 1,
        };
        let mut attempt = 1;
        loop {
            let (error, tries) = match self.send_once(call, request()).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                // The server calls it not retryable, and mostly is right; a lost database
                // connection looks the same, hence one more try.
                Err(Failure::Doubtful(error)) => (error, attempts.min(2)),
                Err(Failure::Passing(error)) => (error, attempts),
            };
            if attempt >= tries {
                return Err(error);
            }
            tokio::time::sleep(self.config.retry.delay(attempt, random())).await;
            attempt += 1;
        }
    }

    async fn send_once(&self, call: &Call, request: RequestBuilder) -> Result<Answer, Failure> {
        let started = Instant::now();
        let answered = self.exchange(call, request).await;
        let outcome = answered
            .as_ref()
            .map_or_else(Failure::outcome, |_| Outcome::Ok);
        meters::call(Service::Conductor, outcome, started.elapsed());
        answered
    }

    async fn exchange(&self, call: &Call, request: RequestBuilder) -> Result<Answer, Failure> {
        let response = request.send().await.map_err(|e| broken(call, e))?;
        let status = response.status();
        let body = response.bytes().await.map_err(|e| broken(call, e))?;
        if status.is_success() {
            return Ok(Answer {
                call: call.clone(),
                status,
                body: body.into(),
            });
        }
        let answer: ErrorAnswer = serde_json::from_slice(&body).unwrap_or_default();
        let message = message_of(&answer);
        let call = call.clone();
        Err(match status.as_u16() {
            404 => Failure::Final(Error::NotFound { call, message }),
            409 => Failure::Final(Error::Conflict { call, message }),
            code => {
                let error = Error::Refused {
                    call,
                    status: code,
                    message,
                };
                match code {
                    500 if answer.status == 500 && !answer.retryable => Failure::Doubtful(error),
                    408 | 429 | 500..=599 => Failure::Passing(error),
                    _ => Failure::Final(error),
                }
            }
        })
    }
}

fn broken(call: &Call, error: reqwest::Error) -> Failure {
    let call = call.clone();
    Failure::Passing(if error.is_timeout() && !error.is_connect() {
        Error::Timeout { call }
    } else {
        Error::Unreachable {
            call,
            cause: innermost(&error.without_url()),
        }
    })
}

/// What is at the bottom of an error: `Connection refused`, not who noticed it.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

enum Failure {
    /// Trying again cannot help.
    Final(Error),
    /// Trying again hardly helps.
    Doubtful(Error),
    /// Trying again may help.
    Passing(Error),
}

impl Failure {
    /// As metrics have it.
    fn outcome(&self) -> Outcome {
        let (Self::Final(error) | Self::Doubtful(error) | Self::Passing(error)) = self;
        match error {
            Error::NotFound { .. } => Outcome::NotFound,
            Error::Conflict { .. } => Outcome::Refused,
            Error::Refused { status, .. } => Outcome::of_status(*status),
            Error::Timeout { .. } => Outcome::Timeout,
            Error::Unreachable { .. } => Outcome::Connection,
            Error::BadAnswer { .. } => Outcome::BadAnswer,
        }
    }
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "GET",
    }
}

/// The server's words, with the broken rules where it lists them, cut to a readable length.
fn message_of(answer: &ErrorAnswer) -> String {
    let mut message = answer.message.clone().unwrap_or_else(|| "no reason".into());
    for broken in &answer.validation_errors {
        message.push_str("; ");
        message.push_str(&broken.message);
    }
    message.chars().take(500).collect()
}

/// A number between 0 and 1, from the generator behind random ids.
fn random() -> f64 {
    f64::from(u16::from_le_bytes([
        uuid::Uuid::new_v4().as_bytes()[0],
        uuid::Uuid::new_v4().as_bytes()[1],
    ])) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests;
