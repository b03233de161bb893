//! What the engine refuses, and why. `api` gives each its status.

use crate::conductor::wire::ValidationError;

use super::decide::Undecidable;

/// Why a call did nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 404.
    #[error("{0}")]
    NotFound(String),
    /// 409.
    #[error("{0}")]
    Conflict(String),
    /// 400.
    #[error("{0}")]
    BadRequest(String),
    /// 400, with the rules that were broken.
    #[error("Validation failed, check below errors for detail.")]
    Invalid(Vec<ValidationError>),
    /// 500: Conductor's answer to a body it cannot parse and to calls out of season.
    #[error("{0}")]
    Unexpected(String),
    /// 500: our own storage failed.
    #[error("the engine's store failed")]
    Store(#[from] sqlx::Error),
    /// 500: a stored document cannot be read.
    #[error("a document in the engine's store cannot be read")]
    Document(#[from] serde_json::Error),
}

impl From<Undecidable> for Error {
    fn from(problem: Undecidable) -> Self {
        Self::BadRequest(problem.0)
    }
}

impl Error {
    pub(super) fn no_run(id: &str) -> Self {
        Self::NotFound(format!("No such workflow found by id: {id}"))
    }
}
