//! Tells people what happens to their migrations: delivers notices, each at least once.

use std::{pin::Pin, sync::Arc, time::Duration};

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::shadow::Clock;
use crate::store::{About, Notice, Store};

/// Sends a notice to where people are told. It may have been sent before.
pub type Deliver = Arc<dyn Fn(Notice) -> Delivered + Send + Sync>;

/// Whether it arrived.
pub type Delivered = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// Delivers the notices of one environment.
#[derive(Clone)]
pub struct Notices {
    /// What they are about.
    pub about: About,
    /// Our database.
    pub store: Store,
    /// Where they go beside the log, if anywhere.
    pub deliver: Option<Deliver>,
    /// How this process is told from others.
    pub holder: String,
    /// The time.
    pub clock: Clock,
}

/// How often there is looked for notices.
const EVERY: Duration = Duration::from_secs(1);

/// How long a process that fell silent is waited for; longer than one delivery takes.
pub const NOTICES_LEASE: TimeDelta = TimeDelta::seconds(60);

/// How long is waited after the first failure; after each more, twice as long.
const FIRST_AGAIN: TimeDelta = TimeDelta::seconds(2);

/// And never longer than this.
const LAST_AGAIN: TimeDelta = TimeDelta::minutes(10);

impl Notices {
    /// Delivers until told to stop.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.tick().await {
                warn!("cannot deliver notices, trying again: {error:#}");
            }
        }
        if let Err(error) = self.store.release_lease(&self.lease(), &self.holder).await {
            warn!("cannot leave the notices to others, they have to wait: {error:#}");
        }
    }

    /// Delivers what is to be told now, unless another process is at it; tells how many that were.
    pub async fn tick(&self) -> anyhow::Result<usize> {
        if !self.hold().await? {
            return Ok(0);
        }
        let store = &self.store;
        store
            .tell_expired_holds(&self.about, (self.clock)())
            .await?;
        let environment = &self.about.environment;
        let mut delivered = 0;
        for notice in store
            .notices_to_deliver(environment, (self.clock)())
            .await?
        {
            if !self.hold().await? {
                break;
            }
            if notice.attempts == 0 {
                info!(notice.id = %notice.id, notice.kind = %notice.kind, "notice: {}", notice.text);
            }
            let (id, attempts) = (notice.id.clone(), notice.attempts);
            let sent = match &self.deliver {
                Some(deliver) => deliver(notice).await,
                None => Ok(()),
            };
            let now = (self.clock)();
            match sent {
                Ok(()) => {
                    store.notice_delivered(&id, now).await?;
                    delivered += 1;
                }
                Err(error) => {
                    let again = again_in(attempts);
                    let seconds = again.num_seconds();
                    warn!(notice.id = %id, "cannot deliver a notice, trying again in {seconds} s: {error:#}");
                    store.notice_failed(&id, again, now).await?;
                }
            }
        }
        Ok(delivered)
    }

    async fn hold(&self) -> anyhow::Result<bool> {
        let now = (self.clock)();
        self.store
            .hold_lease(&self.lease(), &self.holder, NOTICES_LEASE, now)
            .await
    }

    fn lease(&self) -> String {
        format!("notices/{}", self.about.environment)
    }
}

/// How long is waited after so many failures and one more.
fn again_in(attempts: i64) -> TimeDelta {
    let doublings = u32::try_from(attempts.clamp(0, 16)).unwrap_or(16);
    let longer = FIRST_AGAIN.checked_mul(1 << doublings);
    longer.unwrap_or(LAST_AGAIN).min(LAST_AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_is_waited_after_twice_as_long_and_never_for_ever() {
        let seconds = |attempts| again_in(attempts).num_seconds();
        assert_eq!([0, 1, 2, 8].map(seconds), [2, 4, 8, 512]);
        assert_eq!([9, 63, i64::MAX].map(seconds), [600; 3]);
    }
}
