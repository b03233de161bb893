//! How much shadow runs may use in a day.

use serde::{Deserialize, Serialize};

/// The most that the shadow runs of an environment may use in one day (UTC), all together. What is left
/// out has no bound. Over any of them no candidate runs beside for the rest of the day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Caps {
    /// Seconds of GPUs.
    pub max_gpu_seconds: Option<f64>,
    /// Tokens of language models, in and out.
    pub max_tokens: Option<f64>,
    /// US dollars, of what has a price.
    pub max_usd: Option<f64>,
}

impl Caps {
    /// Whether there is none.
    pub const fn is_none(&self) -> bool {
        self.max_gpu_seconds.is_none() && self.max_tokens.is_none() && self.max_usd.is_none()
    }
}
