//! Starts the runs that routes want.

use anyhow::Context;
use tracing::{debug, info, warn};

use super::Intake;
use crate::{
    controller::{Again, Wanted, control::as_before_the_run, dispatch::dispatch_for},
    legacy::reflector::{ReflectorError, TranscriptStatus},
    model::{Origin, Subject},
    rollout::Owner,
    store::{Effects, RouteRow, Run, Way},
};

/// How many routes one tick looks at.
const AT_ONCE: i64 = 32;

impl Intake {
    /// Starts each run that is wanted and has not been started; tells how many. One that cannot be
    /// started is tried again by the next call.
    pub async fn start_runs(&self) -> anyhow::Result<usize> {
        let mut started = 0;
        let breaker = self.store.breaker(&self.environment).await?;
        let now = (self.clock)();
        // What the candidate was to serve goes back to Celery once the breaker is open.
        let is_well = breaker
            .as_ref()
            .is_none_or(|row| !row.breaker.is_unwell(now));
        let routes = if is_well {
            self.store
                .routes_to_start(&self.environment, AT_ONCE)
                .await?
        } else {
            Vec::new()
        };
        let holding = breaker.and_then(|row| row.holding);
        for route in routes {
            if route.owner == Owner::Candidate
                && let Some(down) = &holding
            {
                debug!(transcript.id = %route.transcript_id, "a run waits for what both pipelines need: {down}");
                continue;
            }
            match self.start_run(&route).await {
                Ok(true) => started += 1,
                Ok(false) => {}
                Err(error) => {
                    warn!(transcript.id = %route.transcript_id, "cannot start a run, trying again: {error:#}");
                }
            }
        }
        // Controls may have ended before their runs began.
        self.store.attach_controls(&self.environment).await?;
        Ok(started)
    }

    /// False where nothing can ever run.
    async fn start_run(&self, route: &RouteRow) -> anyhow::Result<bool> {
        let subject = match &route.subject {
            Some(subject) => subject.clone(),
            None => match self.subject_now(route).await? {
                Some(subject) => subject,
                None => return Ok(false),
            },
        };
        let recording = subject.recording.id.clone();
        let run = match self.store.unclaimed_run(route, &recording).await? {
            Some(run) => run,
            None if self.control_has_begun(route).await? => return Ok(false),
            None => self.dispatch(route, subject).await?,
        };
        self.store.note_route_run(route, &run).await?;
        info!(run.id = %run.id, recording.id = %run.recording_id, "run `{}` of a routed recording is under way", run.id);
        Ok(true)
    }

    /// Whether Celery got the task all the same: a caller over HTTP whose acceptance was answered, but
    /// who never heard the answer, publishes it. Then the route is the control's.
    async fn control_has_begun(&self, route: &RouteRow) -> anyhow::Result<bool> {
        let (Owner::Candidate, Way::Http, Some(reflector)) =
            (route.owner, route.way, &self.reflector)
        else {
            return Ok(false);
        };
        if self.standing.may_dispatch().is_none() {
            return Ok(false);
        }
        let status = reflector.status(&route.transcript_id).await?;
        if status != Some(TranscriptStatus::Processing) {
            return Ok(false);
        }
        let reason = "the control had begun: the caller did not hear that its acceptance was taken";
        self.store.yield_route(route, reason).await
    }

    async fn dispatch(&self, route: &RouteRow, subject: Subject) -> anyhow::Result<Run> {
        let recording = subject.recording.id.clone();
        let newest = self
            .store
            .newest_run(&route.environment, &route.flag, &recording)
            .await?;
        let wanted = Wanted {
            environment: route.environment.clone(),
            flag: route.flag.clone(),
            subject,
            control_id: route.control_id.clone(),
            again: match newest {
                None => Again::Resume,
                Some(_) => Again::Anew,
            },
            effects: match route.owner {
                Owner::Control => Effects::Shadow,
                Owner::Candidate => Effects::Live,
            },
            origin: Origin::Arrival,
        };
        let now = (self.clock)();
        let dispatched = dispatch_for(&self.store, &self.client, &wanted, Some(route), now).await;
        let run = match &dispatched {
            Ok(dispatched) => self.store.run(dispatched.run()).await?,
            // Its row may be there all the same; whoever follows runs starts it then.
            Err(_) => match self.store.run_of_route(route).await? {
                Some(id) => self.store.run(&id).await?,
                None => None,
            },
        };
        match (run, dispatched) {
            (Some(run), _) => Ok(run),
            (None, Ok(_)) => anyhow::bail!("a run that was just dispatched is gone"),
            (None, Err(error)) => Err(error),
        }
    }

    /// What Reflector's rows say now, where they did not tell at arrival. None where there is
    /// nothing to run on, which is noted.
    async fn subject_now(&self, route: &RouteRow) -> anyhow::Result<Option<Subject>> {
        let reflector = self.reflector.as_ref().context(
            "the settings do not say where Reflector's database is: add `legacy.database_url`",
        )?;
        let read = reflector
            .subject(
                &route.transcript_id,
                Some(&route.track_keys),
                &self.ui_base_url,
            )
            .await;
        match read {
            Ok(Some(mut subject)) => {
                if route.owner == Owner::Control && route.generation == 1 {
                    // The control may have been at it since.
                    as_before_the_run(&mut subject);
                }
                Ok(Some(subject))
            }
            Ok(None) | Err(ReflectorError::NoRecording(_)) => {
                let reason = "the transcript or its recording is gone";
                self.store.drop_beside(route, reason).await?;
                Ok(None)
            }
            Err(error) => Err(error).context("reading what a run is about"),
        }
    }
}
