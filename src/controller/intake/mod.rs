//! The way in: answers who serves a recording, starts the runs that follow from it, and takes what
//! the control makes.
//!
//! A request is answered within 300 ms, and every doubt ends on Celery: users are served by the
//! pipeline that has always served them, whatever is wrong here. Once Celery is removed there is no
//! such pipeline: a doubt is then no answer, and whoever asks has to ask again.

mod controls;
mod offers;
mod request;
mod standing;
mod starter;
mod tapping;
mod weighing;

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use controls::Controls;
pub use request::{Doubt, Request};
pub use standing::Standing;
pub use tapping::Tapping;

use super::shadow::Clock;
use crate::{
    conductor::Client,
    legacy::{
        celery::{Broker, Queue, Results},
        reflector::{Reflector, ReflectorError, Watcher},
    },
    model::{AudioFacts, EnvironmentName, FlagName, Subject, TranscriptId},
    rollout::{Beside, Keys, Owner, Phase, Position, salt},
    store::{Arrival, NobodyServes, Pinned, RouteRow, Store, Way},
};

/// How long an answer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// All included.
    pub answer: Duration,
    /// Of that, to read Reflector's rows.
    pub rows: Duration,
}

impl Budget {
    /// So much for all of it, half of which for Reflector's rows.
    pub fn of(answer: Duration) -> Self {
        Self {
            answer,
            rows: answer / 2,
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(Duration::from_millis(300))
    }
}

/// How often there is looked for something to do, where nothing calls for it sooner.
const EVERY: Duration = Duration::from_secs(1);

/// Reads what a control's mix holds, where it still lies in Reflector's bucket.
pub type Mixes = Arc<dyn Fn(TranscriptId) -> Mix + Send + Sync>;

/// What a mix holds; none where there is none.
pub type Mix = Pin<Box<dyn Future<Output = anyhow::Result<Option<AudioFacts>>> + Send>>;

/// Celery, where requests come from it or runs are followed there.
#[derive(Clone)]
pub struct Celery {
    /// The broker.
    pub broker: Broker,
    /// How tasks ended.
    pub results: Results,
    /// The queue the tap takes from; without a tap, that of the legacy workers.
    pub from: Queue,
}

/// Answers requests, and follows them up.
#[derive(Clone)]
pub struct Intake {
    /// Where.
    pub environment: EnvironmentName,
    /// Which migration.
    pub flag: FlagName,
    /// Our database.
    pub store: Store,
    /// The engine that candidates run on.
    pub client: Client,
    /// Reflector's database; without it nothing runs beside or instead of the control.
    pub reflector: Option<Reflector>,
    /// Reflector's `UI_BASE_URL`.
    pub ui_base_url: String,
    /// Celery.
    pub celery: Option<Celery>,
    /// What is published for browsers.
    pub watcher: Option<Watcher>,
    /// The control's mixes.
    pub mixes: Mixes,
    /// How long an answer may take.
    pub budget: Budget,
    /// The time.
    pub clock: Clock,
    /// Something was pinned or confirmed.
    pub news: Arc<Notify>,
    /// Where the migration stands, as far as was read.
    pub standing: Standing,
}

/// Who serves a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Who.
    pub serve: Owner,
    /// Why, for people.
    pub reason: String,
    /// The route; none in doubt.
    pub pinned: Option<Pinned>,
}

impl Answer {
    fn doubt(reason: &str) -> Self {
        Self {
            serve: Owner::Control,
            reason: reason.to_owned(),
            pinned: None,
        }
    }
}

/// Why a request has no answer. Only once Celery is removed: before, it is left to Celery.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// It may have one later.
    #[error("Celery is removed, so nothing is left to it {0}; ask again")]
    Doubt(&'static str),
    /// There is nothing the candidate could run on.
    #[error(
        "transcript `{0}` is of no recording, which only Celery could process, and Celery is removed; `switchyard phase set archived` goes back, once legacy workers run again"
    )]
    NoRecording(TranscriptId),
}

/// What became of an offer that was taken up.
#[derive(Clone, Debug, PartialEq)]
pub enum Accepted {
    /// The candidate serves; the task must not be published.
    ByCandidate(RouteRow),
    /// It does not, or not any more: the task has to be published.
    ByControl(RouteRow),
    /// Nobody asked for that task.
    Unknown,
}

impl Intake {
    /// Answers a request: by the route pinned for its transcript, or by a new one.
    pub async fn decide(&self, request: &Request, way: Way) -> Result<Answer, Unanswered> {
        let reason = match tokio::time::timeout(self.budget.answer, self.pin(request, way)).await {
            Ok(Ok(pinned)) => {
                return Ok(Answer {
                    serve: pinned.route.owner,
                    reason: pinned.route.reason.clone(),
                    pinned: Some(pinned),
                });
            }
            Ok(Err(error)) if error.is::<NobodyServes>() => {
                let transcript = request.transcript.clone();
                return Err(Unanswered::NoRecording(transcript));
            }
            Ok(Err(error)) => {
                warn!(transcript.id = %request.transcript, "cannot route a request: {error:#}");
                "in doubt: the route could not be pinned"
            }
            Err(_) => {
                warn!(transcript.id = %request.transcript, "cannot route a request in time");
                "in doubt: the route could not be pinned in time"
            }
        };
        match self.standing.may_dispatch() {
            Some(_) => Ok(Answer::doubt(reason)),
            None => Err(Unanswered::Doubt(reason)),
        }
    }

