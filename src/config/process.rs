//! What concerns the process, whatever environment it works for.

use std::{net::SocketAddr, time::Duration};

use serde::Deserialize;
use url::Url;

/// Our own database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: DatabaseUrl,
    /// The PostgreSQL schema our tables lie in; the user's default when left out. It is made where
    /// there is none. In Reflector's own database, a row and the ledger are written together.
    pub schema: Option<String>,
}

/// A database URL; its password is not printed.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Takes the URL as text.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The whole URL, password included; for the driver only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Url::parse(&self.0) {
            Ok(url) if url.password().is_some() => write!(
                f,
                "{}://{}:***@{}{}",
                url.scheme(),
                url.username(),
                url.host_str().unwrap_or_default(),
                url.path()
            ),
            _ => f.write_str(&self.0),
        }
    }
}

/// The HTTP server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address and port. Without sign-in only loopback is allowed.
    pub listen: SocketAddr,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8480)),
        }
    }
}

/// The embedded engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    /// Address and port.
    pub listen: SocketAddr,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8481)),
        }
    }
}

/// The workers of one process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    /// How the engine sees this process, and no other; the default is host name and process id. A
    /// process started again under the same id hands back at once what it was killed at.
    pub id: Option<String>,
    /// Tasks of one kind that run at once.
    pub concurrency: usize,
    /// Processors that audio tasks (`pad_track`, `mixdown_tracks`, `generate_waveform`) may keep busy,
    /// all together: a mix takes all of them, up to six, any other takes one.
    pub audio_concurrency: usize,
    /// Milliseconds one poll waits at the engine, 5000 at most.
    pub poll_ms: u64,
    /// Seconds that running tasks get to end when the process is told to stop.
    pub drain_s: u64,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            id: None,
            concurrency: 4,
            audio_concurrency: 2,
            poll_ms: 1000,
            drain_s: 30,
        }
    }
}

impl Worker {
    /// How long running tasks get to end.
    pub const fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_s)
    }
}
