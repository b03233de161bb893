//! Whoever is told what happens to a migration: an HTTP receiver, or a stream on Zulip.
//!
//! A URL may carry a token, so nothing but its host is ever told.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use reqwest::{Client, Response, header, redirect::Policy};
use url::Url;

use super::{
    Cause, Error, Fate, Retry, Service, Zulip,
    http::{cause, retry_after},
};
use crate::{
    contract::zulip::{self, Address},
    meters::{self, Outcome},
};

/// Tells notices by POST.
#[derive(Clone)]
pub struct Notifier {
    client: Client,
    url: Url,
    timeout: Duration,
}

impl Notifier {
    /// Tells them to that URL.
    pub fn new(url: Url, timeout: Duration) -> anyhow::Result<Self> {
        // The whole process shares one; a second installation only says that it is there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(timeout / 2)
            // One kept open may be closed by the other side just when it is used, and then nobody
            // knows whether the notice arrived.
            .pool_max_idle_per_host(0)
            .build()
            .context("notices: setting up their HTTP client")?;
        Ok(Self {
            client,
            url,
            timeout,
        })
    }

    /// Sends one, once, as JSON with these headers. Whoever is told may know it again by its id.
    pub async fn send(
        &self,
        id: &str,
        body: String,
        headers: &[(&str, String)],
    ) -> Result<(), Error> {
        let started = Instant::now();
        let answered = self.once(id, body, headers).await;
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

    async fn once(&self, id: &str, body: String, headers: &[(&str, String)]) -> Result<(), Cause> {
        let mut request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", id)
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        // The answer's body is nobody's business: with the status the receiver has said it all.
        match tokio::time::timeout(self.timeout, request.send()).await {
            Ok(Ok(answer)) => judge(&answer),
            Ok(Err(error)) => Err(cause(error, self.timeout)),
            Err(_) => Err(Cause::Timeout {
                after: self.timeout,
            }),
        }
    }
}

fn judge(answer: &Response) -> Result<(), Cause> {
    let code = answer.status();
    let status = code.as_u16();
    let retry_after = retry_after(answer.headers());
    match status {
        200..=299 => Ok(()),
        408 | 425 | 429 => Err(Cause::Busy {
            status,
            retry_after,
        }),
        _ if code.is_server_error() => Err(Cause::Server {
            status,
            retry_after,
        }),
        _ => Err(Cause::Refused { status }),
    }
}

/// Tells notices in a stream on Zulip, as a bot. No run shows anybody anything by it: what rooms get
/// goes through the gateway.
pub struct ZulipNotices {
    bot: Zulip,
    base: String,
    stream: String,
}

impl ZulipNotices {
    /// In that stream of a realm, by its bot.
    pub fn new(
        realm: &str,
        (email, api_key): (&str, &str),
        stream: &str,
        timeout: Duration,
        relays: &BTreeMap<String, Url>,
    ) -> anyhow::Result<Self> {
        let bot = Zulip::new(realm, email, api_key, timeout, relays)?.with_retry(Retry::never());
        Ok(Self {
            bot,
            base: format!("https://{realm}"),
            stream: stream.to_owned(),
        })
    }

    /// Posts a message, once. Where it `may_be_there`, it is looked for first by its mark, since Zulip
    /// takes the same message as often as it is sent.
    pub async fn send(
        &self,
        (topic, content): (&str, &str),
        mark: &str,
        may_be_there: bool,
    ) -> Result<(), Error> {
        let address = Address {
            stream: &self.stream,
            topic,
        };
        if may_be_there && self.bot.find(address, mark, None).await?.is_some() {
            return Ok(());
        }
        let request = zulip::post(&self.base, address, content);
        self.bot.post(&request).await.map(drop)
    }
}

impl Error {
    /// Whether what was sent may be there though nobody said so.
    pub const fn may_be_there(&self) -> bool {
        matches!(self.fate(), Fate::Unknown)
    }
}
