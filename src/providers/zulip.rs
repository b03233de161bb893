//! Zulip: posts a message, edits it, and looks whether it is there already.
//!
//! Zulip knows no idempotency key. A post is sent once; whoever does not know what came of it
//! looks for the message by the link it carries before posting again.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::json;
use tracing::debug;
use url::Url;

use super::{
    Cause, Error, Retry, Service,
    http::{Http, json as read_json},
    relays::Relays,
};
use crate::contract::zulip::Address;
use crate::model::HttpRequest;
use crate::rollout::Live;

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

/// Messages asked for at a time, and how often.
const PAGE: usize = 100;
const PAGES: usize = 10;

/// Zulip shortens longer topics, so that they cannot be looked up as they were given.
const LONGEST_TOPIC: usize = 60;

#[derive(Deserialize)]
struct Posted {
    id: i64,
}

#[derive(Deserialize)]
struct Edited {
    result: String,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    found_oldest: bool,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    id: i64,
    content: String,
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

    async fn post(&self, request: &HttpRequest) -> Result<Sent, Error> {
        let asked = "posting a message";
        let request = self.request(asked, request)?;
        let posted = self
            .http
            .call_by(&Retry::never(), asked, || copy(&request), read_json)
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

    /// The newest message of our bot there that holds the link, among its latest 1000. With
    /// `newer_than` only messages with a higher id count: an earlier run's message holds the same
    /// link.
    pub async fn find(
        &self,
        address: Address<'_>,
        link: &str,
        newer_than: Option<i64>,
    ) -> Result<Option<i64>, Error> {
        let oldest_wanted = newer_than.unwrap_or(i64::MIN);
        let mut anchor = "newest".to_owned();
        for _ in 0..PAGES {
            let page = self.page(address, &anchor).await?;
            let wanted = page.messages.iter().filter(|one| one.id > oldest_wanted);
            let found = wanted.filter(|one| holds(&one.content, link));
            if let Some(id) = found.map(|one| one.id).max() {
                return Ok(Some(id));
            }
            // Sorted by id, but nothing here depends on it.
            let Some(oldest) = page.messages.iter().map(|one| one.id).min() else {
                return Ok(None);
            };
            if page.found_oldest || oldest <= oldest_wanted {
                return Ok(None);
            }
            anchor = oldest.saturating_sub(1).to_string();
        }
        Ok(None)
    }

    async fn page(&self, address: Address<'_>, anchor: &str) -> Result<Page, Error> {
        let mut narrow = vec![
            json!({"operator": "stream", "operand": address.stream}),
            json!({"operator": "sender", "operand": self.email}),
        ];
        if is_kept_as_it_is(address.topic) {
            narrow.push(json!({"operator": "topic", "operand": address.topic}));
        }
        let mut url = self.http.url(&["api", "v1", "messages"]);
        url.query_pairs_mut()
            .append_pair("narrow", &serde_json::Value::from(narrow).to_string())
            .append_pair("anchor", anchor)
            .append_pair("num_before", &PAGE.to_string())
            .append_pair("num_after", "0")
            // The text as it was posted, not the HTML made of it.
            .append_pair("apply_markdown", "false");
        let asked = "looking for a message";
        let request = HttpRequest {
            method: "GET".to_owned(),
            url: url.to_string(),
            headers: Vec::new(),
            body: String::new(),
        };
        let request = self.request(asked, &request)?;
        let page = self
            .http
            .call_by(&self.retry, asked, || copy(&request), read_json)
            .await?;
        Ok(page.value)
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
    let Edited { result } = read_json(answer)?;
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

/// Whether messages of a topic can be looked up by the name they were posted with. Zulip gives an
/// empty topic a name of its own, trims others, and shortens long ones.
fn is_kept_as_it_is(topic: &str) -> bool {
    !topic.is_empty() && topic.trim() == topic && topic.chars().count() <= LONGEST_TOPIC
}

/// Whether the text has the link itself, and not one that only begins like it.
fn holds(content: &str, link: &str) -> bool {
    let goes_on = |next: char| next.is_alphanumeric() || matches!(next, '-' | '_');
    !link.is_empty()
        && content
            .match_indices(link)
            .any(|(at, _)| !content[at + link.len()..].starts_with(goes_on))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_not_found_in_one_that_only_begins_like_it() {
        let link = "https://r.example/transcripts/t1";
        for (content, found) in [
            ("**Link**: [r](https://r.example/transcripts/t1)\n", true),
            ("https://r.example/transcripts/t1", true),
            ("https://r.example/transcripts/t12 and more", false),
            ("https://r.example/transcripts/t1-2", false),
            (
                "https://r.example/transcripts/t12 https://r.example/transcripts/t1?x",
                true,
            ),
            ("", false),
        ] {
            assert_eq!(holds(content, link), found, "{content}");
        }
        assert!(!holds("anything", ""));
    }

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
