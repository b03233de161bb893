//! One connection to a Redis, opened when first needed and again after it broke.

use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, aio::MultiplexedConnection};
use tokio::sync::Mutex;

use super::{Limits, RedisLocation};

/// A connection that several callers share.
pub(in crate::legacy) struct Link {
    client: Client,
    limits: Limits,
    open: Mutex<Option<MultiplexedConnection>>,
}

impl Link {
    /// Does not connect yet.
    pub(in crate::legacy) fn new(location: &RedisLocation, limits: Limits) -> RedisResult<Self> {
        if location.expose().starts_with("rediss:") {
            // Whoever installed one before us chose the same.
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        Ok(Self {
            client: Client::open(location.expose())?,
            limits,
            open: Mutex::new(None),
        })
    }

    /// Runs commands. A failure of the connection is not hidden by another attempt: whether Redis
    /// did what it was asked is then unknown, and only the caller can tell what that means.
    pub(in crate::legacy) async fn run<T>(
        &self,
        commands: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> RedisResult<T> {
        let mut connection = self.connection().await?;
        let result = commands(&mut connection).await;
        if let Err(error) = &result
            && breaks(error)
        {
            *self.open.lock().await = None;
        }
        result
    }

    /// Runs one command that Redis may hold back for `wait`, on a connection of its own: on a
    /// shared one everybody would wait.
    pub(in crate::legacy) async fn run_alone<T>(
        &self,
        wait: Duration,
        command: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> RedisResult<T> {
        let mut connection = self.connect(wait + self.limits.answer).await?;
        command(&mut connection).await
    }

    /// A connection of its own for messages that Redis publishes.
    pub(in crate::legacy) async fn listener(&self) -> RedisResult<redis::aio::PubSub> {
        match tokio::time::timeout(self.limits.connect, self.client.get_async_pubsub()).await {
            Ok(connected) => connected,
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }

    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        let mut open = self.open.lock().await;
        if let Some(connection) = &*open {
            return Ok(connection.clone());
        }
        let connection = self.connect(self.limits.answer).await?;
        *open = Some(connection.clone());
        Ok(connection)
    }

    async fn connect(&self, answer: Duration) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.limits.connect))
            .set_response_timeout(Some(answer));
        self.client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }
}

/// Whether the connection is of no more use.
pub(in crate::legacy) fn breaks(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error()
}
