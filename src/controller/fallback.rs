//! What follows from an open breaker: everything that waits for Conductor goes back to Celery, and a
//! recording in flight never comes the other way.

use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    shadow::Clock,
    takeover::{GiveBack, Refusal},
};
use crate::{
    model::{EnvironmentName, HealthLimits},
    rollout::{Breaker, BreakerState},
    store::{Run, Store},
};

/// How often there is looked for something to give back.
const EVERY: Duration = Duration::from_secs(1);

/// How many routes one tick looks at.
const ROUTES: i64 = 256;

/// How many recordings are given back at once.
const AT_ONCE: usize = 8;

/// Gives back what Conductor does not get done.
#[derive(Clone)]
pub struct Fallback {
    /// Where.
    pub environment: EnvironmentName,
    /// Our database.
    pub store: Store,
    /// What it takes.
    pub giving_back: GiveBack,
    /// How long live runs get to end by themselves.
    pub limits: HealthLimits,
    /// The time.
    pub clock: Clock,
}

/// What one tick gave back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FellBack {
    /// Routes without a run.
    pub routes: usize,
    /// Live runs.
    pub runs: usize,
}

impl Fallback {
    /// Looks until told to stop.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            if let Err(error) = self.tick().await {
                warn!("cannot give recordings back to Celery, trying again: {error:#}");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Gives back once whatever is due. May run in several processes at once.
    pub async fn tick(&self) -> anyhow::Result<FellBack> {
        let mut fell = FellBack::default();
        // Somebody may have died between our row and the broker.
        for route in self
            .store
            .routes_handed_back(&self.environment, ROUTES)
            .await?
        {
            fell.routes += usize::from(self.giving_back.hand_back_again(&route).await?);
        }
        // Or after the fence: nobody serves the recording, however well Conductor is by now.
        let mut begun = Vec::new();
        for (id, reason) in self
            .store
            .takeovers_under_way(&self.environment, ROUTES)
            .await?
        {
            begun.extend(self.store.run(&id).await?.map(|run| (run, reason)));
        }
        fell.runs += self.give_back_all(&begun).await;
        let Some(row) = self.store.breaker(&self.environment).await? else {
            return Ok(fell);
        };
        let breaker = row.breaker;
        match breaker.state {
            BreakerState::Open | BreakerState::Latched => {}
            BreakerState::Closed
            | BreakerState::Suspect
            | BreakerState::HalfOpen
            | BreakerState::Recovering => return Ok(fell),
        }
        let reason = format!("the breaker is {}: {}", breaker.state, breaker.reason);
        for route in self
            .store
            .routes_without_run(&self.environment, ROUTES)
            .await?
        {
            fell.routes += usize::from(self.giving_back.hand_back(&route, &reason).await?);
        }
        let due = self.due(&breaker).await?;
        let due: Vec<_> = due.into_iter().map(|run| (run, reason.clone())).collect();
        fell.runs += self.give_back_all(&due).await;
        Ok(fell)
    }

    async fn give_back_all(&self, due: &[(Run, String)]) -> usize {
        let mut count = 0;
        for some in due.chunks(AT_ONCE) {
            let giving = some.iter().map(|(run, reason)| self.give_back(run, reason));
            let given = futures_util::future::join_all(giving).await;
            count += given.into_iter().filter(|given| *given).count();
        }
        count
    }

    /// Live runs that had their time: none for those that Conductor never took.
    async fn due(&self, breaker: &Breaker) -> anyhow::Result<Vec<Run>> {
        let now = (self.clock)();
        let opened = breaker.opened_at.unwrap_or(breaker.since);
        let drained = now - opened >= TimeDelta::seconds(self.limits.drain_s);
        let mut runs = self.store.open_runs(&self.environment).await?;
        runs.retain(|run| run.epoch.is_some() && (drained || run.workflow_id.is_none()));
        Ok(runs)
    }

    async fn give_back(&self, run: &Run, reason: &str) -> bool {
        match self.giving_back.give_back(run, reason).await {
            Ok(Ok(_)) => {
                info!(run.id = %run.id, recording.id = %run.recording_id, "Celery has the recording of run `{}`: {reason}", run.id);
                true
            }
            // Only its deliveries are missing, and those it completes when Conductor is back.
            Ok(Err(Refusal::Finalized(_))) => false,
            Ok(Err(refusal)) => {
                warn!(run.id = %run.id, recording.id = %run.recording_id, "a recording stays where it is: {refusal}");
                false
            }
            Err(error) => {
                warn!(run.id = %run.id, recording.id = %run.recording_id, "cannot give a recording back to Celery, trying again: {error:#}");
                false
            }
        }
    }
}
