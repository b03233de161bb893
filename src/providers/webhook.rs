//! Customers' webhooks: one request an attempt, and the status it was answered with.
//!
//! A customer's URL may carry a token, so nothing but its host is ever told.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use reqwest::{Client, redirect::Policy};
use tracing::debug;
use url::Url;

use super::{Cause, Error, Service, http::cause, relays::Relays};
use crate::contract::webhook::TIMEOUT_SECONDS;
use crate::meters::{self, Outcome};
use crate::model::HttpRequest;
use crate::rollout::Live;

/// Delivers webhooks.
pub struct Webhook {
    client: Client,
    relays: Relays,
    timeout: Duration,
}

impl Webhook {
    /// How long a customer may take, as in the legacy.
    pub const TIMEOUT: Duration = Duration::from_secs(TIMEOUT_SECONDS);

    /// `relays` says where to connect to instead, by host (with port, if a URL has one).
    pub fn new(relays: &BTreeMap<String, Url>) -> anyhow::Result<Self> {
        Self::within(Self::TIMEOUT, relays)
    }

    /// With another timeout than the legacy's.
    pub fn within(timeout: Duration, relays: &BTreeMap<String, Url>) -> anyhow::Result<Self> {
        // The whole process shares one; a second installation only says that it is there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none())
            // Shorter than the whole, so that a customer who is not there is known not to have
            // been told.
            .connect_timeout((timeout / 2).min(Duration::from_secs(10)))
            // What customers' receivers have seen from the legacy. A connection of its own for
            // each request: one kept open may be closed by the other side at any moment.
            .http1_only()
            .http1_title_case_headers()
            .pool_max_idle_per_host(0)
            .build()
            .context("webhook: setting up its HTTP client")?;
        Ok(Self {
            client,
            relays: Relays::new(relays),
            timeout,
        })
    }

    /// Sends the request once, exactly as it is, and gives the status of the answer, whatever it
    /// is; [`crate::contract::webhook::Answer`] says what it means. Redirects are not followed.
    ///
    /// An error is a request without an answer; [`Error::fate`] tells whether the customer may
    /// have got it.
    pub async fn send(&self, live: &Live, request: &HttpRequest) -> Result<u16, Error> {
        let host = host(&request.url);
        debug!(
            run.id = %live.run(),
            epoch = live.epoch(),
            host,
            "delivering the webhook of run `{}` to `{host}`", live.run()
        );
        let started = Instant::now();
        let answered = self.once(request).await;
        let spent = started.elapsed();
        let outcome = match &answered {
            Ok(status) => Outcome::of_status(*status),
            Err(cause) => cause.outcome(),
        };
        meters::call(meters::Service::Webhook, outcome, spent);
        answered.map_err(|cause| Error {
            service: Service::Webhook,
            asked: format!("delivering to `{host}`"),
            cause,
            attempts: 1,
            allowed: 1,
            spent,
        })
    }

    async fn once(&self, request: &HttpRequest) -> Result<u16, Cause> {
        let sending = self.relays.request(&self.client, request)?.send();
        // The answer's body is nobody's business: with the status the customer has decided.
        match tokio::time::timeout(self.timeout, sending).await {
            Ok(Ok(answer)) => Ok(answer.status().as_u16()),
            Ok(Err(error)) => Err(cause(error, self.timeout)),
            Err(_) => Err(Cause::Timeout {
                after: self.timeout,
            }),
        }
    }
}

/// As much of a URL as may be told.
fn host(url: &str) -> String {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str);
    host.unwrap_or("a URL that cannot be read").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_only_the_host_is_told() {
        assert_eq!(
            host("https://user:hush@hooks.example:8443/hush?token=hush"),
            "hooks.example"
        );
        assert_eq!(host("hush"), "a URL that cannot be read");
    }
}
