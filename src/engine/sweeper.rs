//! Visits runs when a deadline passes, and now and then without one.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Engine, Error, runs::VISIT_EVERY_MS};
use crate::store::engine as rows;

/// How long the sweeper sleeps at most: another clock than tokio's may have moved meanwhile.
const LONGEST_NAP_MS: i64 = 500;

/// How long it waits after its store failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Runs visited in one go.
const AT_ONCE: u32 = 100;

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
        let store = &self.inner.store;
        loop {
            let now = self.now();
            let due = rows::runs_to_visit(&store.pool, now, i64::from(AT_ONCE)).await?;
            for id in &due {
                if let Err(problem) = self.visit(id).await {
                    // It waits for somebody to mend it, and must not keep others waiting.
                    let problem = anyhow::Error::new(problem);
                    tracing::warn!(workflow.id = %id, "cannot decide run `{id}`: {problem:#}");
                    rows::visit_later(&store.pool, id, now + VISIT_EVERY_MS).await?;
                }
            }
            if due.len() < AT_ONCE as usize {
                break;
            }
        }
        let next = rows::next_visit(&store.pool).await?;
        let wait = next.map_or(LONGEST_NAP_MS, |next| next - self.now());
        Ok(Duration::from_millis(
            wait.clamp(1, LONGEST_NAP_MS).unsigned_abs(),
        ))
    }

    async fn visit(&self, id: &str) -> Result<(), Error> {
        match self.decide_now(id).await {
            // It was removed since.
            Err(Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => self.offer_lost_tasks(Some(id)).await,
        }
    }
}
