//! The settings: one `switchyard.toml`, read once and validated at once.
//!
//! Every value is described in `docs/switchyard.example.toml`; a test holds that file to these
//! types. Errors name the key, what is wrong with it and what to write.

mod access;
mod environment;
mod notices;
mod process;
mod secret;
mod shown;
mod telemetry;
mod validation;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::model::{EnvironmentName, FlagName};

pub use access::{Access, Oidc};
pub use environment::{
    Comparison, Conductor, Daily, Environment, Legacy, Llm, Objects, Reflector, Routing, Sharing,
    SharingMode, Tap, Transcription, Zulip,
};
pub use notices::{NoticeTarget, Notices, SecretUrl, TargetKind};
pub use process::{Database, DatabaseUrl, Engine, Server, Worker};
pub use secret::Secret;
pub use shown::{lines, of_environments};
pub use telemetry::{Telemetry, Traces};

/// The one migration this version knows.
pub const FLAG: &str = "daily_diarization_pipeline";

/// Everything in `switchyard.toml`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Our own database.
    pub database: Database,
    /// The HTTP server of `serve` and `up`.
    #[serde(default)]
    pub server: Server,
    /// Who may do what over HTTP. Without it nobody has to sign in, and nobody but this machine is
    /// answered.
    pub access: Option<Access>,
    /// The embedded engine; `engine` and `up` serve it.
    #[serde(default)]
    pub engine: Engine,
    /// The workers of `worker` and `up`.
    #[serde(default)]
    pub worker: Worker,
    /// Metrics and traces.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// The environments by name.
    pub environments: BTreeMap<String, Environment>,
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error(
        "cannot read the settings file `{path}`: {why}; copy docs/switchyard.example.toml there, or name another with --config"
    )]
    Unreadable {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// It is not what we expect; the message names line and key.
    #[error("the settings file `{path}` is wrong: {message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, key and remedy.
        message: String,
    },
    /// A value makes no sense.
    #[error("`{key}` in the settings is wrong: {message}")]
    Invalid {
        /// The key with its sections.
        key: String,
        /// What is wrong and what to write.
        message: String,
    },
    /// There are several environments, or none of that name.
    #[error("{0}")]
    Environment(String),
}

impl Config {
    /// Reads and validates a settings file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|why| Error::Unreadable {
            path: path.to_owned(),
            why,
        })?;
        Self::parse(&text).map_err(|error| match error {
            Error::Malformed { message, .. } => Error::Malformed {
                path: path.to_owned(),
                message,
            },
            other => other,
        })
    }

    /// Parses and validates settings given as text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let config: Self = toml::from_str(text).map_err(|error| Error::Malformed {
            path: PathBuf::from("switchyard.toml"),
            message: explain(text, &error),
        })?;
        config.validate()?;
        Ok(config)
    }

    /// The environment of that name, or the only one.
    pub fn environment(
        &self,
        name: Option<&str>,
    ) -> Result<(EnvironmentName, &Environment), Error> {
        let known = || {
            let names: Vec<_> = self.environments.keys().map(String::as_str).collect();
            names.join(", ")
        };
        match name {
            Some(name) => self
                .environments
                .get_key_value(name)
                .ok_or_else(|| {
                    Error::Environment(format!(
                        "the settings have no environment `{name}`; they have: {}",
                        known()
                    ))
                })
                .map(|(name, environment)| (EnvironmentName::new(name.as_str()), environment)),
            None => match self.environments.iter().next() {
                Some((name, environment)) if self.environments.len() == 1 => {
                    Ok((EnvironmentName::new(name.as_str()), environment))
                }
                _ => Err(Error::Environment(format!(
                    "the settings have several environments; name one with --environment: {}",
                    known()
                ))),
            },
        }
    }

    /// The address people open the console at: as settings for sign-in have it, or on this machine.
    pub fn console_url(&self) -> String {
        match &self.access {
            Some(access) => access.public_url.to_string(),
            None => format!("http://{}", self.server.listen),
        }
    }

    /// The one migration this version knows.
    pub fn flag() -> FlagName {
        FlagName::new(FLAG)
    }
}

/// Line, key and cause. Never the value: it may be a secret written where none belongs.
fn explain(text: &str, error: &toml::de::Error) -> String {
    let Some(span) = error.span() else {
        return error.message().to_owned();
    };
    let before = text.get(..span.start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let key = text
        .lines()
        .nth(line - 1)
        .and_then(|line| line.split('=').next())
        .unwrap_or_default()
        .trim();
    format!("line {line}, `{key}`: {}", error.message())
}

#[cfg(test)]
mod tests;
