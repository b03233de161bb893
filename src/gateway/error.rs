//! How an effect fails.

use crate::providers;

/// Why an effect was not done.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The run no longer owns its recording.
    #[error("the recording was taken over; this run no longer serves its users")]
    Fenced,
    /// Another attempt may succeed.
    #[error("{0:#}")]
    Retry(#[source] anyhow::Error),
    /// No attempt can.
    #[error("{0:#}")]
    Refused(#[source] anyhow::Error),
}

impl GatewayError {
    /// An error another attempt may mend.
    pub fn retry(message: impl Into<String>) -> Self {
        Self::Retry(anyhow::anyhow!(message.into()))
    }

    /// An error no attempt can mend.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::Refused(anyhow::anyhow!(message.into()))
    }

    /// Whether trying again cannot help.
    pub const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Whether the run lost its recording.
    pub const fn is_fenced(&self) -> bool {
        matches!(self, Self::Fenced)
    }
}

/// What a service's failure means for the attempt.
pub(super) fn of_provider(error: providers::Error) -> GatewayError {
    if error.retryable() {
        GatewayError::Retry(error.into())
    } else {
        GatewayError::Refused(error.into())
    }
}

/// Our database may be back at the next attempt.
impl From<anyhow::Error> for GatewayError {
    fn from(error: anyhow::Error) -> Self {
        Self::Retry(error)
    }
}
