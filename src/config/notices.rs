//! Who is told what happens to the migration.
//!
//! A list of targets. One table with `url` and `secret` alone, as earlier versions had it, is one
//! webhook called `webhook`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use url::Url;

use super::{Error, Secret};
use crate::model::{Gravity, NoticeKind};

/// The targets, in the order of the settings.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Notices(pub Vec<NoticeTarget>);

/// Somebody who is told.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeTarget {
    /// What it is called, in lists, metrics and commands.
    pub name: String,
    /// How it is spoken to.
    pub kind: TargetKind,
    /// Where a webhook or Slack's takes notices. It may hold a token, so nothing but its host is shown.
    pub url: Option<SecretUrl>,
    /// Signs what a webhook gets.
    pub secret: Option<Secret>,
    /// The secret before or after it, while receivers change: both sign.
    pub other_secret: Option<Secret>,
    /// Zulip's host name.
    pub realm: Option<String>,
    /// The address of Zulip's bot.
    pub email: Option<String>,
    /// The key of Zulip's bot.
    pub api_key: Option<Secret>,
    /// Zulip's stream.
    pub stream: Option<String>,
    /// Zulip's topic; `{environment}`, `{flag}` and `{kind}` stand for what a notice is about.
    #[serde(default = "topic")]
    pub topic: String,
    /// Notices of less gravity are not told here.
    #[serde(default = "info")]
    pub at_least: Gravity,
    /// Notices of these kinds alone are told here; all where none is named.
    #[serde(default)]
    pub kinds: Vec<NoticeKind>,
    /// Messages a minute; what is more is told in one.
    #[serde(default = "ten_a_minute")]
    pub per_minute: usize,
    /// Seconds one request may take.
    #[serde(default = "ten")]
    pub timeout_s: u64,
}

/// How a target is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// Messages of a bot in a stream.
    Zulip,
    /// Slack's incoming webhook, or one that speaks like it.
    Slack,
    /// JSON by POST, signed.
    Webhook,
}

impl TargetKind {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zulip => "zulip",
            Self::Slack => "slack",
            Self::Webhook => "webhook",
        }
    }
}

impl NoticeTarget {
    /// Whether notices of that kind and gravity are told here.
    pub fn wants(&self, kind: NoticeKind, gravity: Gravity) -> bool {
        gravity >= self.at_least && (self.kinds.is_empty() || self.kinds.contains(&kind))
    }
}

/// A URL that may hold a token: written as it is, or as `{ env = "NAME" }` or `{ file = "PATH" }`.
/// Prints as its scheme and host.
#[derive(Clone)]
pub struct SecretUrl {
    url: Url,
    is_written_out: bool,
}

impl SecretUrl {
    /// The URL itself; for the one call that uses it.
    pub const fn expose(&self) -> &Url {
        &self.url
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.host_str().unwrap_or_default();
        write!(f, "{}://{host}/***", self.url.scheme())
    }
}

impl Serialize for SecretUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

impl<'de> Deserialize<'de> for SecretUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> de::Visitor<'de> for Written {
            type Value = SecretUrl;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, `{ env = \"NAME\" }` or `{ file = \"PATH\" }`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretUrl, E> {
                parse(text, true)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<SecretUrl, A::Error> {
                let held = Secret::deserialize(de::value::MapAccessDeserializer::new(map))?;
                parse(held.expose(), false)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

/// What is wrong is said without the text, which may be a secret.
fn parse<E: de::Error>(text: &str, is_written_out: bool) -> Result<SecretUrl, E> {
    let url = Url::parse(text).map_err(|why| E::custom(format!("it is no URL: {why}")))?;
    Ok(SecretUrl {
        url,
        is_written_out,
    })
}

/// The one table of earlier versions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneWebhook {
    url: SecretUrl,
    secret: Option<Secret>,
    #[serde(default = "ten")]
    timeout_s: u64,
}

impl From<OneWebhook> for NoticeTarget {
    fn from(one: OneWebhook) -> Self {
        Self {
            name: "webhook".to_owned(),
            kind: TargetKind::Webhook,
            url: Some(one.url),
            secret: one.secret,
            other_secret: None,
            realm: None,
            email: None,
            api_key: None,
            stream: None,
            topic: topic(),
            at_least: info(),
            kinds: Vec::new(),
            per_minute: ten_a_minute(),
            timeout_s: one.timeout_s,
        }
    }
}

impl<'de> Deserialize<'de> for Notices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Targets;
        impl<'de> de::Visitor<'de> for Targets {
            type Value = Notices;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a list `[[environments.NAME.notices]]` of targets, or a table with `url`",
                )
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Notices, A::Error> {
                let mut targets = Vec::new();
                while let Some(target) = list.next_element()? {
                    targets.push(target);
                }
                Ok(Notices(targets))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Notices, A::Error> {
                let one = OneWebhook::deserialize(de::value::MapAccessDeserializer::new(map));
                let one = one.map_err(|why| {
                    de::Error::custom(format!(
                        "{why}; one table `notices` has `url`, `secret` and `timeout_s` alone, for more write a list `[[environments.NAME.notices]]`"
                    ))
                })?;
                Ok(Notices(vec![one.into()]))
            }
        }
        deserializer.deserialize_any(Targets)
    }
}

