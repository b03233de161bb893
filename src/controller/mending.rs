//! Mends runs: what people do about one that failed, stands still, or has to go back to Celery. One
//! function behind the command line, the API and the console.
//!
//! Whether something may be done is decided on how things are when it is asked for
//! ([`mendable`]), and done only if they are still so. Of two people who ask for the same, one does it;
//! who, and why, is on record in the transaction of what it tells of.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use tracing::{info, warn};

use super::{
    dispatch::{START_TAKES, begin},
    shadow::{COMPARING, Shadow},
    status::ENGINE_WAIT,
    takeover::{GiveBack, Refusal},
};
use crate::{
    model::{EnvironmentName, RunId, RunState},
    rollout::{Mend, Owner, RunFacts, Stands, Unmendable, audit::Entry, mendable},
    store::{Run, Stage, plain},
};

/// Mends the runs of one environment.
#[derive(Clone)]
pub struct Mending {
    /// Knows the environment's runs.
    pub shadow: Shadow,
    /// What it takes to give a recording back to Celery, or what is missing for that.
    pub giving_back: Result<GiveBack, String>,
}

/// Who wants something done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When the run had ended that they saw; whatever it does now, where they saw none.
    pub seen: Option<DateTime<Utc>>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "did", rename_all = "snake_case")]
pub enum Mended {
    /// The run goes on.
    GoesOn {
        /// Why its workflow has not begun yet; it begins once that is over.
        waits: Option<String>,
    },
    /// Celery has its recording.
    GaveBack {
        /// The Celery task.
        task_id: String,
        /// The epoch of the legacy pipeline's ownership.
        epoch: i64,
        /// False where Celery had been given it before.
        published: bool,
    },
    /// It was compared.
    Compared {
        /// What that came to.
        verdict: String,
    },
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMended {
    /// There is no such run here.
    #[error(
        "there is no run `{run}`; `switchyard runs` lists them, and here only those of environment `{environment}` are mended"
    )]
    NoRun {
        /// The run that was named.
        run: RunId,
        /// The environment that was looked in.
        environment: EnvironmentName,
    },
    /// It may not be done as things stand.
    #[error("{why} (run `{run}`)")]
    Refused {
        /// The run.
        run: RunId,
        /// Why not.
        why: Unmendable,
    },
    /// It stays with whoever has it.
    #[error(transparent)]
    Stays(#[from] Refusal),
    /// Somebody else was faster, or it went on by itself.
    #[error(
        "run `{0}` has changed since you looked; look again, and repeat it if it is still wanted"
    )]
    Changed(RunId),
    /// Somebody else is at it.
    #[error("somebody else is at run `{0}` this moment; look again in half a minute")]
    Busy(RunId),
}

/// Whether something may be done about a run now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Possible {
    /// What.
    pub mend: Mend,
    /// Why not; none where it may.
    pub refusal: Option<String>,
}

/// For how long somebody may be at a run who fell silent meanwhile.
const AT_IT: TimeDelta = TimeDelta::seconds(30);

impl Mending {
    /// What may be done about a run as things stand; nothing about another environment's. Whether it is
    /// paused only the engine knows.
    pub async fn possible(&self, id: &RunId, is_paused: bool) -> anyhow::Result<Vec<Possible>> {
        let Some(run) = self.run(id).await? else {
            return Ok(Vec::new());
        };
        let facts = self.facts(&run, is_paused).await?;
        let told = |mend| Possible {
            mend,
            refusal: mendable(mend, &facts).err().map(|why| why.to_string()),
        };
        Ok(Mend::ALL.map(told).into())
    }

    /// Does something about a run, or says why not. It is gone through with though nobody waits for
    /// the answer any more.
    pub async fn mend(
        &self,
        mend: Mend,
        id: &RunId,
        signed: Signature,
    ) -> anyhow::Result<Result<Mended, NotMended>> {
        let (mending, id) = (self.clone(), id.clone());
        let done = tokio::spawn(async move { mending.go(mend, &id, &signed).await });
        done.await?
    }

