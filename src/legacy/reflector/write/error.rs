//! Why a row was not written, and whether trying again helps.

use crate::contract::webvtt::OutOfOrder;
use crate::model::TranscriptId;

/// Why nothing was written. Quotes neither rows nor values nor the URL: PostgreSQL's own messages
/// may, so only its SQLSTATE is kept.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The URL cannot be used.
    #[error(
        "reading the URL of Reflector's database: write `postgresql://user:password@host:port/database`"
    )]
    Url,
    /// The row is gone: somebody deleted the transcript.
    #[error("transcript `{0}` has no row in Reflector's database, so there is nothing to write to")]
    NoTranscript(TranscriptId),
    /// The row belongs to Reflector's users.
    #[error("transcript `{0}` is no mirror of ours and is left alone")]
    NotAMirror(TranscriptId),
    /// The value is not one the column takes.
    #[error("writing `transcript.{column}`: the value should be {expected}")]
    Value {
        /// The column.
        column: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The data of a `TOPIC` event is no topic.
    #[error(
        "storing a `TOPIC` event: its data should be a topic with id, title, summary, timestamp, \
             transcript and words"
    )]
    NotATopic,
    /// The words of all topics are not in order of time. The legacy run ends in `error` on this.
    #[error("storing a topic: {0}")]
    OutOfOrder(#[from] OutOfOrder),
    /// The row holds something Reflector does not write.
    #[error("a row of Reflector's `transcript`: `{column}` should be {expected}")]
    Row {
        /// The column.
        column: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// Somebody else was at the row, or PostgreSQL was too slow. Nothing was written.
    #[error("Reflector's database, {doing}: somebody else was in the way (SQLSTATE {code})")]
    Conflict {
        /// What we were at.
        doing: &'static str,
        /// PostgreSQL's code.
        code: String,
    },
    /// Not there, gone midway, or no answer in time. Whether a commit under way arrived is unknown;
    /// doing the same again is safe.
    #[error(
        "Reflector's database, {doing}: no connection or no answer; check the URL, and that \
         PostgreSQL is up and reachable"
    )]
    Unreachable {
        /// What we were at.
        doing: &'static str,
    },
    /// There, but unwilling: no rights, a table or column that is not there, captions too long for
    /// Reflector's search index (SQLSTATE 54000).
    #[error(
        "Reflector's database, {doing}: PostgreSQL refused (SQLSTATE {code}); check that the role \
         may select, insert, update and delete on `transcript` and update `recording`"
    )]
    Refused {
        /// What we were at.
        doing: &'static str,
        /// PostgreSQL's code; `none` where the driver itself gave up.
        code: String,
    },
}

/// Serialization failure, deadlock, lock timeout, statement timeout.
const CONFLICTS: [&str; 4] = ["40001", "40P01", "55P03", "57014"];

/// PostgreSQL is going down, coming up, or has no connection left; a session it ended for idling.
const AWAY: [&str; 5] = ["57P01", "57P02", "57P03", "53300", "25P03"];

impl WriteError {
    /// Whether the same write may succeed in a new transaction.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::Unreachable { .. })
    }

    pub(super) fn from_driver(doing: &'static str, source: &sqlx::Error) -> Self {
        match source {
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_) => Self::Unreachable { doing },
            sqlx::Error::Database(refusal) => Self::from_code(doing, refusal.code().as_deref()),
            _ => Self::from_code(doing, None),
        }
    }

    fn from_code(doing: &'static str, code: Option<&str>) -> Self {
        let code = code.unwrap_or("none").to_owned();
        if CONFLICTS.contains(&code.as_str()) {
            Self::Conflict { doing, code }
        } else if AWAY.contains(&code.as_str()) || code.starts_with("08") {
            Self::Unreachable { doing }
        } else {
            Self::Refused { doing, code }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trying_again_helps_against_conflicts_and_lost_connections_only() {
        for code in [
            "40001", "40P01", "55P03", "57014", "57P01", "08006", "53300",
        ] {
            assert!(
                WriteError::from_code("writing", Some(code)).is_transient(),
                "{code}"
            );
        }
        for code in [
            Some("42501"),
            Some("42703"),
            Some("54000"),
            Some("22021"),
            None,
        ] {
            assert!(
                !WriteError::from_code("writing", code).is_transient(),
                "{code:?}"
            );
        }
        for lost in [sqlx::Error::PoolTimedOut, sqlx::Error::WorkerCrashed] {
            assert!(WriteError::from_driver("writing", &lost).is_transient());
        }
    }
}
