//! Zulip: posts a message, edits it, and looks whether it is there already.
//!
//! Zulip knows no idempotency key. A post is sent once; whoever does not know what came of it
//! looks for the message by the link it carries before posting again.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use reqwest::RequestBuilder;
use serde::Deserialize;
use tracing::debug;
use url::Url;

use super::{
    Cause, Error, Retry, Service,
    http::{Http, json},
    relays::Relays,
};
use crate::model::HttpRequest;
use crate::rollout::Live;

mod find;

/// Zulip's REST API as one bot uses it.
pub struct Zulip {
    http: Http,
    retry: Retry,
    relays: Relays,
    email: String,
    api_key: String,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The message is there, under this id.
    Posted(i64),
    /// The message is edited.
    Edited,
    /// Zulip will not edit the message: it is gone, too old, or not ours. The legacy posts a new
    /// one then.
    EditRefused {
        /// The status it said so with.
        status: u16,
    },
}

#[derive(Deserialize)]
struct Posted {
    id: i64,
}

#[derive(Deserialize)]
struct Edited {
    result: String,
}

impl Zulip {
    /// `realm` is the host name as Reflector's `ZULIP_REALM` has it, `email` and `api_key` are the
    /// bot's. `relays` says where to connect to instead, by host.
    pub fn new(
        realm: &str,
        email: &str,
        api_key: &str,
        timeout: Duration,
        relays: &BTreeMap<String, Url>,
    ) -> anyhow::Result<Self> {
        let base = Url::parse(&format!("https://{realm}"))
            .ok()
            .filter(|base| base.path() == "/" && base.query().is_none())
            .context("zulip: the realm must be a host name, without `https://` and path")?;
        anyhow::ensure!(
            !email.is_empty() && !email.contains(':') && !api_key.is_empty(),
            "zulip: the bot's email and API key must not be empty, nor the email have a colon"
        );
        let retry = Retry::standard(timeout);
        Ok(Self {
            http: Http::new(Service::Zulip, base, None, timeout, retry.clone())?,
            retry,
            relays: Relays::new(relays),
            email: email.to_owned(),
            api_key: api_key.to_owned(),
        })
    }

    /// By another policy for edits and searches. A post is never repeated.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Asks Zulip who the bot is, which needs its key.
    pub async fn reach(&self) -> Result<(), Error> {
        let asked = "asking who the bot is";
        let request = HttpRequest {
            method: "GET".to_owned(),
            url: self.http.url(&["api", "v1", "users", "me"]).to_string(),
            headers: Vec::new(),
            body: String::new(),
        };
        let request = self.request(asked, &request)?;
        self.http
            .call_by(&Retry::never(), asked, || copy(&request), succeeded)
            .await
            .map(drop)
    }

    /// Carries out a `POST` or `PATCH` exactly as it is, with the bot's credentials.
    ///
    /// A post is sent once: whether there is a message after an error, [`Error::fate`] tells. An
    /// edit is repeated by policy, since a second one changes nothing; an error means that it may
    /// be tried again later.
    pub async fn send(&self, live: &Live, request: &HttpRequest) -> Result<Sent, Error> {
        debug!(
            run.id = %live.run(),
            epoch = live.epoch(),
            "sending Zulip the message of run `{}`", live.run()
        );
        match request.method.as_str() {
            "POST" => self.post(request).await,
            "PATCH" => self.edit(request).await,
            _ => Err(invalid("a message", "it is neither `POST` nor `PATCH`")),
        }
    }

    pub(super) async fn post(&self, request: &HttpRequest) -> Result<Sent, Error> {
        let asked = "posting a message";
        let request = self.request(asked, request)?;
        let posted = self
            .http
            .call_by(&Retry::never(), asked, || copy(&request), json)
            .await?;
        let Posted { id } = posted.value;
        Ok(Sent::Posted(id))
    }

    async fn edit(&self, request: &HttpRequest) -> Result<Sent, Error> {
        let asked = "editing a message";
        let request = self.request(asked, request)?;
        let edited = self
            .http
            .call_by(&self.retry, asked, || copy(&request), succeeded)
            .await;
        match edited {
            Ok(_) => Ok(Sent::Edited),
            Err(Error {
                cause: Cause::Refused { status },
                ..
            }) => Ok(Sent::EditRefused { status }),
            Err(error) => Err(error),
        }
    }

    /// The request with the bot's credentials, which nobody but the realm gets.
    fn request(&self, asked: &str, request: &HttpRequest) -> Result<RequestBuilder, Error> {
        let is_ours =
            Url::parse(&request.url).is_ok_and(|url| url.origin() == self.http.base().origin());
        if !is_ours {
            return Err(invalid(
                asked,
                "it is meant for another host than the realm",
            ));
        }
        self.relays
            .request(self.http.client(), request)
            .map(|request| request.basic_auth(&self.email, Some(&self.api_key)))
            .map_err(|cause| unsent(asked, cause))
    }
}

fn copy(request: &RequestBuilder) -> RequestBuilder {
    request.try_clone().expect("a text can be sent twice")
}

fn succeeded(answer: &[u8]) -> Result<(), Cause> {
    let Edited { result } = json(answer)?;
    if result == "success" {
        Ok(())
    } else {
        Err(Cause::BadAnswer("it tells of no success".to_owned()))
    }
}

fn invalid(asked: &str, why: &str) -> Error {
    unsent(asked, Cause::Invalid(why.to_owned()))
}

fn unsent(asked: &str, cause: Cause) -> Error {
    Error {
        service: Service::Zulip,
        asked: asked.to_owned(),
        cause,
        attempts: 0,
        allowed: 1,
        spent: Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_is_a_host_name() {
        let zulip = |realm| {
            Zulip::new(
                realm,
                "bot@z",
                "key",
                Duration::from_secs(1),
                &BTreeMap::new(),
            )
        };
        assert!(zulip("chat.example").is_ok());
        assert!(zulip("chat.example:8443").is_ok());
        for realm in [
            "",
            "https://chat.example",
            "chat.example/x",
            "chat.example?x",
        ] {
            assert!(zulip(realm).is_err(), "{realm}");
        }
    }
}