impl Notices {
    /// Whether all of it makes sense; `section` is the environment's.
    pub(super) fn validate(&self, section: &str) -> Result<(), Error> {
        for (at, target) in self.0.iter().enumerate() {
            let earlier = &self.0[..at];
            if earlier.iter().any(|other| other.name == target.name) {
                return invalid(
                    section,
                    "name",
                    &format!(
                        "two targets are called `{}`; call each something else",
                        target.name
                    ),
                );
            }
            target.validate(section)?;
        }
        Ok(())
    }
}

fn invalid<T>(section: &str, key: &str, message: &str) -> Result<T, Error> {
    Err(Error::Invalid {
        key: format!("{section}.notices.{key}"),
        message: message.to_owned(),
    })
}

impl NoticeTarget {
    fn validate(&self, section: &str) -> Result<(), Error> {
        let name = &self.name;
        let wrong = |key: &str, message: &str| {
            invalid(section, key, &format!("of the target `{name}`: {message}"))
        };
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        if name.is_empty() || name.len() > 40 || !name.chars().all(is_plain) {
            return wrong(
                "name",
                "write one word of letters, digits, `-` and `_`, e.g. `ops`",
            );
        }
        if !(1..=30).contains(&self.timeout_s) {
            return wrong("timeout_s", "write 1 to 30 seconds");
        }
        if !(1..=600).contains(&self.per_minute) {
            return wrong("per_minute", "write 1 to 600 messages a minute");
        }
        let of_zulip = [
            ("realm", self.realm.is_some()),
            ("email", self.email.is_some()),
            ("api_key", self.api_key.is_some()),
            ("stream", self.stream.is_some()),
        ];
        if self.kind == TargetKind::Zulip {
            if let Some((key, _)) = of_zulip.iter().find(|(_, is_there)| !is_there) {
                return wrong(
                    key,
                    "it is missing; Zulip takes `realm`, `email` and `api_key` of a bot, and `stream`",
                );
            }
            if self.url.is_some() || self.secret.is_some() || self.other_secret.is_some() {
                return wrong(
                    "url",
                    "Zulip is found by `realm`; leave `url` and secrets out",
                );
            }
            if self.topic.trim().is_empty() {
                return wrong("topic", "Zulip wants one; write e.g. `{environment}`");
            }
            return Ok(());
        }
        if let Some((key, _)) = of_zulip.iter().find(|(_, is_there)| *is_there) {
            return wrong(key, "that is for targets of kind `zulip`; leave it out");
        }
        let Some(url) = &self.url else {
            return wrong("url", "it is missing; write where notices go");
        };
        let scheme = url.url.scheme();
        if !matches!(scheme, "http" | "https") {
            let remedy = "is no scheme we speak; write http:// or https://";
            return wrong("url", &format!("`{scheme}:` {remedy}"));
        }
        if self.kind == TargetKind::Slack {
            if url.is_written_out {
                return wrong(
                    "url",
                    "whoever has Slack's URL can post with it; write `{ env = \"NAME\" }` or `{ file = \"PATH\" }`",
                );
            }
            if self.secret.is_some() || self.other_secret.is_some() {
                return wrong("secret", "Slack checks no signature; leave it out");
            }
        }
        if self.other_secret.is_some() && self.secret.is_none() {
            return wrong("secret", "it is missing; `other_secret` is a second one");
        }
        Ok(())
    }
}

