//! Tells browsers what a run has done, on the channels the legacy pipeline uses.
//!
//! Pub/sub keeps nothing, so it cannot tell whether a message went out. Two keys of ours beside
//! the channels can: who owns a recording, and which messages were published. One script looks at
//! both and publishes, so that no crash and no takeover falls between.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use redis::{RedisError, Script};

use crate::legacy::celery::{
    Limits, RedisLocation,
    link::{Link, breaks},
};
use crate::model::{Published, RecordingId};
use crate::rollout::Live;

static PUBLISH: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("publish/publish.lua")));
static RAISE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("publish/raise.lua")));

/// For how long an earlier owner is refused; no run lasts as long.
const EPOCH_KEPT: Duration = Duration::from_hours(7 * 24);

/// For how long a message is not published again.
const REMEMBERED: Duration = Duration::from_hours(24);

/// Publishes on Reflector's Redis. Clones share one connection.
#[derive(Clone)]
pub struct Publisher {
    link: Arc<Link>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Whoever listens has it.
    Published,
    /// It was published before, and not again.
    AlreadyTold,
    /// Somebody else owns the recording since; nothing was published.
    Fenced,
}

/// Why Reflector's Redis could not be used. Quotes neither messages nor the URL.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Not there, not answering in time, or gone midway. What was asked for may have been done; it
    /// is safe to ask again.
    #[error(
        "Reflector's Redis, {doing}: no connection; check the URL, and that Redis is up and reachable"
    )]
    Unreachable {
        /// What we were at.
        doing: &'static str,
        /// As the driver tells it.
        #[source]
        source: RedisError,
    },
    /// There, but unwilling: wrong password, no rights, memory full. Nothing was published.
    #[error("Reflector's Redis, {doing}: Redis refused")]
    Refused {
        /// What we were at.
        doing: &'static str,
        /// As the driver tells it.
        #[source]
        source: RedisError,
    },
}

impl PublishError {
    fn from_redis(doing: &'static str, source: RedisError) -> Self {
        if breaks(&source) {
            Self::Unreachable { doing, source }
        } else {
            Self::Refused { doing, source }
        }
    }
}

impl Publisher {
    /// The Redis of Reflector's `REDIS_HOST`. Channels do not know databases, our keys lie in the
    /// one the URL names. Does not connect yet.
    pub fn new(location: &RedisLocation, limits: Limits) -> Result<Self, PublishError> {
        let link = Link::new(location, limits)
            .map_err(|source| PublishError::from_redis("reading its URL", source))?;
        Ok(Self {
            link: Arc::new(link),
        })
    }

    /// Publishes the message unless one of that key was published in the last day, or a later epoch
    /// owns the recording. `key` names the message among all of all runs, the same whenever it is
    /// tried again. Messages of one recording keep their order if each is awaited.
    pub async fn publish(
        &self,
        live: &Live,
        recording: &RecordingId,
        key: &str,
        message: &Published,
    ) -> Result<Told, PublishError> {
        let mut call = PUBLISH.prepare_invoke();
        call.key(epoch_key(recording))
            .key(format!("switchyard:published:{key}"))
            .arg(live.epoch())
            .arg(EPOCH_KEPT.as_secs())
            .arg(REMEMBERED.as_secs())
            .arg(&message.channel)
            .arg(&message.payload);
        let told: i64 = self
            .link
            .run(async |connection| call.invoke_async(connection).await)
            .await
            .map_err(|source| PublishError::from_redis("publishing an event", source))?;
        Ok(match told {
            0 => Told::AlreadyTold,
            1.. => Told::Published,
            _ => Told::Fenced,
        })
    }

    /// Whether Redis answers.
    pub async fn ping(&self) -> Result<(), PublishError> {
        self.link
            .run(async |connection| redis::cmd("PING").exec_async(connection).await)
            .await
            .map_err(|source| PublishError::from_redis("asking whether it is there", source))
    }

    /// Lets nobody of an earlier epoch publish for the recording any more; to be called by a
    /// takeover. False when a later epoch owns it already, and nothing has changed.
    pub async fn raise(&self, recording: &RecordingId, epoch: i64) -> Result<bool, PublishError> {
        let mut call = RAISE.prepare_invoke();
        call.key(epoch_key(recording))
            .arg(epoch)
            .arg(EPOCH_KEPT.as_secs());
        self.link
            .run(async |connection| call.invoke_async(connection).await)
            .await
            .map_err(|source| PublishError::from_redis("fencing an earlier owner", source))
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Publisher")
    }
}

fn epoch_key(recording: &RecordingId) -> String {
    format!("switchyard:epoch:{recording}")
}
