//! Secrets: read from the environment or a file, never from the settings file, never printed.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

/// A secret value. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret that was made in this process.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself; for the one call that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where a secret is: `{ env = "NAME" }` or `{ file = "PATH" }`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Place {
    Env { env: String },
    File { file: PathBuf },
    Other(serde::de::IgnoredAny),
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let value = match Place::deserialize(deserializer)? {
            Place::Env { env } => std::env::var(&env).map_err(|_| {
                D::Error::custom(format!("the environment variable `{env}` is not set"))
            })?,
            Place::File { file } => std::fs::read_to_string(&file)
                .map_err(|error| {
                    D::Error::custom(format!("cannot read `{}`: {error}", file.display()))
                })?
                .trim_end_matches(['\n', '\r'])
                .to_owned(),
            Place::Other(_) => {
                return Err(D::Error::custom(
                    "a secret is never written here; write `{ env = \"NAME\" }` or `{ file = \"PATH\" }`",
                ));
            }
        };
        if value.is_empty() {
            return Err(D::Error::custom("the secret is empty"));
        }
        Ok(Self(value))
    }
}
