//! Requests that are sent again under a key: done once, answered alike.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use super::Access;
use crate::{
    access::{By, Caller, RepeatKey},
    store::Begun,
};

/// How often requests are looked for that are known for long enough.
const SWEPT_EVERY: Duration = Duration::from_mins(10);

/// Whose keys somebody's are: a token's own, whoever's session it is.
pub fn owner_of(caller: &Caller) -> String {
    match &caller.by {
        By::Token(id) => format!("token {id}"),
        By::Session(_) | By::Loopback => format!("person {}", caller.shown()),
    }
}

impl Access {
    /// Notes that a request is under way under a key, or says what became of it.
    pub async fn begin_repeat(
        &self,
        key: &RepeatKey,
        owner: &str,
        request: &str,
    ) -> anyhow::Result<Begun> {
        let now = (self.clock)();
        self.store
            .begin_repeat((&key.hash(), owner), request, now)
            .await
    }

    /// Keeps the answer to it, locked by its key; none where it may not be kept.
    pub async fn answer_repeat(
        &self,
        key: &RepeatKey,
        answer: Option<&[u8]>,
    ) -> anyhow::Result<()> {
        let locked = answer.and_then(|answer| key.lock(once(), answer));
        let now = (self.clock)();
        self.store
            .answer_repeat(&key.hash(), locked.as_deref(), now)
            .await
    }

    /// Forgets a request that was not done.
    pub async fn forget_repeat(&self, key: &RepeatKey) -> anyhow::Result<()> {
        self.store.forget_repeat(&key.hash()).await
    }

    /// Forgets what is known of requests for long enough, again and again.
    pub async fn sweep_repeats(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(SWEPT_EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            match self.store.sweep_repeats((self.clock)()).await {
                Ok(0) => {}
                Ok(swept) => info!("forgot {swept} requests that were sent under keys a day ago"),
                Err(problem) => {
                    warn!("cannot forget requests of yesterday, trying again: {problem:#}");
                }
            }
        }
    }
}

/// Random bytes that are used once.
fn once() -> [u8; 12] {
    let random = Uuid::new_v4().into_bytes();
    let mut once = [0; 12];
    // Without those that say the version.
    once[..6].copy_from_slice(&random[..6]);
    once[6..].copy_from_slice(&random[10..]);
    once
}
