//! Rehearses what has to work on the day: the candidate serves a recording, is stopped midway, Celery
//! takes over and ends it, and the candidate serves it again. All of it happens in a mirror row, which
//! follows no room and no recording, so nobody is told anything; then it is removed.

use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Mirrors;
use crate::{
    config::Config,
    controller::{self, Again, GiveBack, Shadow, Wanted},
    legacy::reflector::{MIRROR_USER, TranscriptStatus},
    model::{Origin, RecordingId, RunState, Subject, TranscriptId},
    rollout::Owner,
    store::{Effects, Mirror, MirrorOutcome, MirrorState, Rehearsal, Run, Stage},
};

/// One thing that was rehearsed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RehearsalStep {
    /// What.
    pub step: &'static str,
    /// Whether it went as it has to.
    pub ok: bool,
    /// What was seen.
    pub found: String,
    /// How long it took.
    pub took_ms: u64,
}

/// How often there is looked how far a run is.
const LOOK: Duration = Duration::from_millis(500);

/// How long the candidate may take to begin.
const BEGIN: Duration = Duration::from_mins(2);

/// Who a rehearsal works with.
struct Parts {
    shadow: Shadow,
    giving_back: GiveBack,
    subject: Subject,
}

impl Mirrors<'_> {
    /// Rehearses on a finished transcript's recording, and keeps how that went. An error is only that
    /// it could not begin; what goes wrong later is in the result.
    pub async fn rehearse(
        &self,
        original: &TranscriptId,
        by: &str,
        stop: &CancellationToken,
    ) -> anyhow::Result<Rehearsal> {
        let about = self.app.about()?;
        let left = self.app.store.unfinished_mirror(&self.app.name).await?;
        anyhow::ensure!(
            left.is_none(),
            "an interrupted mirror is not removed; run `switchyard mirror --cleanup` first"
        );
        let mut mirror = self.plan(original).await?;
        let parts = self.parts(&mirror).await?;
        let mut rehearsal = Rehearsal {
            id: format!("reh_{}", mirror.transcript),
            passed: None,
            document: serde_json::Value::Null,
            started_by: by.to_owned(),
            started_at: self.now(),
            ended_at: None,
        };
        let begun = (rehearsal.id.as_str(), by);
        let store = &self.app.store;
        store.begin_rehearsal(&about, begun, self.now()).await?;

        let mut steps = Vec::new();
        let went = self
            .play(&mut mirror, &parts, &mut steps, stop)
            .await
            .is_ok();
        self.tell(90, "removing what the rehearsal left");
        let removed = self.take_away(&mut mirror, &parts).await;
        let is_gone = removed.is_ok();
        steps.push(RehearsalStep {
            step: "removal",
            ok: is_gone,
            found: match removed {
                Ok(()) => "nothing of it is left".to_owned(),
                Err(error) => format!("{error:#}; run `switchyard mirror --cleanup`"),
            },
            took_ms: 0,
        });
        rehearsal.passed = Some(went && is_gone);
        rehearsal.document = serde_json::to_value(&steps).context("writing the steps")?;
        rehearsal.ended_at = Some(self.now());
        store.end_rehearsal(&about, &rehearsal, self.now()).await?;
        self.tell(100, "the rehearsal is over");
        Ok(rehearsal)
    }

    async fn parts(&self, mirror: &Mirror) -> anyhow::Result<Parts> {
        let base = self.app.environment.reflector.ui_base_url.as_str();
        let subject = self
            .reflector
            .subject(&mirror.original, Some(&mirror.track_keys), base)
            .await?
            .context("the transcript is gone")?;
        Ok(Parts {
            shadow: self.app.shadow()?,
            giving_back: self.app.giving_back()?,
            subject: nobodys(subject, &mirror.transcript),
        })
    }

    /// Plays all of it; stops at the first step that does not go as it has to.
    async fn play(
        &self,
        mirror: &mut Mirror,
        parts: &Parts,
        steps: &mut Vec<RehearsalStep>,
        stop: &CancellationToken,
    ) -> Result<(), ()> {
        let began = Instant::now();
        self.tell(5, "the candidate serves");
        let run = self.cut_over(mirror, parts, stop).await;
        let run = noted(steps, "cutover", began, run, |run| {
            format!("run `{}` serves, stopped midway", run.id)
        })?;
        let began = Instant::now();
        self.tell(20, "Celery takes over");
        let fallback = self.fall_back(mirror, parts, &run, stop).await;
        noted(steps, "fallback", began, fallback, Clone::clone)?;
        let began = Instant::now();
        self.tell(60, "the candidate serves again");
        let recovery = self.recover(mirror, parts, stop).await;
        noted(steps, "recovery", began, recovery, Clone::clone)?;
        Ok(())
    }

    /// The candidate begins to serve, and is held midway.
    async fn cut_over(
        &self,
        mirror: &mut Mirror,
        parts: &Parts,
        stop: &CancellationToken,
    ) -> anyhow::Result<Run> {
        self.step(mirror, stop).await?;
        let run = self.serve(parts, Again::Resume).await?;
        let deadline = Instant::now() + BEGIN;
        loop {
            self.hold(mirror).await?;
            let now = self.look(parts, &run).await?;
            let has_begun = !self.app.store.outputs(&run.id).await?.is_empty();
            if let Some(workflow) = now.workflow_id.as_ref().filter(|_| has_begun) {
                let held = parts.shadow.client.pause(workflow).await;
                held.context("holding the run midway")?;
                return Ok(now);
            }
            anyhow::ensure!(
                !now.state.is_final(),
                "the run ended before it was stopped: {}",
                now.failure.as_deref().unwrap_or(now.state.as_str())
            );
            anyhow::ensure!(
                Instant::now() < deadline,
                "no task of the run was done within {} s; see whether workers run: `switchyard check`",
                BEGIN.as_secs()
            );
            self.pause(stop).await?;
        }
    }

    /// Celery takes the recording over and ends it, once.
    async fn fall_back(
        &self,
        mirror: &mut Mirror,
        parts: &Parts,
        run: &Run,
        stop: &CancellationToken,
    ) -> anyhow::Result<String> {
        let given = parts
            .giving_back
            .give_back(run, "a rehearsal")
            .await?
            .map_err(anyhow::Error::from)?;
        anyhow::ensure!(given.published, "the task had been published before");
        let again = parts
            .giving_back
            .give_back(run, "a rehearsal")
            .await?
            .map_err(anyhow::Error::from)?;
        anyhow::ensure!(
            !again.published,
            "a second takeover published a second task"
        );
        // What follows is this task's, not that of a mirror.
        mirror.task_id = given.task_id;
        mirror.dispatched_at = Some(self.now());
        self.save(mirror, MirrorState::Dispatched).await?;
        self.wait(mirror, stop).await?;
        if let Some(outcome) = mirror.outcome {
            let reason = mirror.reason.as_deref().unwrap_or_default();
            anyhow::bail!("Celery did not end it ({}): {reason}", outcome.as_str());
        }
        self.owned_by(&parts.subject, Owner::Control, given.epoch)
            .await?;
        let stopped = self.app.store.run(&run.id).await?;
        let state = stopped.context("the run is gone")?.state;
        anyhow::ensure!(
            state == RunState::Terminated,
            "the run that was taken over is {} and not terminated",
            state.as_str()
        );
        self.is_ended(mirror).await?;
        Ok(format!(
            "Celery ended it in epoch {}, published once",
            given.epoch
        ))
    }

    /// The candidate serves it again, to the end.
    async fn recover(
        &self,
        mirror: &Mirror,
        parts: &Parts,
        stop: &CancellationToken,
    ) -> anyhow::Result<String> {
        let run = self.serve(parts, Again::Anew).await?;
        let limit = Instant::now() + self.limits.run;
        let ended = loop {
            self.hold(mirror).await?;
            let now = self.look(parts, &run).await?;
            if now.state.is_final() {
                break now;
            }
            anyhow::ensure!(Instant::now() < limit, "the run did not end in time");
            self.pause(stop).await?;
        };
        anyhow::ensure!(
            ended.state == RunState::Completed,
            "the run is {}: {}",
            ended.state.as_str(),
            ended.failure.unwrap_or_default()
        );
        let epoch = ended.epoch.context("the run served nobody")?;
        self.owned_by(&parts.subject, Owner::Candidate, epoch)
            .await?;
        self.is_ended(mirror).await?;
        Ok(format!("run `{}` ended it in epoch {epoch}", run.id))
    }

    async fn serve(&self, parts: &Parts, again: Again) -> anyhow::Result<Run> {
        let wanted = Wanted {
            environment: self.app.name.clone(),
            flag: Config::flag(),
            subject: parts.subject.clone(),
            control_id: None,
            again,
            effects: Effects::Live,
            origin: Origin::Rehearsal,
        };
        let (store, client) = (&self.app.store, &parts.shadow.client);
        let dispatched = controller::dispatch(store, client, &wanted, self.now()).await?;
        let run = store.run(dispatched.run()).await?;
        run.context("a run that was just dispatched is gone")
    }

    /// How far a run is; a controller may note its end at the same moment.
    async fn look(&self, parts: &Parts, run: &Run) -> anyhow::Result<Run> {
        let known = self.app.store.run(&run.id).await?;
        let known = known.context("the run is gone")?;
        if known.state.is_final() {
            return Ok(known);
        }
        parts.shadow.follow(&known).await?;
        let run = self.app.store.run(&run.id).await?;
        run.context("the run is gone")
    }

    async fn owned_by(&self, subject: &Subject, owner: Owner, epoch: i64) -> anyhow::Result<()> {
        let flag = Config::flag();
        let recording = &subject.recording.id;
        let found = self.app.store.ownership(&self.app.name, &flag, recording);
        let (found, stage) = found.await?.context("nobody owns the recording")?;
        anyhow::ensure!(
            found.owner == owner && found.epoch == epoch,
            "the {} owns it in epoch {}, not the {} in epoch {epoch}",
            found.owner.as_str(),
            found.epoch,
            owner.as_str()
        );
        anyhow::ensure!(
            owner == Owner::Control || stage >= Stage::Finalized,
            "the run ended, and its transcript is not finalized"
        );
        Ok(())
    }

    async fn is_ended(&self, mirror: &Mirror) -> anyhow::Result<()> {
        let status = self.reflector.status(&mirror.transcript).await?;
        anyhow::ensure!(
            status == Some(TranscriptStatus::Ended),
            "its row is not `ended`"
        );
        Ok(())
    }

    async fn pause(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            () = stop.cancelled() => anyhow::bail!("stopped"),
            () = tokio::time::sleep(LOOK) => Ok(()),
        }
    }

    /// Stops what still runs and removes all that was made.
    async fn take_away(&self, mirror: &mut Mirror, parts: &Parts) -> anyhow::Result<()> {
        let flag = Config::flag();
        let recording = &parts.subject.recording.id;
        let store = &self.app.store;
        let newest = store.newest_run(&self.app.name, &flag, recording).await?;
        if let Some(run) = newest.filter(|run| !run.state.is_final()) {
            if let Some(workflow) = &run.workflow_id {
                let stopped = parts.shadow.client.terminate(workflow, "a rehearsal").await;
                stopped.context("stopping the run")?;
            }
            let (state, now) = (RunState::Terminated, self.now());
            store
                .finish_run(&run.id, state, Some("the rehearsal was over"), now)
                .await?;
        }
        let bucket = &self.app.environment.objects.bucket;
        let about = self.app.about()?;
        for run in store.runs_of_recording(&about, recording).await? {
            let prefix = format!("runs/{}/", run.id);
            for object in self.objects.list(bucket, &prefix).await? {
                self.objects.delete(bucket, &object.key).await?;
            }
        }
        if mirror.outcome.is_none() {
            let reason = "it was a rehearsal".to_owned();
            self.give_up(mirror, MirrorOutcome::Abandoned, reason)
                .await?;
        }
        self.remove(mirror).await?;
        store.release_mirror(&mirror.transcript, &self.holder).await
    }
}

/// Notes how a step went.
fn noted<T>(
    steps: &mut Vec<RehearsalStep>,
    step: &'static str,
    began: Instant,
    went: anyhow::Result<T>,
    found: impl FnOnce(&T) -> String,
) -> Result<T, ()> {
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (ok, found) = match &went {
        Ok(value) => (true, found(value)),
        Err(error) => (false, format!("{error:#}")),
    };
    steps.push(RehearsalStep {
        step,
        ok,
        found,
        took_ms,
    });
    went.map_err(drop)
}

/// The same meeting, as nobody's: of no room, no calendar, with nobody to ask or to tell.
fn nobodys(mut subject: Subject, mirror: &TranscriptId) -> Subject {
    subject.recording.id = RecordingId::new(format!("rehearsal-{mirror}"));
    let transcript = &mut subject.transcript;
    transcript.id = mirror.clone();
    transcript.user_id = Some(MIRROR_USER.to_owned());
    transcript.room_id = None;
    transcript.title = None;
    transcript.zulip_message_id = None;
    transcript.participants.clear();
    subject.room = None;
    subject.calendar_event = None;
    subject.consents.clear();
    subject
}
