//! Listens to the messages the legacy pipeline publishes for browsers.
//!
//! Pub/sub keeps nothing: what is published while nobody listens is gone. So a [`Watcher`] says of
//! each run whether it heard all of it, and when in doubt says no.

mod book;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::StreamExt;
use redis::{Client, RedisResult};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use book::{Book, Look};
pub use book::{Heard, TooMany};

use crate::legacy::celery::RedisLocation;
use crate::model::TranscriptId;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchLimits {
    /// Transcripts watched at once.
    pub transcripts: usize,
    /// Bytes kept of one run. Of a run that says more, nothing is kept.
    pub bytes_each: usize,
    /// Bytes kept of all runs together.
    pub bytes_all: usize,
    /// How long after the end messages are still taken: the `user:` channel is told after the
    /// other, and a task that failed has others beside it that go on for a while.
    pub grace: Duration,
    /// How long a run is watched. A worker that is killed never publishes an end.
    pub patience: Duration,
    /// How long Redis may take to accept a connection, and to answer.
    pub answer: Duration,
    /// How often Redis is asked whether it is still there; silence alone tells nothing.
    pub ping: Duration,
}

impl Default for WatchLimits {
    fn default() -> Self {
        Self {
            transcripts: 256,
            bytes_each: 16 << 20,
            bytes_all: 128 << 20,
            grace: Duration::from_secs(2),
            patience: Duration::from_hours(12),
            answer: Duration::from_secs(5),
            ping: Duration::from_secs(10),
        }
    }
}

/// The driver cannot use the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the URL of Reflector's Redis cannot be used; write `redis://host:port`")]
pub struct WatchError;

/// Listens until the last clone is dropped; across lost connections, which it says.
#[derive(Clone)]
pub struct Watcher {
    shared: Arc<Shared>,
    _listening: Arc<DropGuard>,
}

struct Shared {
    limits: WatchLimits,
    book: Mutex<Book>,
    /// Something was heard.
    heard: Notify,
    subscribed: watch::Sender<bool>,
}

/// What Reflector publishes on: a transcript's own channel, and its owner's.
const PATTERNS: [&str; 2] = ["ts:*", "user:*"];

/// Waits between attempts to connect: the first, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

impl Watcher {
    /// Begins to listen on the Redis of Reflector's `REDIS_HOST`; the database's number does not
    /// matter. Does not wait for it; has to be called inside a Tokio runtime.
    pub fn start(location: &RedisLocation, limits: WatchLimits) -> Result<Self, WatchError> {
        let url = location.expose();
        if url.starts_with("rediss:") {
            // Whoever installed one before us chose the same.
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        let client = Client::open(url).map_err(|_| WatchError)?;
        let shared = Arc::new(Shared {
            limits,
            book: Mutex::new(Book::new(limits)),
            heard: Notify::new(),
            subscribed: watch::Sender::new(false),
        });
        let shutdown = CancellationToken::new();
        let listener = Arc::clone(&shared);
        let stop = shutdown.clone();
        tokio::spawn(async move { stop.run_until_cancelled(listener.run(&client)).await });
        Ok(Self {
            shared,
            _listening: Arc::new(shutdown.drop_guard()),
        })
    }

    /// Keeps what is published of that transcript from now on. To be called before its run can
    /// begin. Once a run is over, the next call forgets it and waits for another.
    pub fn watch(&self, id: &TranscriptId) -> Result<(), TooMany> {
        self.shared.book().watch(id, Instant::now())
    }

    /// Waits until the run is over, or was watched for too long, and takes what was heard. None
    /// where the transcript is not watched.
    pub async fn over(&self, id: &TranscriptId) -> Option<Heard> {
        loop {
            // Before looking, so that nothing heard in between is slept through.
            let heard = self.shared.heard.notified();
            tokio::pin!(heard);
            heard.as_mut().enable();
            let look = self.shared.book().look(id, Instant::now());
            match look {
                Look::NotWatched => return None,
                Look::Over => return self.take(id),
                Look::Until(at) => tokio::select! {
                    () = heard => {}
                    () = tokio::time::sleep_until(at) => {}
                },
            }
        }
    }

    /// Whether the run is over, and what was published of it is there to be taken.
    pub fn is_over(&self, id: &TranscriptId) -> bool {
        matches!(self.shared.book().look(id, Instant::now()), Look::Over)
    }

    /// Takes what was heard so far and watches no more. None where the transcript is not watched.
    pub fn take(&self, id: &TranscriptId) -> Option<Heard> {
        let taken = self.shared.book().take(id);
        self.shared.heard.notify_waiters();
        taken
    }

    /// Whether Redis is being listened to at this moment.
    pub fn is_subscribed(&self) -> bool {
        *self.shared.subscribed.borrow()
    }

    /// Waits until Redis is being listened to.
    pub async fn subscribed(&self) {
        let mut subscribed = self.shared.subscribed.subscribe();
        // The sender lives as long as we do.
        drop(subscribed.wait_for(|subscribed| *subscribed).await);
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("subscribed", &self.is_subscribed())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing that holds the lock leaves the book half written.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self, client: &Client) {
        let mut wait = BACKOFF.0;
        let mut said = false;
        loop {
            let result = self.listen(client).await;
            let was_subscribed = self.subscribed.send_replace(false);
            if was_subscribed {
                self.book().gap(Instant::now());
                wait = BACKOFF.0;
            }
            // Once per outage.
            if was_subscribed || !said {
                said = true;
                let reason = match &result {
                    Ok(()) => "it closed the connection",
                    Err(error) => error.category(),
                };
                tracing::warn!(
                    reason,
                    "not listening to Reflector's Redis; of runs under way, messages may be missed"
                );
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(BACKOFF.1);
        }
    }

    /// Listens on one connection until that breaks.
    async fn listen(&self, client: &Client) -> RedisResult<()> {
        let connecting = client.get_async_pubsub();
        let (mut sink, mut messages) = self.soon(connecting).await?.split();
        self.soon(sink.psubscribe(&PATTERNS)).await?;
        self.subscribed.send_replace(true);
        tracing::info!("listening to Reflector's Redis");

        let every = self.limits.ping;
        let mut ping = tokio::time::interval_at(Instant::now() + every, every);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = messages.next() => {
                    let Some(message) = message else {
                        return Ok(());
                    };
                    let channel = message.get_channel_name();
                    let payload = message.get_payload_bytes();
                    self.book().hear(channel, payload, Instant::now());
                    self.heard.notify_waiters();
                }
                _ = ping.tick() => drop(self.soon(sink.ping::<redis::Value>()).await?),
            }
        }
    }

    async fn soon<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        match tokio::time::timeout(self.limits.answer, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }
}
