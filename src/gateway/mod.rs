//! The gateway: the one place where a run does what others can see.
//!
//! A task says what it intends, and its checkpoint reserves that in the ledger. Only then, and only
//! with the proof that the run owns its recording, the gateway carries the intents out, in order,
//! each claimed in a transaction that checks the epoch. Whatever dies in between is taken up by
//! the next attempt of the task: what is confirmed is left alone, what is not known is looked up
//! where it can be, and everything else is safe to repeat.

mod consent;
mod delivery;
mod error;
mod failure;
mod rows;
mod steps;
mod sweep;
mod zulip;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tracing::debug;
use uuid::Uuid;

pub use consent::Withdrawal;
pub use error::GatewayError;
pub use sweep::{Sweep, Swept, Unfinished};

use crate::{
    legacy::reflector::{DataDir, Publisher, Reflector, RowWriter},
    model::{Subject, TaskName},
    objects::Objects,
    providers::{Webhook, Zulip},
    rollout::Live,
    store::{Claim, Effect, EffectState, Lease, Run, Stage, Store},
};

/// Everything effects go to.
pub struct Outside {
    /// Our database, with the ledger.
    pub store: Store,
    /// Reflector's rows, to read.
    pub reflector: Reflector,
    /// Reflector's rows, to write.
    pub rows: RowWriter,
    /// Whether our tables lie in Reflector's database, so that a row and its ledger entry are
    /// written in one transaction.
    pub shares_database: bool,
    /// What browsers are told through; none where the settings do not name it.
    pub publisher: Option<Publisher>,
    /// Reflector's data folder, where it is shared.
    pub data_dir: Option<DataDir>,
    /// Recordings and results.
    pub objects: Objects,
    /// Zulip, where a bot is configured.
    pub zulip: Option<Zulip>,
    /// Customers.
    pub webhook: Webhook,
    /// Tells the time.
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

/// Carries out the effects of live runs. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Outside>);

/// What came of a task's effects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// The message on Zulip.
    pub zulip_message_id: Option<i64>,
    /// What the customer's webhook answered.
    pub webhook_status: Option<u16>,
    /// Why an effect was left undone.
    pub undone: Option<String>,
}

/// Longer than a request to any of the services takes, with its own timeout; a customer may take
/// 30 seconds.
const LEASE: Duration = Duration::from_secs(40);

impl Gateway {
    /// Effects go there.
    pub fn new(outside: Outside) -> Self {
        Self(Arc::new(outside))
    }

    /// What Reflector's rows say of a recording now; none where they no longer tell of it.
    pub async fn subject_now(&self, then: &Subject) -> Result<Option<Subject>, GatewayError> {
        let (id, base) = (&then.transcript.id, then.ui_base_url.as_str());
        let tracks = Some(then.track_keys.as_slice());
        let now = self.0.reflector.subject(id, tracks, base).await;
        let now = now.map_err(|error| GatewayError::Retry(error.into()))?;
        Ok(now.filter(|now| now.recording.id == then.recording.id))
    }

    /// Carries out what is not yet done of a task's effects, in order.
    pub async fn deliver(
        &self,
        run: &Run,
        live: &Live,
        task_ref: &str,
    ) -> Result<Delivered, GatewayError> {
        let outside = &self.0;
        let effects = outside.store.effects(&run.id, task_ref).await?;
        let delivery = Delivery {
            outside,
            run,
            live,
            holder: Uuid::new_v4().simple().to_string(),
        };
        let mut delivered = Delivered::default();
        let mut undeleted = None;
        for step in steps::steps(&effects) {
            if !step.deletes()
                && let Some(error) = undeleted
            {
                return Err(error);
            }
            match delivery.carry_out(&step, &mut delivered).await {
                // As in the legacy, what cannot be deleted does not keep the rest.
                Err(error) if step.deletes() && !error.is_fenced() => {
                    undeleted.get_or_insert(error);
                }
                done => done?,
            }
        }
        if let Some(error) = undeleted {
            return Err(error);
        }
        let reached = match task_ref.parse() {
            Ok(TaskName::Finalize) => Some(Stage::Finalized),
            Ok(TaskName::SendWebhook) => Some(Stage::Delivered),
            _ => None,
        };
        if let Some(stage) = reached {
            outside.store.reach(live, stage, delivery.now()).await?;
        }
        Ok(delivered)
    }
}

/// One task's effects on their way.
struct Delivery<'a> {
    outside: &'a Outside,
    run: &'a Run,
    live: &'a Live,
    /// Differs between attempts, so that one that was given up cannot settle for another.
    holder: String,
}

impl Delivery<'_> {
    fn now(&self) -> DateTime<Utc> {
        (self.outside.clock)()
    }

    fn lease(&self) -> Lease<'_> {
        Lease {
            holder: &self.holder,
            until: self.now() + LEASE,
        }
    }

    /// Claims one effect. Waits for another attempt that is at it, or died at it. False when it is
    /// done.
    async fn claim(&self, effect: &Effect) -> Result<bool, GatewayError> {
        loop {
            let now = self.now();
            let store = &self.outside.store;
            match store
                .claim_effect(self.live, effect, self.lease(), now)
                .await?
            {
                Claim::Granted => return Ok(true),
                Claim::Done => return Ok(false),
                Claim::Fenced => return Err(GatewayError::Fenced),
                Claim::Held(until) => self.wait_until(until).await,
            }
        }
    }

    /// Claims one effect that may not simply be done again. What is known of it now, this attempt
    /// not counted: since it was read, another may have got far with it. None when it is done.
    async fn claim_known(&self, effect: &Effect) -> Result<Option<Effect>, GatewayError> {
        if !self.claim(effect).await? {
            return Ok(None);
        }
        let store = &self.outside.store;
        let known = store.effects(&self.run.id, &effect.task_ref).await?;
        let found = known
            .into_iter()
            .find(|known| known.position == effect.position);
        Ok(found.map(|known| Effect {
            attempts: known.attempts.saturating_sub(1),
            ..known
        }))
    }

    async fn wait_until(&self, until: DateTime<Utc>) {
        let left = (until - self.now()).to_std().unwrap_or_default();
        debug!(
            "another attempt is at an effect, waiting {} s",
            left.as_secs()
        );
        tokio::time::sleep(left.max(Duration::from_millis(100))).await;
    }

    /// Notes what became of an effect.
    async fn settle(
        &self,
        effect: &Effect,
        state: EffectState,
        answer: Option<&str>,
    ) -> Result<(), GatewayError> {
        let (store, now) = (&self.outside.store, self.now());
        let settled = store
            .settle_effect(self.live, effect, &self.holder, (state, answer), now)
            .await?;
        if settled {
            Ok(())
        } else {
            Err(GatewayError::retry(
                "an effect took longer than its lease, and somebody else took it up",
            ))
        }
    }

    /// Lets go of an effect that failed, and passes the error on. If even that fails, the lease
    /// ends by itself.
    async fn give_back(
        &self,
        effect: &Effect,
        state: EffectState,
        answer: Option<&str>,
        error: GatewayError,
    ) -> GatewayError {
        match self.settle(effect, state, answer).await {
            Ok(()) => {}
            Err(problem) => debug!("cannot let go of an effect, its lease will end: {problem}"),
        }
        error
    }
}
