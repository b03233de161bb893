//! What can go wrong between us and the broker.

use redis::RedisError;

use crate::legacy::celery::{EnvelopeError, Queue, link::breaks};

/// Why the broker could not be used.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Not there, not answering in time, or gone midway. What was asked for may have been done.
    #[error(
        "Celery's broker, {doing}: no connection; check the URL, and that Redis is up and reachable"
    )]
    Unreachable {
        /// What we were at.
        doing: &'static str,
        /// As the driver tells it.
        #[source]
        source: RedisError,
    },
    /// There, but unwilling: wrong password, memory full, a key of another type. Nothing was done.
    #[error("Celery's broker, {doing}: Redis refused")]
    Refused {
        /// What we were at.
        doing: &'static str,
        /// As the driver tells it.
        #[source]
        source: RedisError,
    },
    /// The message would end the worker that takes it.
    #[error("publishing a task")]
    Envelope(#[from] EnvelopeError),
    /// The message names another queue than the one it was to be pushed on.
    #[error(
        "publishing a task on queue `{0}`: its routing key names another; use `Envelope::for_queue`"
    )]
    OtherQueue(Queue),
}

impl BrokerError {
    pub(super) fn from_redis(doing: &'static str, source: RedisError) -> Self {
        if breaks(&source) {
            Self::Unreachable { doing, source }
        } else {
            Self::Refused { doing, source }
        }
    }
}
