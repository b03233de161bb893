//! Takes what the control made of each routed recording, as soon as it is over and before people
//! edit it.
//!
//! Three things tell that it is over: its Celery result, the last message for browsers, and its
//! row; the first to come counts. Of the row only a change is believed, since an earlier run may
//! have left it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{EVERY, Intake};
use crate::{
    controller::control::{FROM_ROWS, FROM_ROWS_AND_MESSAGES, keep_control},
    legacy::{
        celery::{Status, TaskResult},
        reflector::{Heard, Reflector, Snapshot},
    },
    model::{Outcome, OutcomeStatus, RecordingId, TranscriptId},
    rollout::{Beside, Owner},
    store::RouteRow,
};

/// How many routes one tick looks at.
const AT_ONCE: i64 = 256;

/// How long post tasks are waited for, of which the first may delete the recording.
const CHAIN: Duration = Duration::from_mins(2);

/// How many post tasks follow one another.
const LINKS: usize = 3;

/// How long the last messages for browsers are waited for.
const LAST_MESSAGES: Duration = Duration::from_secs(10);

/// How long another process, which heard the messages, is given to take the control first.
const LISTENERS_FIRST: Duration = Duration::from_secs(15);

/// How often a row is read while results tell as well.
const ROW_EVERY: Duration = Duration::from_secs(5);

/// For how long a control is waited for. A worker that is killed never tells.
const PATIENCE: Duration = Duration::from_hours(12);

/// Looks for the ends of controls.
pub struct Controls {
    intake: Intake,
    seen: Mutex<HashMap<Name, Seen>>,
}

/// A route's transcript and generation.
type Name = (TranscriptId, i64);

/// What was seen of one control so far.
#[derive(Clone, Default)]
struct Seen {
    /// Whether its row told that it is at work.
    began: bool,
    /// When its row was read last.
    row_read_at: Option<DateTime<Utc>>,
    /// What it made, once it was over.
    taken: Option<Taken>,
}

/// What a control made.
#[derive(Clone)]
struct Taken {
    outcome: Outcome,
    /// Somebody had changed the row before it was read.
    edited: bool,
    at: DateTime<Utc>,
}

/// How a control stands.
enum Stand {
    UnderWay,
    /// It made what is in its row.
    Over,
    /// Its task ended with this exception and left nothing in its row.
    Failed(String),
}