    async fn go(
        &self,
        mend: Mend,
        id: &RunId,
        signed: &Signature,
    ) -> anyhow::Result<Result<Mended, NotMended>> {
        let Some(run) = self.run(id).await? else {
            return Ok(Err(NotMended::NoRun {
                run: id.clone(),
                environment: self.shadow.environment.clone(),
            }));
        };
        if signed.seen.is_some() && signed.seen != run.finished_at {
            return Ok(Err(NotMended::Changed(run.id)));
        }
        let is_paused = mend == Mend::Resume && self.shadow.is_paused(&run).await;
        let facts = self.facts(&run, is_paused).await?;
        if let Err(why) = mendable(mend, &facts) {
            return Ok(Err(NotMended::Refused {
                run: run.id.clone(),
                why,
            }));
        }
        let done = match mend {
            Mend::Retry | Mend::Resume if !is_paused => self.take_up(mend, &run, signed).await,
            Mend::Retry | Mend::Resume => self.unpause(&run, signed).await,
            Mend::Takeover => self.take_over(&run, signed).await,
            Mend::Compare => self.compare(&run, signed).await,
        }?;
        if done.is_ok() {
            info!(run.id = %run.id, recording.id = %run.recording_id, "{mend} of run `{}`: done for somebody", run.id);
        }
        Ok(done)
    }

    async fn run(&self, id: &RunId) -> anyhow::Result<Option<Run>> {
        let run = self.shadow.store.run(id).await?;
        Ok(run.filter(|run| run.environment == self.shadow.environment))
    }

    /// What it depends on, as it is now.
    async fn facts(&self, run: &Run, is_paused: bool) -> anyhow::Result<RunFacts> {
        let store = &self.shadow.store;
        let now = (self.shadow.clock)();
        let breaker = store.breaker(&run.environment).await?;
        let unwell = breaker.map(|row| row.breaker);
        let unwell = unwell.filter(|breaker| breaker.is_unwell(now));
        let place = (&run.environment, &run.flag);
        Ok(RunFacts {
            state: run.state,
            stands: self.stands(run).await?,
            is_paused,
            is_stranded: run.state == RunState::Starting && now - run.start_tried_at >= START_TAKES,
            is_withdrawn: run.withdrawn_at.is_some(),
            has_control: run.control_id.is_some(),
            unwell: unwell
                .map(|breaker| format!("the breaker is {}: {}", breaker.state, breaker.reason)),
            no_celery: match &self.giving_back {
                Err(missing) => Some(missing.clone()),
                Ok(giving_back) => giving_back.no_celery(place).await?,
            },
        })
    }

    async fn stands(&self, run: &Run) -> anyhow::Result<Stands> {
        if !run.is_live() {
            return Ok(Stands::Beside);
        }
        let store = &self.shadow.store;
        let owned = store
            .ownership(&run.environment, &run.flag, &run.recording_id)
            .await?;
        let ours = owned.filter(|(ownership, _)| ownership.run_id.as_ref() == Some(&run.id));
        Ok(match ours {
            None => Stands::Replaced,
            Some((ownership, stage)) => match ownership.owner {
                Owner::Candidate => Stands::Serving {
                    is_finalized: stage >= Stage::Finalized,
                },
                Owner::Control => Stands::Taken {
                    is_given: store.is_given(&run.id).await?,
                },
            },
        })
    }

    /// Lets a run go on in a new workflow, which finds what was done. Where the engine cannot be asked,
    /// whoever follows runs starts it as soon as that can.
    async fn take_up(
        &self,
        mend: Mend,
        run: &Run,
        signed: &Signature,
    ) -> anyhow::Result<Result<Mended, NotMended>> {
        let Shadow { store, client, .. } = &self.shadow;
        let now = (self.shadow.clock)();
        let mut before = format!("{} {}", run.id, run.state.as_str());
        // Step and attempt. The cause is in the run's trail, and may be long.
        if let Some((step, _)) = run
            .failure
            .as_deref()
            .and_then(|told| told.split_once(": "))
        {
            before = format!("{before}: {step}");
        }
        let entry = self.entry(mend, run, signed, (before, format!("{} starting", run.id)));
        if !store.take_up(run, now - START_TAKES, entry, now).await? {
            return Ok(Err(NotMended::Changed(run.id.clone())));
        }
        let waits = match begin(store, client, run).await {
            Ok(()) => None,
            Err(error) => {
                warn!(run.id = %run.id, recording.id = %run.recording_id, "a run that was taken up waits for the engine: {error:#}");
                Some("the workflow engine does not answer; the run begins within two minutes of it answering again".to_owned())
            }
        };
        Ok(Ok(Mended::GoesOn { waits }))
    }

