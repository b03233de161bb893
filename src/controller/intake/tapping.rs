//! The tap at work: each message of the pipeline task is answered, and done with as answered.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{Intake, Request};
use crate::{
    legacy::celery::{BrokerError, Decision, Envelope, Tap, Tick},
    rollout::Owner,
    store::Way,
};

/// After how long a message in another tap's hands is put back: longer than a batch of answers and
/// what Redis may take for each.
const DEAD: Duration = Duration::from_secs(20);

/// How often there is looked for such messages.
const RECOVER_EVERY: Duration = Duration::from_secs(10);

/// How long an empty queue is waited at.
const IDLE: Duration = Duration::from_secs(1);

/// The tap, and who answers.
pub struct Tapping {
    tap: Tap,
    intake: Intake,
}

impl Tapping {
    /// Puts a tap to work.
    pub fn new(tap: Tap, intake: Intake) -> Self {
        Self { tap, intake }
    }

    /// Takes messages until told to stop. A message in hand is dealt with before that.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut recovered: Option<tokio::time::Instant> = None;
        while !shutdown.is_cancelled() {
            let mut result = Ok(());
            if recovered.is_none_or(|at| at.elapsed() >= RECOVER_EVERY) {
                result = self.recover(DEAD).await.map(drop);
                if result.is_ok() {
                    recovered = Some(tokio::time::Instant::now());
                }
            }
            if result.is_ok() {
                result = self.step(&shutdown).await;
            }
            if let Err(error) = result {
                let error = anyhow::Error::from(error);
                warn!("the tap cannot go on, trying again: {error:#}");
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = tokio::time::sleep(IDLE) => {}
                }
            }
        }
    }

    async fn step(&mut self, shutdown: &CancellationToken) -> Result<(), BrokerError> {
        if !self.tick().await?.is_idle() {
            return Ok(());
        }
        tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            waited = self.tap.wait(IDLE) => waited.map(drop),
        }
    }

    /// Puts back what taps that died were holding for that long; tells how many messages.
    pub async fn recover(&self, age: Duration) -> Result<u64, BrokerError> {
        let back = self.tap.recover(age).await?;
        if back > 0 {
            warn!(
                messages = back,
                "put back {back} messages of a tap that died"
            );
        }
        Ok(back)
    }

    /// Deals with what is on the queue, at most a batch.
    pub async fn tick(&mut self) -> Result<Tick, BrokerError> {
        let intake = &self.intake;
        let mut batch = self.tap.take().await?;
        while let Some(message) = self.tap.next(&mut batch).await? {
            let decision = answer(intake, &message).await;
            self.tap.settle(&mut batch, decision).await?;
        }
        let tick = batch.into_tick();
        for task_id in &tick.ended {
            // A failure here is made up for by whoever settles offers.
            if let Err(error) = intake.withheld(task_id).await {
                warn!("cannot note that a message was withheld, trying again: {error:#}");
            }
        }
        let Tick {
            forwarded,
            withheld,
            passed_on,
            ..
        } = tick;
        if forwarded + withheld > 0 {
            info!(
                forwarded,
                withheld,
                passed_on,
                "the tap handed on {forwarded} and withheld {withheld} requests, and passed on {passed_on} other messages"
            );
        } else if passed_on > 0 {
            debug!(passed_on, "the tap passed on {passed_on} other messages");
        }
        for reason in &tick.verbatim {
            warn!("the tap handed on a message unchanged, its retries may come back: {reason}");
        }
        Ok(tick)
    }
}

impl Intake {
    /// A message was withheld: if it is the one its route was offered for, the candidate serves.
    async fn withheld(&self, task_id: &str) -> anyhow::Result<()> {
        let route = self
            .store
            .route_of_task(&self.environment, &self.flag, task_id)
            .await?;
        if let Some(route) = route
            && route.owner == Owner::Candidate
            && route.task_id == task_id
            && route.confirmed_at.is_none()
        {
            self.confirm(&route).await?;
        }
        Ok(())
    }
}

async fn answer(intake: &Intake, message: &Envelope) -> Decision {
    let request = match Request::read(message) {
        Ok(request) => request,
        Err(doubt) => {
            warn!("cannot route a request, leaving it to Celery: {doubt}");
            return Decision::Forward;
        }
    };
    match intake.decide(&request, Way::Tap).await.serve {
        Owner::Control => Decision::Forward,
        Owner::Candidate => Decision::Withhold,
    }
}
