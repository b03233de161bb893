//! How a task fails.

use crate::{
    audio,
    gateway::GatewayError,
    objects::{self, ErrorKind},
    providers,
};

/// Whether another attempt can help.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Another attempt may succeed: timeout, 429, 5xx. Reported as `FAILED`.
    #[error("{0:#}")]
    Retry(#[source] anyhow::Error),
    /// No attempt can: bad input, 401, a missing object. Reported as `FAILED_WITH_TERMINAL_ERROR`.
    #[error("{0:#}")]
    Terminal(#[source] anyhow::Error),
}

impl TaskError {
    /// The run was taken over: whatever it still wants to do is somebody else's now.
    pub fn fenced() -> Self {
        Self::Terminal(GatewayError::Fenced.into())
    }

    /// An error no attempt can mend.
    pub fn terminal(message: impl Into<String>) -> Self {
        Self::Terminal(anyhow::anyhow!(message.into()))
    }

    /// An error another attempt may mend.
    pub fn retry(message: impl Into<String>) -> Self {
        Self::Retry(anyhow::anyhow!(message.into()))
    }
}

impl TaskError {
    /// Says what was being done.
    #[must_use]
    pub fn context(self, doing: String) -> Self {
        match self {
            Self::Retry(error) => Self::Retry(error.context(doing)),
            Self::Terminal(error) => Self::Terminal(error.context(doing)),
        }
    }
}

impl From<providers::Error> for TaskError {
    fn from(error: providers::Error) -> Self {
        if error.retryable() {
            Self::Retry(error.into())
        } else {
            Self::Terminal(error.into())
        }
    }
}

impl From<GatewayError> for TaskError {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Fenced => Self::fenced(),
            GatewayError::Retry(error) => Self::Retry(error),
            GatewayError::Refused(error) => Self::Terminal(error),
        }
    }
}

impl From<objects::Error> for TaskError {
    fn from(error: objects::Error) -> Self {
        match error.kind {
            ErrorKind::Transient => Self::Retry(error.into()),
            ErrorKind::NotFound | ErrorKind::Denied | ErrorKind::Other => {
                Self::Terminal(error.into())
            }
        }
    }
}

impl From<audio::Error> for TaskError {
    fn from(error: audio::Error) -> Self {
        if error.is_permanent() {
            Self::Terminal(error.into())
        } else {
            Self::Retry(error.into())
        }
    }
}

/// Our database may be back at the next attempt.
impl From<anyhow::Error> for TaskError {
    fn from(error: anyhow::Error) -> Self {
        Self::Retry(error)
    }
}
