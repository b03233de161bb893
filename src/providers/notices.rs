//! Whoever is told what happens to a migration: one signed JSON request a notice.
//!
//! The URL may carry a token, so nothing but its host is ever told.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use reqwest::{Client, header, redirect::Policy};
use url::Url;

use super::{Cause, Error, Service, http::cause};
use crate::{
    contract::webhook::signature,
    meters::{self, Outcome},
};

/// The header that signs a body: `t={unix seconds},v1={hex}`, the hex being HMAC-SHA256 of
/// `{t}.{body}`.
const SIGNATURE: &str = "X-Switchyard-Signature";

/// Tells notices.
#[derive(Clone)]
pub struct Notifier {
    client: Client,
    url: Url,
    secret: Option<String>,
    timeout: Duration,
}

impl Notifier {
    /// Tells them to that URL; signed, where there is a secret.
    pub fn new(url: Url, secret: Option<&str>, timeout: Duration) -> anyhow::Result<Self> {
        // The whole process shares one; a second installation only says that it is there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(timeout / 2)
            .build()
            .context("notices: setting up their HTTP client")?;
        Ok(Self {
            client,
            url,
            secret: secret.map(str::to_owned),
            timeout,
        })
    }

    /// Sends one, once. Whoever is told knows it again by its id.
    pub async fn send(&self, id: &str, body: &str, now: DateTime<Utc>) -> Result<(), Error> {
        let started = Instant::now();
        let answered = self.once(id, body, now).await;
        let spent = started.elapsed();
        let outcome = answered
            .as_ref()
            .map_or_else(Cause::outcome, |()| Outcome::Ok);
        meters::call(meters::Service::Notices, outcome, spent);
        answered.map_err(|cause| Error {
            service: Service::Notices,
            asked: format!(
                "telling `{}`",
                self.url.host_str().unwrap_or("a URL without a host")
            ),
            cause,
            attempts: 1,
            allowed: 1,
            spent,
        })
    }

    async fn once(&self, id: &str, body: &str, now: DateTime<Utc>) -> Result<(), Cause> {
        let mut request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", id)
            .body(body.to_owned());
        if let Some(secret) = &self.secret {
            request = request.header(SIGNATURE, signature(secret, now.timestamp(), body));
        }
        let answer = match tokio::time::timeout(self.timeout, request.send()).await {
            Ok(Ok(answer)) => answer.status(),
            Ok(Err(error)) => return Err(cause(error, self.timeout)),
            Err(_) => {
                return Err(Cause::Timeout {
                    after: self.timeout,
                });
            }
        };
        if answer.is_success() {
            return Ok(());
        }
        let status = answer.as_u16();
        Err(if answer.is_server_error() {
            Cause::Server {
                status,
                retry_after: None,
            }
        } else {
            Cause::Refused { status }
        })
    }
}