fn topic() -> String {
    "{environment}".to_owned()
}
const fn info() -> Gravity {
    Gravity::Info
}
const fn ten_a_minute() -> usize {
    10
}
const fn ten() -> u64 {
    10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Section {
        notices: Notices,
    }

    fn read(text: &str) -> Result<Notices, String> {
        let section: Section = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let valid = section.notices.validate("environments.staging");
        valid.map_err(|error| error.to_string())?;
        Ok(section.notices)
    }

    fn refusal(text: &str) -> String {
        read(text).expect_err("it is wrong")
    }

    #[test]
    fn the_one_table_of_earlier_versions_is_one_webhook() {
        let read = read(
            "notices = { url = \"https://alerts.example/x?token=hush\", secret = { env = \"PATH\" }, timeout_s = 3 }",
        )
        .expect("it is valid");
        let [target] = read.0.as_slice() else {
            panic!("{read:?}");
        };
        assert_eq!((target.name.as_str(), target.timeout_s), ("webhook", 3));
        assert_eq!(target.kind, TargetKind::Webhook);
        assert!(target.wants(NoticeKind::Release, Gravity::Info));
    }

    #[test]
    fn what_the_one_table_does_not_have_is_refused_with_the_remedy() {
        let message = refusal("notices = { url = \"https://alerts.example\", stream = \"ops\" }");
        assert!(message.contains("stream"), "{message}");
        assert!(
            message.contains("[[environments.NAME.notices]]"),
            "{message}"
        );
    }

    #[test]
    fn a_list_says_who_is_told_what() {
        let read = read(
            r#"
            [[notices]]
            name = "ops"
            kind = "zulip"
            realm = "chat.example.com"
            email = "bot@chat.example.com"
            api_key = { env = "PATH" }
            stream = "switchyard"
            at_least = "warning"
            [[notices]]
            name = "on-call"
            kind = "slack"
            url = { file = "src/config/testdata.url" }
            kinds = ["soak", "breaker"]
            "#
            .replace("src/config/testdata.url", &url_file())
            .as_str(),
        )
        .expect("it is valid");
        let [ops, on_call] = read.0.as_slice() else {
            panic!("{read:?}");
        };
        assert!(ops.wants(NoticeKind::Flip, Gravity::Warning));
        assert!(!ops.wants(NoticeKind::Release, Gravity::Info));
        assert!(on_call.wants(NoticeKind::Soak, Gravity::Critical));
        assert!(!on_call.wants(NoticeKind::Override, Gravity::Critical));
    }

    /// A file that holds a URL, for as long as the test runs.
    fn url_file() -> String {
        let path = std::env::temp_dir().join(format!("slack-{}.url", std::process::id()));
        std::fs::write(&path, "https://hooks.example/services/hush\n").expect("it is written");
        path.display().to_string()
    }

    #[test]
    fn addresses_are_shown_as_their_host_alone() {
        let text = "notices = { url = \"https://u:hush@alerts.example/hush?t=hush#hush\" }";
        let notices = read(text).expect("it is valid");
        let shown = serde_json::to_string(&notices).expect("it is JSON");
        for printed in [format!("{notices:?}"), shown] {
            assert!(printed.contains("https://alerts.example/***"), "{printed}");
            assert!(!printed.contains("hush"), "{printed}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_target() {
        let webhook =
            "[[notices]]\nname = \"ops\"\nkind = \"webhook\"\nurl = \"https://a.example\"\n";
        let slack =
            "[[notices]]\nname = \"ops\"\nkind = \"slack\"\nurl = \"https://a.example/hush\"\n";
        for (text, key, says) in [
            (
                format!("{webhook}per_minute = 0"),
                "notices.per_minute",
                "`ops`",
            ),
            (
                format!("{webhook}timeout_s = 31"),
                "notices.timeout_s",
                "`ops`",
            ),
            (
                format!("{webhook}stream = \"x\""),
                "notices.stream",
                "zulip",
            ),
            (format!("{webhook}{webhook}"), "notices.name", "two targets"),
            (
                webhook.replace("\"ops\"", "\"o p\""),
                "notices.name",
                "one word",
            ),
            (webhook.replace("https", "ftp"), "notices.url", "http://"),
            (
                format!("{webhook}other_secret = {{ env = \"PATH\" }}"),
                "notices.secret",
                "second",
            ),
            (slack.to_owned(), "notices.url", "{ env = "),
            (
                "[[notices]]\nname = \"z\"\nkind = \"zulip\"".to_owned(),
                "notices.realm",
                "missing",
            ),
        ] {
            let message = refusal(&text);
            assert!(message.contains(key) && message.contains(says), "{message}");
            assert!(!message.contains("hush"), "{message}");
        }
        for (text, says) in [
            (webhook.replace("webhook", "pager"), "pager"),
            (format!("{webhook}kinds = [\"party\"]"), "party"),
            (format!("{webhook}at_least = \"loud\""), "loud"),
            (webhook.replace("https://a.example", "hush"), "no URL"),
        ] {
            let message = refusal(&text);
            assert!(message.contains(says), "{message}");
        }
    }
}