impl Controls {
    /// Looks on behalf of an intake.
    pub fn new(intake: Intake) -> Self {
        Self {
            intake,
            seen: Mutex::default(),
        }
    }

    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        loop {
            if let Err(error) = self.tick().await {
                warn!("cannot look for controls, trying again: {error:#}");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Looks once at every open route; tells how many controls were taken.
    pub async fn tick(&self) -> anyhow::Result<usize> {
        let store = &self.intake.store;
        let routes = store.open_routes(&self.intake.environment, AT_ONCE).await?;
        let open: HashSet<_> = routes.iter().map(name).collect();
        self.seen().retain(|name, _| open.contains(name));
        let mut taken = 0;
        for route in routes {
            let looked = match route.owner {
                Owner::Candidate => self.look_at_run(&route).await.map(|()| false),
                Owner::Control => self.look(&route).await,
            };
            match looked {
                Ok(is_taken) => taken += usize::from(is_taken),
                Err(error) => {
                    warn!(transcript.id = %route.transcript_id, "cannot tell whether a control is over, trying again: {error:#}");
                }
            }
        }
        store.attach_controls(&self.intake.environment).await?;
        Ok(taken)
    }

    /// A route of the candidate's is over with its run.
    async fn look_at_run(&self, route: &RouteRow) -> anyhow::Result<()> {
        let Some(id) = &route.run_id else {
            return Ok(());
        };
        let run = self.intake.store.run(id).await?;
        if run.is_some_and(|run| run.state.is_final()) {
            let now = (self.intake.clock)();
            self.intake.store.end_route(route, None, now).await?;
        }
        Ok(())
    }

    /// True when its control was taken.
    async fn look(&self, route: &RouteRow) -> anyhow::Result<bool> {
        let now = (self.intake.clock)();
        let mut seen = self.seen().get(&name(route)).cloned().unwrap_or_default();
        if seen.taken.is_none() {
            seen.taken = self.end_of(route, &mut seen, now).await?;
        }
        let done = match &seen.taken {
            None if passed(route.arrived_at, now, PATIENCE) => {
                warn!(transcript.id = %route.transcript_id, "the control of transcript `{}` has not ended in 12 hours, it is waited for no longer", route.transcript_id);
                self.intake.store.end_route(route, None, now).await?;
                true
            }
            None => false,
            Some(taken) => self.finish(route, taken, now).await?,
        };
        let is_taken = done && seen.taken.is_some();
        if done {
            self.seen().remove(&name(route));
        } else {
            self.seen().insert(name(route), seen);
        }
        Ok(is_taken)
    }

    /// What the control made, if it is over.
    async fn end_of(
        &self,
        route: &RouteRow,
        seen: &mut Seen,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Option<Taken>> {
        let stand = self.stand(route, seen, now).await?;
        let edited_never = |outcome| Taken {
            outcome,
            edited: false,
            at: now,
        };
        let failed = |exception: &str| Outcome {
            status: OutcomeStatus::Error,
            failure: Some(format!("the Celery task ended with `{exception}`")),
            ..Outcome::default()
        };
        if route.beside == Beside::None {
            // Nobody will ask what it made.
            return Ok(match stand {
                Stand::UnderWay => None,
                Stand::Over | Stand::Failed(_) => Some(edited_never(Outcome::default())),
            });
        }
        let exception = match &stand {
            Stand::UnderWay => return Ok(None),
            Stand::Over => None,
            Stand::Failed(exception) => Some(exception.as_str()),
        };
        let reflector = self.reflector()?;
        let snapshot = reflector.snapshot(&route.transcript_id).await?;
        Ok(match (snapshot, exception) {
            (Some(Snapshot { outcome, edited }), None) => Some(Taken {
                outcome,
                edited,
                at: now,
            }),
            (Some(Snapshot { outcome, .. }), Some(exception))
                if outcome.status == OutcomeStatus::Error =>
            {
                let failure = failed(exception).failure;
                Some(edited_never(Outcome { failure, ..outcome }))
            }
            // Its row is another run's by now, or it never got as far.
            (_, Some(exception)) => Some(edited_never(failed(exception))),
            // A second run of the same transcript has begun; its end will do.
            (None, None) => None,
        })
    }

    async fn stand(
        &self,
        route: &RouteRow,
        seen: &mut Seen,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Stand> {
        let intake = &self.intake;
        if let Some(celery) = &intake.celery
            && let Some(result) = celery.results.result(&route.task_id).await?
            && result.status.is_final()
        {
            return Ok(match result.status {
                Status::Success => Stand::Over,
                _ => Stand::Failed(result.failure().unwrap_or("Revoked").to_owned()),
            });
        }
        if let Some(watcher) = &intake.watcher
            && watcher.is_over(&route.transcript_id)
        {
            return Ok(Stand::Over);
        }
        let is_due = seen
            .row_read_at
            .is_none_or(|at| intake.celery.is_none() || passed(at, now, ROW_EVERY));
        if is_due && let Some(reflector) = &intake.reflector {
            seen.row_read_at = Some(now);
            if let Some(status) = reflector.status(&route.transcript_id).await? {
                if status.is_over() && seen.began {
                    return Ok(Stand::Over);
                }
                seen.began |= !status.is_over();
            }
        }
        Ok(Stand::UnderWay)
    }

    /// Keeps what a control made once nothing more is to come. False while there is.
    async fn finish(
        &self,
        route: &RouteRow,
        taken: &Taken,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let intake = &self.intake;
        if route.beside == Beside::None {
            intake.store.end_route(route, None, now).await?;
            return Ok(true);
        }
        if taken.edited {
            warn!(transcript.id = %route.transcript_id, "people have edited transcript `{}` before it was read, so its run is not compared", route.transcript_id);
            intake.store.end_route(route, None, now).await?;
            return Ok(true);
        }
        let ended_well = taken.outcome.status == OutcomeStatus::Ended;
        if ended_well && !passed(taken.at, now, CHAIN) && !self.chain_is_over(route).await? {
            return Ok(false);
        }
        let heard = match self.heard(route, taken, now) {
            Messages::ToCome => return Ok(false),
            Messages::Heard(heard) => Some(heard).filter(|heard| heard.complete),
            Messages::Nobodys => None,
        };
        let mut outcome = taken.outcome.clone();
        if ended_well {
            let after = self.reflector()?.snapshot(&route.transcript_id).await?;
            outcome.audio_deleted = after.is_some_and(|after| after.outcome.audio_deleted);
            if !outcome.audio_deleted {
                outcome.audio = (intake.mixes)(route.transcript_id.clone()).await?;
            }
        }
        let mut source = FROM_ROWS;
        if let Some(heard) = heard {
            source = FROM_ROWS_AND_MESSAGES;
            outcome.published = heard.published;
        }
        let recording = self.recording(route).await?;
        let id = keep_control(&intake.store, &recording, source, outcome, taken.at).await?;
        if intake.store.end_route(route, Some(&id), now).await? {
            info!(transcript.id = %route.transcript_id, "took what the control made of transcript `{}`: {source}", route.transcript_id);
        }
        Ok(true)
    }

    fn heard(&self, route: &RouteRow, taken: &Taken, now: DateTime<Utc>) -> Messages {
        let transcript = &route.transcript_id;
        let Some(watcher) = &self.intake.watcher else {
            return Messages::Nobodys;
        };
        if watcher.is_over(transcript) || passed(taken.at, now, LAST_MESSAGES) {
            if let Some(heard) = watcher.take(transcript) {
                return Messages::Heard(heard);
            }
            if passed(taken.at, now, LISTENERS_FIRST) {
                return Messages::Nobodys;
            }
        }
        Messages::ToCome
    }

    /// Whether the tasks that follow the pipeline's are done, as far as results tell.
    async fn chain_is_over(&self, route: &RouteRow) -> anyhow::Result<bool> {
        let Some(celery) = &self.intake.celery else {
            return Ok(false);
        };
        let mut next = Some(route.task_id.clone());
        // The pipeline's own result, and its links'.
        for _ in 0..=LINKS {
            let Some(id) = next else {
                return Ok(true);
            };
            match celery.results.result(&id).await? {
                Some(TaskResult {
                    status, children, ..
                }) if status.is_final() => {
                    // A link that failed is the last.
                    next = children
                        .into_iter()
                        .next()
                        .filter(|_| status == Status::Success);
                }
                _ => return Ok(false),
            }
        }
        // What follows the last link are attempts to reach a customer.
        Ok(true)
    }

    async fn recording(&self, route: &RouteRow) -> anyhow::Result<RecordingId> {
        if let Some(recording) = &route.recording_id {
            return Ok(recording.clone());
        }
        let subject = self
            .reflector()?
            .subject(&route.transcript_id, None, &self.intake.ui_base_url)
            .await?;
        let subject = subject.context("the transcript is gone")?;
        Ok(subject.recording.id)
    }

    fn reflector(&self) -> anyhow::Result<&Reflector> {
        self.intake.reflector.as_ref().context(
            "the settings do not say where Reflector's database is: add `legacy.database_url`",
        )
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<Name, Seen>> {
        // Nothing that holds the lock leaves the map half written.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of a control's messages.
enum Messages {
    /// More may be heard, here or in another process.
    ToCome,
    /// This was heard.
    Heard(Heard),
    /// Nobody heard them.
    Nobodys,
}

fn name(route: &RouteRow) -> Name {
    (route.transcript_id.clone(), route.generation)
}

fn passed(since: DateTime<Utc>, now: DateTime<Utc>, wait: Duration) -> bool {
    TimeDelta::from_std(wait).is_ok_and(|wait| now - since >= wait)
}
