//! The controller drives replays that were begun or taken up over HTTP: nobody's command stays with
//! those.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Replays, Ticked};

/// How often each is looked at.
const EVERY: Duration = Duration::from_secs(1);

impl Replays {
    /// Drives them until told to stop; then others may go on at once.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut was_well = true;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => {}
            }
            let driven = self.drive().await;
            if let Err(error) = &driven
                && was_well
            {
                warn!("cannot drive replays, trying again: {error:#}");
            }
            was_well = driven.is_ok();
        }
        if let Err(error) = self.leave_all().await {
            info!("replays are left to others in some seconds: {error:#}");
        }
    }

    /// Does what is next of each; tells of how many something is left to do.
    pub async fn drive(&self) -> anyhow::Result<usize> {
        let store = &self.shadow.store;
        let mut left = 0;
        for id in store.replays_to_drive(&self.about.environment).await? {
            match self.tick(&id).await? {
                Ticked::Going | Ticked::Elsewhere => left += 1,
                Ticked::Over => self.leave(&id).await?,
            }
        }
        Ok(left)
    }

    async fn leave_all(&self) -> anyhow::Result<()> {
        let store = &self.shadow.store;
        for id in store.replays_to_drive(&self.about.environment).await? {
            self.leave(&id).await?;
        }
        Ok(())
    }
}
