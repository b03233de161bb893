//! Visits runs when a deadline passes, and now and then without one.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Engine, Error};
use crate::store::engine as rows;

/// How long the sweeper sleeps at most: another clock than tokio's may have moved meanwhile.
const LONGEST_NAP_MS: i64 = 500;

/// How long it waits after its store failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Runs visited in one go.
const AT_ONCE: i64 = 100;

impl Engine {
    /// Sweeps until told to stop. Without it the API works, but deadlines pass unnoticed.
    pub async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let changed = self.inner.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();

            let nap = match self.sweep().await {
                Ok(nap) => nap,
                Err(error) => {
                    tracing::error!("sweeping runs failed: {:#}", anyhow::Error::new(error));
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(nap) => {}
                // Not at once: a burst of updates needs one sweep, not one each.
                () = async { changed.await; tokio::time::sleep(nap.min(Duration::from_millis(20))).await } => {}
            }
        }
    }

    /// Visits every run whose time has come, and tells how long until the next.
    pub async fn sweep(&self) -> Result<Duration, Error> {
        loop {
            let now = self.now();
            let due = rows::runs_to_visit(&self.inner.store.pool, now, AT_ONCE).await?;
            if due.is_empty() {
                break;
            }
            for id in due {
                self.visit(&id).await?;
            }
        }
        let next = rows::next_visit(&self.inner.store.pool).await?;
        let wait = next.map_or(LONGEST_NAP_MS, |next| next - self.now());
        Ok(Duration::from_millis(
            wait.clamp(1, LONGEST_NAP_MS).unsigned_abs(),
        ))
    }

    async fn visit(&self, id: &str) -> Result<(), Error> {
        match self.decide_now(id).await {
            // It was removed since, or waits for somebody to mend it.
            Ok(()) | Err(Error::NotFound(_) | Error::BadRequest(_)) => {}
            Err(error) => return Err(error),
        }
        self.offer_lost_tasks(Some(id)).await
    }
}
