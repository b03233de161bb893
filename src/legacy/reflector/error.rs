//! What can go wrong between us and Reflector's database.

use crate::legacy::field::{FieldError, NotJson};
use crate::model::TranscriptId;

/// Why Reflector's database told us nothing. Quotes neither rows nor the URL.
#[derive(Debug, thiserror::Error)]
pub enum ReflectorError {
    /// The URL cannot be used.
    #[error(
        "reading the URL of Reflector's database: write `postgresql://user:password@host:port/database`"
    )]
    Url,
    /// Not there, or gone midway; another attempt may succeed.
    #[error(
        "Reflector's database, {doing}: no connection; check the URL, and that PostgreSQL is up and reachable"
    )]
    Unreachable {
        /// What we were at.
        doing: &'static str,
        /// As the driver tells it.
        #[source]
        source: sqlx::Error,
    },
    /// No answer in time; another attempt may succeed.
    #[error("Reflector's database, {doing}: no answer in time")]
    Slow {
        /// What we were at.
        doing: &'static str,
    },
    /// There, but unwilling: wrong password, no rights, a table or column that is not there.
    #[error("Reflector's database, {doing}: PostgreSQL refused; `switchyard check` tells more")]
    Refused {
        /// What we were at.
        doing: &'static str,
        /// As the driver tells it.
        #[source]
        source: sqlx::Error,
    },
    /// A row holds something Reflector does not write.
    #[error("a row of Reflector's `{}`: `{}` should be {}", .0.document, .0.field, .0.expected)]
    Row(FieldError),
    /// A row holds JSON we cannot read.
    #[error("a row of Reflector's `{}` is JSON we cannot read (column {})", .0.document, .0.column)]
    NotJson(NotJson),
    /// The transcript is no recording of a meeting, or its recording is gone.
    #[error("transcript `{0}` has no recording, so there is nothing to run on")]
    NoRecording(TranscriptId),
}

impl ReflectorError {
    pub(super) fn from_driver(doing: &'static str, source: sqlx::Error) -> Self {
        // How PostgreSQL ends a statement that took too long, or waited too long for a lock.
        let is_too_late = |code: &str| ["57014", "55P03"].contains(&code);
        match &source {
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_) => Self::Unreachable { doing, source },
            sqlx::Error::Database(refusal)
                if refusal.code().as_deref().is_some_and(is_too_late) =>
            {
                Self::Slow { doing }
            }
            _ => Self::Refused { doing, source },
        }
    }
}

impl From<FieldError> for ReflectorError {
    fn from(error: FieldError) -> Self {
        Self::Row(error)
    }
}

impl From<NotJson> for ReflectorError {
    fn from(error: NotJson) -> Self {
        Self::NotJson(error)
    }
}