    /// Ends a pause that somebody made in the engine.
    async fn unpause(
        &self,
        run: &Run,
        signed: &Signature,
    ) -> anyhow::Result<Result<Mended, NotMended>> {
        let Some(workflow) = &run.workflow_id else {
            return Ok(Err(NotMended::Changed(run.id.clone())));
        };
        let Shadow { store, client, .. } = &self.shadow;
        let (name, holder) = (
            format!("resume/{}", run.id),
            uuid::Uuid::new_v4().to_string(),
        );
        let now = (self.shadow.clock)();
        if !store.hold_lease(&name, &holder, AT_IT, now).await? {
            return Ok(Err(NotMended::Busy(run.id.clone())));
        }
        let resumed = if self.shadow.is_paused(run).await {
            client.resume(workflow).await.map(|()| true)
        } else {
            Ok(false)
        };
        let told = match resumed {
            Ok(true) => {
                let states = (format!("{} paused", run.id), format!("{} running", run.id));
                let entry = self.entry(Mend::Resume, run, signed, states);
                store.note_in_audit(entry).await.map(|_| ())
            }
            Ok(false) | Err(_) => Ok(()),
        };
        store.release_lease(&name, &holder).await?;
        told?;
        Ok(if resumed? {
            Ok(Mended::GoesOn { waits: None })
        } else {
            Err(NotMended::Changed(run.id.clone()))
        })
    }

    async fn take_over(
        &self,
        run: &Run,
        signed: &Signature,
    ) -> anyhow::Result<Result<Mended, NotMended>> {
        let giving_back = match &self.giving_back {
            Ok(giving_back) => giving_back,
            Err(missing) => {
                return Ok(Err(NotMended::Refused {
                    run: run.id.clone(),
                    why: Unmendable::NoCelery(missing.clone()),
                }));
            }
        };
        let states = (
            format!("{} served by the candidate", run.recording_id),
            format!("{} given back to Celery by {}", run.recording_id, run.id),
        );
        let entry = self.entry(Mend::Takeover, run, signed, states);
        let given = giving_back
            .give_back_for(run, &signed.reason, entry)
            .await?;
        Ok(match given {
            Ok(given) => Ok(Mended::GaveBack {
                task_id: given.task_id,
                epoch: given.epoch,
                published: given.published,
            }),
            Err(refusal) => Err(refusal.into()),
        })
    }

    /// Compares a run that was compared before, unless somebody is just doing that.
    async fn compare(
        &self,
        run: &Run,
        signed: &Signature,
    ) -> anyhow::Result<Result<Mended, NotMended>> {
        let store = &self.shadow.store;
        let (name, holder) = (
            format!("compare/{}", run.id),
            uuid::Uuid::new_v4().to_string(),
        );
        let now = (self.shadow.clock)();
        if !store.hold_lease(&name, &holder, COMPARING, now).await? {
            return Ok(Err(NotMended::Busy(run.id.clone())));
        }
        let before = run.verdict.clone();
        let before = before.unwrap_or_else(|| "not compared".to_owned());
        let on_record = |verdict: &str| {
            let states = (
                format!("{} {before}", run.id),
                format!("{} {verdict}", run.id),
            );
            self.entry(Mend::Compare, run, signed, states)
        };
        let compared = self.shadow.compare_for(run, &on_record).await;
        store.release_lease(&name, &holder).await?;
        let verdict = compared?.comparison.verdict.to_string();
        Ok(Ok(Mended::Compared { verdict }))
    }

    fn entry(
        &self,
        mend: Mend,
        run: &Run,
        signed: &Signature,
        (before, after): (String, String),
    ) -> Entry {
        let now: DateTime<Utc> = (self.shadow.clock)();
        Entry {
            action: mend.to_string(),
            actor: plain(&signed.by).into_owned(),
            after,
            at: now.timestamp_millis(),
            before,
            environment: run.environment.to_string(),
            flag: run.flag.to_string(),
            previous: String::new(),
            reason: plain(&signed.reason).into_owned(),
            seq: 0,
        }
    }
}

impl Shadow {
    /// Whether the engine has a run and schedules nothing of it; an engine that does not answer says no.
    pub async fn is_paused(&self, run: &Run) -> bool {
        if run.state != RunState::Running {
            return false;
        }
        let looked = tokio::time::timeout(ENGINE_WAIT, self.look(run)).await;
        looked.is_ok_and(|looked| looked.is_ok_and(|seen| seen.is_paused))
    }
}
