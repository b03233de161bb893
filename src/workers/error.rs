//! How a task fails.

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
    /// An error no attempt can mend.
    pub fn terminal(message: impl Into<String>) -> Self {
        Self::Terminal(anyhow::anyhow!(message.into()))
    }

    /// An error another attempt may mend.
    pub fn retry(message: impl Into<String>) -> Self {
        Self::Retry(anyhow::anyhow!(message.into()))
    }
}

/// Our database may be back at the next attempt.
impl From<anyhow::Error> for TaskError {
    fn from(error: anyhow::Error) -> Self {
        Self::Retry(error)
    }
}
