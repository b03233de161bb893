//! What others are told of how Switchyard is: metrics and traces.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Error, Secret};

/// Metrics and traces of every process of this installation.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// What whoever reads `/metrics` has to send as `Authorization: Bearer …`. Without it, only
    /// requests to a loopback name are answered.
    pub metrics_token: Option<Secret>,
    /// Where traces go.
    pub traces: Option<Traces>,
}

/// An OpenTelemetry collector, or whoever speaks as one.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// The whole address for traces over OTLP/HTTP, e.g. `http://127.0.0.1:4318/v1/traces`.
    pub url: Url,
    /// Headers of every request, by name; their values are secrets.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// The percentage of recordings that are told of.
    #[serde(default = "all")]
    pub sample_percent: f64,
    /// Seconds one request may take.
    #[serde(default = "timeout")]
    pub timeout_s: u64,
}

const fn all() -> f64 {
    100.0
}

const fn timeout() -> u64 {
    10
}

impl Telemetry {
    pub(super) fn validate(&self) -> Result<(), Error> {
        let invalid = |key: &str, message: &str| {
            Err(Error::Invalid {
                key: format!("telemetry.{key}"),
                message: message.to_owned(),
            })
        };
        let Some(traces) = &self.traces else {
            return Ok(());
        };
        if !matches!(traces.url.scheme(), "http" | "https") {
            return invalid("traces.url", "write http:// or https://");
        }
        if !(0.0..=100.0).contains(&traces.sample_percent) {
            return invalid("traces.sample_percent", "write a number from 0 to 100");
        }
        if !(1..=60).contains(&traces.timeout_s) {
            return invalid("traces.timeout_s", "write 1 to 60 seconds");
        }
        let is_of_a_header = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        for name in traces.headers.keys() {
            if name.is_empty() || !name.chars().all(is_of_a_header) {
                return invalid(
                    "traces.headers",
                    "a header's name is letters, digits and `-`",
                );
            }
        }
        Ok(())
    }
}