    /// Reads where the migration stands.
    pub async fn look(&self) -> anyhow::Result<Position> {
        let phase = self.store.phase(&self.environment, &self.flag).await?;
        self.standing.note(phase.position);
        Ok(phase.position)
    }

    async fn pin(&self, request: &Request, way: Way) -> anyhow::Result<Pinned> {
        let position = self.look().await?;
        let (keys, subject) = match position.phase() {
            Phase::Infrastructure | Phase::Parallel => (Keys::Unknown, None),
            Phase::Shadow | Phase::Cutover | Phase::Cleanup => {
                self.told(&request.transcript, &request.track_keys).await
            }
        };
        let arrival = Arrival {
            environment: self.environment.clone(),
            flag: self.flag.clone(),
            task_id: request.task_id.clone(),
            transcript: request.transcript.clone(),
            bucket_name: request.bucket_name.clone(),
            track_keys: request.track_keys.clone(),
            wish: request.wish,
            way,
        };
        let salt = salt(&self.environment, &self.flag);
        let now = (self.clock)();
        let pinned = self
            .store
            .arrive(&arrival, &keys, subject.as_ref(), &salt, now)
            .await?;
        let pinned = self.with_offer_settled(pinned, request).await?;
        let route = &pinned.route;
        if route.owner == Owner::Control
            && route.beside == Beside::Candidate
            && route.over_at.is_none()
        {
            // Before the control can begin, or its first messages are missed.
            self.watch(&route.transcript_id);
            self.news.notify_one();
        }
        Ok(pinned)
    }

    /// What Reflector's rows say before either pipeline touches them.
    async fn told(
        &self,
        transcript: &TranscriptId,
        track_keys: &[String],
    ) -> (Keys, Option<Subject>) {
        let Some(reflector) = &self.reflector else {
            return (Keys::Unknown, None);
        };
        let read = reflector.subject(transcript, Some(track_keys), &self.ui_base_url);
        match tokio::time::timeout(self.budget.rows, read).await {
            Ok(Ok(Some(subject))) => (Keys::of(&subject), Some(subject)),
            Ok(Ok(None) | Err(ReflectorError::NoRecording(_))) => (Keys::NoRecording, None),
            Ok(Err(error)) => {
                warn!(transcript.id = %transcript, "cannot read what a request is about: {error}");
                (Keys::Unknown, None)
            }
            Err(_) => {
                warn!(transcript.id = %transcript, "cannot read what a request is about in time");
                (Keys::Unknown, None)
            }
        }
    }

    fn watch(&self, transcript: &TranscriptId) {
        if let Some(watcher) = &self.watcher
            && let Err(error) = watcher.watch(transcript)
        {
            warn!(transcript.id = %transcript, "the messages of a control will not be compared: {error}");
        }
    }

    /// Takes up an offer: from now on the candidate serves, and nobody else. May be repeated.
    pub async fn accept(&self, task_id: &str) -> anyhow::Result<Accepted> {
        let find = || {
            self.store
                .route_of_task(&self.environment, &self.flag, task_id)
        };
        let Some(route) = find().await? else {
            return Ok(Accepted::Unknown);
        };
        if route.owner == Owner::Candidate && route.confirmed_at.is_none() {
            let breaker = self.store.breaker(&self.environment).await?;
            let unwell = breaker.is_some_and(|row| row.breaker.is_unwell((self.clock)()));
            if unwell {
                // Whoever asks publishes it then, which is the quickest way to Celery.
                let reason = "the offer lapsed: the breaker opened before it was taken up";
                self.store.lapse_route(&route, reason).await?;
            } else if route.task_id == task_id {
                self.confirm(&route).await?;
            } else {
                // Whoever was offered the transcript first may have published it already.
                let reason = "a second task asked before the first accepted";
                self.end_offer(&route, reason).await?;
            }
        }
        Ok(match find().await? {
            Some(route) if route.owner == Owner::Candidate => Accepted::ByCandidate(route),
            Some(route) => Accepted::ByControl(route),
            None => Accepted::Unknown,
        })
    }

    async fn confirm(&self, route: &RouteRow) -> anyhow::Result<bool> {
        let confirmed = self.store.confirm_route(route, (self.clock)()).await?;
        if confirmed {
            info!(transcript.id = %route.transcript_id, "the candidate serves transcript `{}`", route.transcript_id);
            self.news.notify_one();
        }
        Ok(confirmed)
    }

    /// Starts runs, settles offers and takes controls until told to stop.
    pub async fn run(self, shutdown: CancellationToken) {
        let controls = Controls::new(self.clone());
        tokio::join!(
            self.keep_starting(&shutdown),
            self.keep_settling(&shutdown),
            controls.run(&shutdown),
        );
    }

    async fn keep_starting(&self, shutdown: &CancellationToken) {
        loop {
            if let Err(error) = self.start_runs().await {
                warn!("cannot start the runs that routes want, trying again: {error:#}");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.news.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn keep_settling(&self, shutdown: &CancellationToken) {
        loop {
            if let Err(error) = self.look().await {
                warn!("cannot read where the migration stands, trying again: {error:#}");
            }
            if let Err(error) = self.settle_offers().await {
                warn!("cannot settle offers, trying again: {error:#}");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}
