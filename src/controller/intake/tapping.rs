//! The tap at work: each message of the pipeline task is answered, and done with as answered.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::{Intake, Request, Unanswered};
use crate::{
    legacy::celery::{BrokerError, Decision, Envelope, Tap, Tick},
    model::NoticeKind,
    rollout::Owner,
    store::{About, Way},
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
        // What is to be done in doubt depends on it.
        while let Err(error) = self.intake.look().await {
            warn!(
                "the tap cannot read where the migration stands, and takes nothing yet: {error:#}"
            );
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(IDLE) => {}
            }
        }
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
        let tick = self.tick().await?;
        if tick.left > 0 {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(IDLE) => {}
            }
            return Ok(());
        }
        if !tick.is_idle() {
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
        if tick.left > 0 {
            let left = tick.left;
            warn!(
                left,
                "Celery is removed, and {left} requests cannot be answered: they stay on the queue, trying again"
            );
        }
        for reason in &tick.verbatim {
            warn!("the tap handed on a message unchanged, its retries may come back: {reason}");
        }
        Ok(tick)
    }
}

impl Intake {
    /// Says aloud that nobody processes a transcript.
    pub async fn refuse(&self, request: &Request, refused: &Unanswered) -> anyhow::Result<()> {
        let text = refused.to_string();
        error!(transcript.id = %request.transcript, "refused a request: {text}");
        let about = About {
            environment: self.environment.clone(),
            flag: self.flag.clone(),
            epoch: String::new(),
            after: None,
            gate: crate::gate::Rules::default(),
        };
        let document = serde_json::json!({
            "transcript": request.transcript,
            "task": request.task_id,
        });
        let told = (NoticeKind::Refused, text.as_str(), &document);
        self.store.tell(&about, told, (self.clock)()).await
    }

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
    let in_doubt = || {
        let may = intake.standing.may_dispatch();
        may.map_or(Decision::Leave, Decision::Forward)
    };
    let request = match Request::read(message) {
        Ok(request) => request,
        Err(doubt) => {
            warn!("cannot route a request: {doubt}");
            // Where that cannot be read, what was read last counts.
            let looked = tokio::time::timeout(intake.budget.answer, intake.look()).await;
            drop(looked);
            return in_doubt();
        }
    };
    match intake.decide(&request, Way::Tap).await {
        Ok(answer) => match answer.serve {
            Owner::Control => in_doubt(),
            Owner::Candidate => Decision::Withhold(intake.standing.may_dispatch()),
        },
        Err(Unanswered::Doubt(_)) => Decision::Leave,
        Err(refused @ Unanswered::NoRecording(_)) => {
            match intake.refuse(&request, &refused).await {
                Ok(()) => Decision::Withhold(None),
                Err(error) => {
                    warn!(transcript.id = %request.transcript, "cannot tell anybody that a request is refused, trying again: {error:#}");
                    Decision::Leave
                }
            }
        }
    }
}
