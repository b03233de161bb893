//! Tests the comparison with known defects, by itself whenever the versions changed or enough new
//! controls came; and makes items of new comparisons beside.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{control::judged_by, reviews::Reviews, shadow::Clock};
use crate::{
    compare::Policy,
    selftest::Tested,
    store::{About, SelfTest, Store},
};

/// How many controls a test uses, the newest.
pub const CONTROLS: i64 = 20;

/// So many new controls, and the test is made again.
const NEW_CONTROLS: i64 = 10;

/// No further control is begun after so long.
const AT_MOST: TimeDelta = TimeDelta::seconds(120);

/// How long a process that fell silent while it tested is waited for.
const LEASE: TimeDelta = TimeDelta::seconds(300);

/// How often there is looked for something to do.
const EVERY: Duration = Duration::from_secs(15);

/// Tests the comparison of one environment.
#[derive(Clone)]
pub struct SelfTests {
    /// What it is about.
    pub about: About,
    /// Our database.
    pub store: Store,
    /// How strictly is compared.
    pub policy: Arc<Policy>,
    /// Where new comparisons become items.
    pub reviews: Reviews,
    /// How this process is told from others.
    pub holder: String,
    /// The time.
    pub clock: Clock,
}

impl SelfTests {
    /// Tests and makes items until told to stop. What fails is told and tried again.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => {}
            }
            let ticking = async {
                if let Err(error) = self.reviews.refresh().await {
                    warn!("cannot make items to review, trying again: {error:#}");
                }
                if let Err(error) = self.tick().await {
                    warn!("cannot test the comparison, trying again: {error:#}");
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = ticking => {}
            }
        }
        if let Err(error) = self.store.release_lease(&self.lease(), &self.holder).await {
            warn!(
                "cannot leave the tests of the comparison to others, they have to wait: {error:#}"
            );
        }
    }

    /// Tests the comparison if that is due and no other process is at it.
    pub async fn tick(&self) -> anyhow::Result<Option<Tested>> {
        if !self.is_due().await? {
            return Ok(None);
        }
        let now = (self.clock)();
        let (lease, holder) = (self.lease(), &self.holder);
        if !self.store.hold_lease(&lease, holder, LEASE, now).await? {
            return Ok(None);
        }
        // Somebody else may have done it just now.
        let tested = if self.is_due().await? {
            self.test(CONTROLS).await
        } else {
            Ok(None)
        };
        self.store.release_lease(&lease, holder).await?;
        tested
    }

    /// Whether a test is due: there is something to test with, and no test of these versions, or one
    /// with much fewer controls than there are.
    async fn is_due(&self) -> anyhow::Result<bool> {
        let newest = self.store.newest_selftest(&self.about).await?;
        let since = newest.as_ref().map_or(DateTime::UNIX_EPOCH, |test| test.at);
        let new = self.store.controls_since(&self.about, since).await?;
        let any = self.store.newest_controls(&self.about, 1).await?;
        Ok(!any.is_empty() && is_due(newest.as_ref(), &self.about.epoch, new))
    }

    /// Tests the comparison with the newest controls, and keeps the result; none where there are no
    /// controls. No control is begun after two minutes.
    pub async fn test(&self, controls: i64) -> anyhow::Result<Option<Tested>> {
        let begun = (self.clock)();
        let mut tested = Tested::default();
        for id in self.store.newest_controls(&self.about, controls).await? {
            if (self.clock)() - begun > AT_MOST {
                break;
            }
            let Some(control) = self.store.control(&id).await? else {
                continue;
            };
            let policy = judged_by(&self.policy, &control.source);
            // Twenty comparisons of a long meeting take seconds.
            tested = tokio::task::spawn_blocking(move || {
                tested.add(&control.outcome, &policy);
                tested
            })
            .await
            .context("testing the comparison")?;
        }
        if tested.controls == 0 {
            return Ok(None);
        }
        let now: DateTime<Utc> = (self.clock)();
        self.store.keep_selftest(&self.about, &tested, now).await?;
        for score in tested.failing() {
            warn!(
                "the comparison caught `{}` in {} of {} controls, which voids the gate",
                score.defect, score.caught, score.of
            );
        }
        info!("tested the comparison with {} controls", tested.controls);
        Ok(Some(tested))
    }

    /// The newest test, whatever versions it is of.
    pub async fn newest(&self) -> anyhow::Result<Option<SelfTest>> {
        self.store.newest_selftest(&self.about).await
    }

    fn lease(&self) -> String {
        format!("selftest/{}", self.about.environment)
    }
}

/// With few controls every new one counts.
fn is_due(newest: Option<&SelfTest>, epoch: &str, new: i64) -> bool {
    newest.is_none_or(|test| {
        let few = i64::try_from(test.tested.controls).unwrap_or(i64::MAX) < NEW_CONTROLS;
        test.epoch != epoch || new >= NEW_CONTROLS || (few && new > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_made_again_when_versions_changed_or_enough_controls_came() {
        let test = |controls| SelfTest {
            id: String::new(),
            epoch: "now".to_owned(),
            at: DateTime::UNIX_EPOCH,
            tested: Tested {
                controls,
                scores: Vec::new(),
            },
        };
        assert!(is_due(None, "now", 0));
        assert!(is_due(Some(&test(20)), "then", 0));
        assert!(!is_due(Some(&test(20)), "now", 9));
        assert!(is_due(Some(&test(20)), "now", 10));
        assert!(is_due(Some(&test(3)), "now", 1));
        assert!(!is_due(Some(&test(3)), "now", 0));
    }
}
