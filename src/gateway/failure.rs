//! Tells users of a live run that failed, as the legacy tells of one of its own: the transcript's
//! status becomes `error`. Nobody else would; the workflow has ended.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Gateway, GatewayError};
use crate::{
    contract::events::{RunEvent, Status},
    model::EnvironmentName,
    rollout::Live,
    store::{CheckedIn, Intent, IntentKind, Run},
};

/// Under this name a run's failure stands in the ledger, among its tasks.
const FAILURE: &str = "run_failed";

/// How often is looked for runs that failed.
const EVERY: Duration = Duration::from_secs(2);

impl Gateway {
    /// Tells of failed runs until told to stop.
    pub async fn tell_failures(self, environment: EnvironmentName, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.tell_failures_once(&environment).await {
                warn!("cannot tell users of failed runs, trying again: {error:#}");
            }
        }
    }

    /// Looks once for runs that failed, own their recording, and were not told of.
    pub async fn tell_failures_once(&self, environment: &EnvironmentName) -> anyhow::Result<()> {
        let store = &self.0.store;
        for run in store.untold_failures(environment, FAILURE).await? {
            let owned = store
                .ownership(&run.environment, &run.flag, &run.recording_id)
                .await?;
            let Some(live) = owned.and_then(|(ownership, _)| Live::of(&ownership, &run.id)) else {
                continue;
            };
            match self.tell_failure(&run, &live).await {
                Ok(()) => {
                    info!(run.id = %run.id, recording.id = %run.recording_id, "told users that run `{}` failed", run.id);
                }
                Err(GatewayError::Fenced) => {}
                Err(error) => {
                    warn!(run.id = %run.id, recording.id = %run.recording_id, "cannot tell users of a failed run, trying again: {error}");
                }
            }
        }
        Ok(())
    }

    async fn tell_failure(&self, run: &Run, live: &Live) -> Result<(), GatewayError> {
        let now = (self.0.clock)();
        let reserved = self
            .0
            .store
            .reserve((run, live), FAILURE, &failure(run), now)
            .await?;
        match reserved {
            CheckedIn::Written => self.deliver(run, live, FAILURE).await.map(drop),
            CheckedIn::Fenced => Err(GatewayError::Fenced),
        }
    }
}

fn failure(run: &Run) -> Vec<Intent> {
    let event = RunEvent::Status(Status::Error);
    let stored = event.event();
    let mut intents = vec![
        Intent {
            kind: IntentKind::Column,
            target: "status".to_owned(),
            content: "\"error\"".to_owned(),
        },
        Intent {
            kind: IntentKind::Event,
            target: stored.event,
            content: stored.data.to_string(),
        },
    ];
    let user = run.subject.transcript.user_id.as_deref();
    let messages = event.published(&run.transcript_id, user).into_iter();
    intents.extend(messages.map(|message| Intent {
        kind: IntentKind::Message,
        target: message.channel,
        content: message.payload,
    }));
    intents
}
