//! Where a Redis is, as Celery's settings say it.

use std::{fmt, time::Duration};

use serde::Deserialize;
use url::Url;

/// `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS with a verified
/// certificate. The password is not printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RedisLocation(Url);

/// How long Redis may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To accept a connection.
    pub connect: Duration,
    /// To answer a command.
    pub answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            answer: Duration::from_secs(5),
        }
    }
}

/// A text that names no Redis we can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reading the URL of Celery's Redis: it {problem}; {remedy}")]
pub struct LocationError {
    problem: &'static str,
    remedy: &'static str,
}

const FORM: &str = "write `redis://host:port/database`";

impl RedisLocation {
    /// Takes the URL as `CELERY_BROKER_URL` and `CELERY_RESULT_BACKEND` have it.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        let wrong = |problem, remedy| Err(LocationError { problem, remedy });
        let Ok(mut url) = Url::parse(text) else {
            return wrong("is no URL", FORM);
        };
        match url.scheme() {
            "redis" | "rediss" => {}
            "sentinel" => {
                return wrong(
                    "asks for Sentinel, which is not supported",
                    "give the address of the primary, or a name that follows it",
                );
            }
            _ => return wrong("begins with neither `redis://` nor `rediss://`", FORM),
        }
        if text.contains(';') {
            return wrong("names several servers", "name one");
        }
        if url.host_str().is_none_or(str::is_empty) {
            return wrong("names no host", FORM);
        }
        let database = url.path().trim_matches('/');
        if !database.is_empty() && database.parse::<u16>().is_err() {
            return wrong("has a path that is no database's number", FORM);
        }
        // Celery asks for this one on `rediss://`. We always verify.
        let accepted = |(name, value): (&str, &str)| {
            name == "ssl_cert_reqs" && matches!(value, "required" | "CERT_REQUIRED")
        };
        if !url
            .query_pairs()
            .all(|(name, value)| accepted((&name, &value)))
        {
            return wrong(
                "has options that are not supported",
                "leave out everything after `?`; certificates are always verified",
            );
        }
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// The database's number.
    pub(super) fn database(&self) -> u16 {
        // That it is one was looked at when the URL was taken.
        self.0.path().trim_matches('/').parse().unwrap_or_default()
    }

    /// With the password; for the driver only.
    pub(in crate::legacy) fn expose(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<String> for RedisLocation {
    type Error = LocationError;

    fn try_from(text: String) -> Result<Self, LocationError> {
        Self::parse(&text)
    }
}

impl fmt::Display for RedisLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.0;
        write!(f, "{}://", url.scheme())?;
        if url.password().is_some() || !url.username().is_empty() {
            f.write_str("***@")?;
        }
        f.write_str(url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(url.path())
    }
}

impl fmt::Debug for RedisLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_celery_accepts_for_one_server_is_accepted() {
        for url in [
            "redis://localhost:6379/1",
            "redis://localhost",
            "redis://:secret@10.0.0.1:6379/0",
            "rediss://user:secret@redis.example:6380/1?ssl_cert_reqs=required",
        ] {
            assert!(RedisLocation::parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_we_could_not_honour_is_refused() {
        for url in [
            "localhost:6379",
            "amqp://localhost//",
            "sentinel://localhost:26379",
            "redis://a:1;redis://b:2",
            "redis://localhost/celery",
            "rediss://localhost?ssl_cert_reqs=none",
            "redis://localhost?virtual_host=3",
            "redis:///1",
        ] {
            assert!(RedisLocation::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let location = RedisLocation::parse("redis://u:hush@localhost:6379/1").unwrap();
        assert_eq!(location.to_string(), "redis://***@localhost:6379/1");
        assert_eq!(format!("{location:?}"), "redis://***@localhost:6379/1");
        let refused = RedisLocation::parse("http://u:hush@localhost").unwrap_err();
        assert!(!refused.to_string().contains("hush"));
    }
}
