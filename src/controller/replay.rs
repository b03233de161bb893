//! Replays of history: runs the candidate on past recordings, in isolation and not too fast, and
//! compares with what the control made of them then.
//!
//! What surprises most: nothing is kept in memory. Each tick reads the store and does what is next,
//! so a process may die at any point, and another goes on without starting a recording twice: a run
//! that was started and not noted is found by its recording.

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use tracing::{info, warn};
use uuid::Uuid;

use super::{Again, FROM_ROWS, Shadow, Wanted, as_before_the_run, dispatch, intake::Mixes};
use crate::{
    legacy::reflector::{Past, Reflector, ReflectorError, WhichPast},
    model::{Origin, OutcomeStatus, RoomId, RunId, RunState, Subject, TranscriptId},
    rollout::{Next, Pace, Position},
    store::{About, Control, Effects, ItemState, Replay, ReplayItem, ReplayState, Skipped},
};

/// Tells whether a recording's tracks all lie where they lay.
pub type Tracks = Arc<dyn Fn(Subject) -> TracksThere + Send + Sync>;

/// Whether they do.
pub type TracksThere = Pin<Box<dyn Future<Output = anyhow::Result<bool>> + Send>>;

/// Runs the replays of one environment.
#[derive(Clone)]
pub struct Replays {
    /// What they are about.
    pub about: About,
    /// Follows and compares their runs.
    pub shadow: Shadow,
    /// Reflector's database.
    pub reflector: Reflector,
    /// Reflector's `UI_BASE_URL`.
    pub ui_base_url: String,
    /// The control's mixes.
    pub mixes: Mixes,
    /// Whether tracks are still there.
    pub tracks: Tracks,
    /// How this process is told from others.
    pub holder: String,
}

/// A replay somebody wants.
#[derive(Clone, Debug, PartialEq)]
pub struct NewReplay {
    /// Transcripts made at that time or later.
    pub from: DateTime<Utc>,
    /// And before this one; now by default.
    pub to: Option<DateTime<Utc>>,
    /// Of this room alone.
    pub room: Option<RoomId>,
    /// So many are looked at.
    pub at_most: i64,
    /// So many are started in an hour.
    pub per_hour: i64,
    /// What its runs may cost, in US dollars.
    pub budget_usd: Option<f64>,
    /// Whether recordings are run again that the candidate has run on before.
    pub anew: bool,
    /// Who drives it.
    pub driver: Driver,
    /// Who wants it.
    pub by: String,
}

/// Who does what is next of a replay, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// The command that was given, as long as it runs.
    Command,
    /// The controller, as long as any runs.
    Controller,
}

/// Why nothing is replayed. Each says what to do about it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoReplay {
    /// Too early, or too late.
    #[error("{environment} is in {position}, where the candidate runs on no past recordings; {}", remedy(*.position))]
    Position {
        /// Where.
        environment: String,
        /// The phase.
        position: Position,
    },
    /// A budget that nobody could keep to.
    #[error(
        "a budget is kept by what runs cost, and no price is known in {0}; add `environments.{0}.prices` to the settings, or leave out `--budget`"
    )]
    NoPrices(String),
    /// Nothing could ever be started.
    #[error("{0} has to be more than 0")]
    Nothing(&'static str),
    /// No such replay.
    #[error("there is no replay `{0}`; `switchyard replay` lists them")]
    Unknown(String),
    /// There is nothing to pause.
    #[error("replay `{id}` is {}, and only one under way is paused", .state.as_str().replace('_', " "))]
    NotUnderWay {
        /// Its id.
        id: String,
        /// How far it is.
        state: ReplayState,
    },
    /// It is over.
    #[error("replay `{id}` is {}; begin another with `switchyard replay --from`", .state.as_str())]
    Over {
        /// Its id.
        id: String,
        /// How.
        state: ReplayState,
    },
}

fn remedy(position: Position) -> &'static str {
    if position < Position::Parallel {
        "go on with `switchyard phase set parallel` first"
    } else {
        "Celery is being taken away and evidence for it is no longer asked for; `switchyard phase set` goes back"
    }
}

/// What one tick came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticked {
    /// Another process is at it.
    Elsewhere,
    /// It goes on.
    Going,
    /// There is nothing more to do; its row says why.
    Over,
}

/// How far a replay is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tally {
    /// All recordings that were found.
    pub found: usize,
    /// Nothing was done about them so far.
    pub waiting: usize,
    /// Their runs are under way.
    pub open: usize,
    /// Their runs have ended.
    pub ended: usize,
    /// Those of which a comparison was made.
    pub compared: usize,
    /// How many by verdict.
    pub verdicts: BTreeMap<String, usize>,
    /// How many were skipped, by reason.
    pub skipped: BTreeMap<&'static str, usize>,
    /// What was spent, in US dollars, of what has a price.
    pub usd: f64,
    /// When it will be done; none where that is not to be told.
    pub ends_at: Option<DateTime<Utc>>,
}

impl Tally {
    /// How many were skipped.
    pub fn skipped(&self) -> usize {
        self.skipped.values().sum()
    }

    /// How much is done, from 0 to 100.
    pub fn percent(&self) -> u8 {
        let done = self.ended + self.skipped();
        u8::try_from(done * 100 / self.found.max(1)).unwrap_or(100)
    }
}

/// How long a process that fell silent is waited for.
pub const LEASE: TimeDelta = TimeDelta::seconds(10);

/// How many of Reflector's rows are read at once.
const PAGE: u32 = 200;

/// Names below it are the ids of controls, so that one taken twice is one.
const CONTROLS: Uuid = Uuid::from_u128(0x5d0c_1fb2_7a36_4e5d_9a41_3c8e_62f0_b917);

impl Replays {
    /// Notes a replay; [`Replays::tick`] then does it.
    pub async fn begin(&self, new: &NewReplay) -> anyhow::Result<Result<Replay, NoReplay>> {
        for (what, number) in [("`--limit`", new.at_most), ("`--rate`", new.per_hour)] {
            if number < 1 {
                return Ok(Err(NoReplay::Nothing(what)));
            }
        }
        if let Err(refusal) = self.may_spend(new.budget_usd) {
            return Ok(Err(refusal));
        }
        if let Err(refusal) = self.may_replay().await? {
            return Ok(Err(refusal));
        }
        let now = (self.shadow.clock)();
        let id = Uuid::new_v4().simple().to_string();
        let replay = Replay {
            id: format!("rpl_{}", &id[..12]),
            from: new.from,
            to: new.to.map_or(now, |to| to.min(now)),
            room: new.room.clone(),
            at_most: new.at_most,
            per_hour: new.per_hour,
            budget_usd: new.budget_usd,
            anew: new.anew,
            by_server: new.driver == Driver::Controller,
            state: ReplayState::Finding,
            reason: String::new(),
            started_by: new.by.clone(),
            started_at: now,
            ended_at: None,
        };
        let store = &self.shadow.store;
        store.insert_replay(&self.about, &replay, now).await?;
        Ok(Ok(replay))
    }

    /// Takes up a replay that was interrupted or has stopped, with other bounds where they are
    /// given.
    pub async fn resume(
        &self,
        id: &str,
        (per_hour, budget_usd): (Option<i64>, Option<f64>),
        (by, driver): (&str, Driver),
    ) -> anyhow::Result<Result<Replay, NoReplay>> {
        if per_hour.is_some_and(|rate| rate < 1) {
            return Ok(Err(NoReplay::Nothing("`--rate`")));
        }
        if let Err(refusal) = self.may_spend(budget_usd) {
            return Ok(Err(refusal));
        }
        let store = &self.shadow.store;
        let replay = match self.find(id).await? {
            Ok(replay) => replay,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if matches!(replay.state, ReplayState::Ended | ReplayState::Cancelled) {
            return Ok(Err(NoReplay::Over {
                id: replay.id,
                state: replay.state,
            }));
        }
        if let Err(refusal) = self.may_replay().await? {
            return Ok(Err(refusal));
        }
        let now = (self.shadow.clock)();
        if per_hour.is_some() || budget_usd.is_some() {
            let bounds = (
                per_hour.unwrap_or(replay.per_hour),
                budget_usd.or(replay.budget_usd),
            );
            store.bound_replay(&self.about, id, bounds, by, now).await?;
        }
        if driver == Driver::Controller {
            store.take_up_replay(&self.about, id, by, now).await?;
        }
        if replay.state == ReplayState::Stopped {
            let again = (ReplayState::Stopped, ReplayState::UnderWay);
            store.move_replay(id, again, "", now).await?;
        }
        self.find(id).await
    }

    /// Stops a replay until somebody resumes it. What is under way ends by itself.
    pub async fn pause(&self, id: &str, by: &str) -> anyhow::Result<Result<Replay, NoReplay>> {
        let now = (self.shadow.clock)();
        let store = &self.shadow.store;
        let paused = store.pause_replay(&self.about, id, by, now).await?;
        let replay = self.find(id).await?;
        Ok(match replay {
            Ok(replay) if !paused => Err(NoReplay::NotUnderWay {
                id: replay.id,
                state: replay.state,
            }),
            found => found,
        })
    }

    /// Ends a replay: nothing more of it is started. What is under way ends by itself.
    pub async fn cancel(&self, id: &str, by: &str) -> anyhow::Result<Result<Replay, NoReplay>> {
        let now = (self.shadow.clock)();
        let store = &self.shadow.store;
        let cancelled = store.cancel_replay(&self.about, id, by, now).await?;
        let replay = self.find(id).await?;
        Ok(match replay {
            Ok(replay) if !cancelled => Err(NoReplay::Over {
                id: replay.id,
                state: replay.state,
            }),
            found => found,
        })
    }

    /// A replay of this environment.
    pub async fn find(&self, id: &str) -> anyhow::Result<Result<Replay, NoReplay>> {
        let store = &self.shadow.store;
        let found = store.replay(&self.about.environment, id).await?;
        Ok(found.ok_or_else(|| NoReplay::Unknown(id.to_owned())))
    }

    /// How far a replay is.
    pub async fn tally(&self, replay: &Replay) -> anyhow::Result<Tally> {
        let items = self.shadow.store.replay_items(&replay.id).await?;
        let pace = self.pace(replay, &items).await?;
        let now = (self.shadow.clock)();
        let of = |state| items.iter().filter(|item| item.state == state).count();
        let mut verdicts = BTreeMap::new();
        let mut skipped = BTreeMap::new();
        for item in &items {
            if let Some(verdict) = &item.verdict {
                *verdicts.entry(verdict.clone()).or_default() += 1;
            }
            if let Some(why) = item.skipped {
                *skipped.entry(why.as_str()).or_default() += 1;
            }
        }
        Ok(Tally {
            found: items.len(),
            waiting: of(ItemState::Waiting),
            open: of(ItemState::Started),
            ended: of(ItemState::Ended),
            compared: verdicts.values().sum(),
            verdicts,
            skipped,
            usd: pace.usd_open + pace.usd_ended,
            ends_at: (replay.state == ReplayState::UnderWay).then(|| pace.ends_at(now)),
        })
    }

    /// Does what is next of a replay, unless another process is at it.
    pub async fn tick(&self, id: &str) -> anyhow::Result<Ticked> {
        if !self.hold(id).await? {
            return Ok(Ticked::Elsewhere);
        }
        let Ok(replay) = self.find(id).await? else {
            return Ok(Ticked::Over);
        };
        match replay.state {
            ReplayState::Finding => self.look_up(&replay).await?,
            ReplayState::UnderWay => self.go_on(&replay).await?,
            ReplayState::Ended | ReplayState::Stopped | ReplayState::Cancelled => {
                self.follow(&replay).await?;
                return self.is_quiet(&replay).await;
            }
        }
        Ok(Ticked::Going)
    }

    /// Leaves a replay to others.
    pub async fn leave(&self, id: &str) -> anyhow::Result<()> {
        let store = &self.shadow.store;
        store.release_lease(&lease(id), &self.holder).await
    }

    async fn hold(&self, id: &str) -> anyhow::Result<bool> {
        let now = (self.shadow.clock)();
        let store = &self.shadow.store;
        store.hold_lease(&lease(id), &self.holder, LEASE, now).await
    }

    async fn is_quiet(&self, replay: &Replay) -> anyhow::Result<Ticked> {
        let items = self.shadow.store.replay_items(&replay.id).await?;
        let is_open = |item: &ReplayItem| item.state == ItemState::Started;
        Ok(if items.iter().any(is_open) {
            Ticked::Going
        } else {
            Ticked::Over
        })
    }

    fn may_spend(&self, budget_usd: Option<f64>) -> Result<(), NoReplay> {
        match budget_usd {
            Some(usd) if usd.is_nan() || usd <= 0.0 => Err(NoReplay::Nothing("`--budget`")),
            Some(_) if self.shadow.prices.prices.is_empty() => {
                Err(NoReplay::NoPrices(self.about.environment.to_string()))
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn may_replay(&self) -> anyhow::Result<Result<(), NoReplay>> {
        let about = &self.about;
        let phase = self
            .shadow
            .store
            .phase(&about.environment, &about.flag)
            .await?;
        Ok(if phase.position.has_replays() {
            Ok(())
        } else {
            Err(NoReplay::Position {
                environment: about.environment.to_string(),
                position: phase.position,
            })
        })
    }

    /// Finds the recordings, and notes all of them at once.
    async fn look_up(&self, replay: &Replay) -> anyhow::Result<()> {
        let which = WhichPast {
            from: replay.from,
            to: Some(replay.to),
            room: replay.room.clone(),
        };
        let mut found: Vec<Past> = Vec::new();
        loop {
            let more = usize::try_from(replay.at_most)
                .unwrap_or(usize::MAX)
                .saturating_sub(found.len());
            let page = PAGE.min(u32::try_from(more).unwrap_or(PAGE));
            if page == 0 {
                break;
            }
            let past = self.reflector.past(&which, found.last(), page).await?;
            if past.is_empty() {
                break;
            }
            found.extend(past);
            self.hold(&replay.id).await?;
        }
        let now = (self.shadow.clock)();
        let items: Vec<_> = (1..)
            .zip(&found)
            .map(|(place, past)| item(place, past, now))
            .collect();
        let store = &self.shadow.store;
        if store.begin_replay(&replay.id, &items, now).await? {
            info!(replay.id = %replay.id, "replay `{}`: found {} recordings", replay.id, items.len());
        }
        Ok(())
    }

    async fn go_on(&self, replay: &Replay) -> anyhow::Result<()> {
        self.follow(replay).await?;
        if let Err(refusal) = self.may_replay().await? {
            return self.stop(replay, &refusal.to_string()).await;
        }
        let mut items = self.shadow.store.replay_items(&replay.id).await?;
        while let Some(item) = items
            .iter()
            .find(|item| item.state == ItemState::Waiting)
            .cloned()
        {
            let now = (self.shadow.clock)();
            match self.pace(replay, &items).await?.next(now) {
                Next::Now => {}
                Next::At(_) | Next::AfterAnother => return Ok(()),
                Next::Never { usd, each } => {
                    let budget = replay.budget_usd.unwrap_or_default();
                    let reason = format!(
                        "its budget of {budget:.2} USD is spent: {usd:.4} USD so far, and a recording costs {each:.4} USD on average; `switchyard replay --resume {} --budget USD` goes on",
                        replay.id
                    );
                    return self.stop(replay, &reason).await;
                }
            }
            if !self.hold(&replay.id).await? {
                return Ok(());
            }
            self.start(replay, &item).await?;
            items = self.shadow.store.replay_items(&replay.id).await?;
            let is_as_before = |now: &ReplayItem| now.place == item.place && *now == item;
            if items.iter().any(is_as_before) {
                return Ok(());
            }
        }
        if items.iter().all(|item| item.state != ItemState::Started) {
            let now = (self.shadow.clock)();
            let over = (ReplayState::UnderWay, ReplayState::Ended);
            let reason = if items.is_empty() {
                "no finished recording was found"
            } else {
                ""
            };
            self.shadow
                .store
                .move_replay(&replay.id, over, reason, now)
                .await?;
        }
        Ok(())
    }

    async fn stop(&self, replay: &Replay, reason: &str) -> anyhow::Result<()> {
        let now = (self.shadow.clock)();
        let stopped = (ReplayState::UnderWay, ReplayState::Stopped);
        let store = &self.shadow.store;
        if store.move_replay(&replay.id, stopped, reason, now).await? {
            warn!(replay.id = %replay.id, "replay `{}` has stopped: {reason}", replay.id);
        }
        Ok(())
    }

    /// Follows the runs under way, and compares those that have ended.
    async fn follow(&self, replay: &Replay) -> anyhow::Result<()> {
        for item in self.shadow.store.replay_items(&replay.id).await? {
            if item.state == ItemState::Started
                && let Err(error) = self.follow_one(replay, &item).await
            {
                warn!(replay.id = %replay.id, "cannot follow a replayed recording, trying again: {error:#}");
            }
        }
        Ok(())
    }

    async fn follow_one(&self, replay: &Replay, item: &ReplayItem) -> anyhow::Result<()> {
        let store = &self.shadow.store;
        let id = item
            .run
            .as_ref()
            .context("a started recording has no run")?;
        let mut run = store.run(id).await?.context("a run is gone")?;
        if !run.state.is_final() {
            self.shadow.follow(&run).await?;
            run = store.run(id).await?.context("a run is gone")?;
        }
        if !run.state.is_final() {
            return Ok(());
        }
        let mut verdict = None;
        // One that somebody stopped says nothing of the candidate.
        if run.state != RunState::Terminated {
            self.shadow.compare_once(&run).await?;
            let newest = store.newest_verdict(id).await?;
            let Some((told, _)) = newest.filter(|(_, at)| Some(*at) >= run.finished_at) else {
                return Ok(());
            };
            verdict = Some(told);
        }
        let now = (self.shadow.clock)();
        store
            .end_replay_item(&replay.id, &item.transcript, verdict.as_deref(), now)
            .await
    }

    /// Starts a recording that waits, or says why it cannot be.
    async fn start(&self, replay: &Replay, item: &ReplayItem) -> anyhow::Result<()> {
        let store = &self.shadow.store;
        let runs = store
            .runs_of_recording(&self.about, &item.recording)
            .await?;
        if runs.iter().any(|run| run.is_live) {
            return self.skip(replay, item, Skipped::Served).await;
        }
        let unnoted = runs
            .iter()
            .rfind(|run| run.origin == Origin::Replay && !run.is_noted);
        // Ours, if we died before we noted it.
        if let Some(run) = unnoted {
            return self.note(replay, item, &run.id).await;
        }
        if !runs.is_empty() && !replay.anew {
            return self.skip(replay, item, Skipped::RanBefore).await;
        }
        let (subject, control_id) = match self.keep(replay, item).await? {
            Ok(kept) => kept,
            Err(why) => return self.skip(replay, item, why).await,
        };
        let wanted = Wanted {
            environment: self.about.environment.clone(),
            flag: self.about.flag.clone(),
            subject,
            control_id: Some(control_id),
            again: if runs.is_empty() {
                Again::Resume
            } else {
                Again::Anew
            },
            effects: Effects::Shadow,
            origin: Origin::Replay,
        };
        let now = (self.shadow.clock)();
        let dispatched = dispatch(store, &self.shadow.client, &wanted, now).await;
        let dispatched = dispatched.context("dispatching a past recording")?;
        self.note(replay, item, dispatched.run()).await
    }

    async fn note(&self, replay: &Replay, item: &ReplayItem, run: &RunId) -> anyhow::Result<()> {
        let now = (self.shadow.clock)();
        let store = &self.shadow.store;
        store
            .note_replay_run(&replay.id, &item.transcript, run, now)
            .await?;
        Ok(())
    }

    async fn skip(&self, replay: &Replay, item: &ReplayItem, why: Skipped) -> anyhow::Result<()> {
        let transcript = &item.transcript;
        info!(transcript.id = %transcript, "transcript `{transcript}` is not replayed: {}", why.reason());
        let now = (self.shadow.clock)();
        let store = &self.shadow.store;
        store
            .skip_replay_item(&replay.id, transcript, why, now)
            .await
    }

    /// Keeps what the control made, or says why that cannot be compared with.
    async fn keep(
        &self,
        replay: &Replay,
        item: &ReplayItem,
    ) -> anyhow::Result<Result<(Subject, String), Skipped>> {
        let transcript = &item.transcript;
        let subject = match self
            .reflector
            .subject(transcript, None, &self.ui_base_url)
            .await
        {
            Ok(Some(subject)) => subject,
            Ok(None) | Err(ReflectorError::NoRecording(_)) => return Ok(Err(Skipped::Gone)),
            Err(ReflectorError::Row(_) | ReflectorError::NotJson(_)) => {
                return Ok(Err(Skipped::Unreadable));
            }
            Err(error) => return Err(error.into()),
        };
        if subject.consents.iter().any(|answer| !answer.consent_given) {
            return Ok(Err(Skipped::ConsentDenied));
        }
        let snapshot = match self.reflector.snapshot(transcript).await {
            Ok(Some(snapshot)) => snapshot,
            Ok(None) => return Ok(Err(Skipped::NotFinished)),
            Err(ReflectorError::Row(_) | ReflectorError::NotJson(_)) => {
                return Ok(Err(Skipped::Unreadable));
            }
            Err(error) => return Err(error.into()),
        };
        if snapshot.outcome.audio_deleted {
            return Ok(Err(Skipped::AudioDeleted));
        }
        if snapshot.outcome.status != OutcomeStatus::Ended {
            return Ok(Err(Skipped::NotFinished));
        }
        if snapshot.edited {
            return Ok(Err(Skipped::Edited));
        }
        if !(self.tracks)(subject.clone()).await? {
            return Ok(Err(Skipped::TracksGone));
        }
        let mut subject = subject;
        as_before_the_run(&mut subject);
        let mut outcome = snapshot.outcome;
        outcome.audio = (self.mixes)(transcript.clone()).await?;
        let id = control_id(replay, transcript);
        let store = &self.shadow.store;
        if store.control(&id).await?.is_none() {
            let control = Control {
                id: id.clone(),
                recording_id: subject.recording.id.clone(),
                source: FROM_ROWS.to_owned(),
                outcome,
                taken_at: (self.shadow.clock)(),
            };
            store.insert_control(&control).await?;
        }
        store
            .note_replay_control(&replay.id, transcript, &id)
            .await?;
        Ok(Ok((subject, id)))
    }

    async fn pace(&self, replay: &Replay, items: &[ReplayItem]) -> anyhow::Result<Pace> {
        let mut usd: BTreeMap<String, f64> = BTreeMap::new();
        for (run, used) in self.shadow.store.usages_of_replay(&replay.id).await? {
            let cost = self.shadow.prices.cost(&used.usage).unwrap_or_default();
            *usd.entry(run.to_string()).or_default() += cost;
        }
        let mut pace = Pace {
            per_hour: replay.per_hour,
            budget_usd: replay.budget_usd,
            ..Pace::default()
        };
        let mut took = TimeDelta::zero();
        for item in items {
            let of_run = item.run.as_ref().and_then(|run| usd.get(run.as_str()));
            let cost = of_run.copied().unwrap_or_default();
            pace.last_start = pace.last_start.max(item.started_at);
            match item.state {
                ItemState::Waiting => pace.waiting += 1,
                ItemState::Started => {
                    pace.open += 1;
                    pace.usd_open += cost;
                }
                ItemState::Ended => {
                    pace.ended += 1;
                    pace.usd_ended += cost;
                    if let (Some(started), Some(ended)) = (item.started_at, item.ended_at) {
                        took += ended - started;
                    }
                }
                ItemState::Skipped => {}
            }
        }
        let ended = i32::try_from(pace.ended).unwrap_or(i32::MAX);
        pace.takes = took.checked_div(ended);
        Ok(pace)
    }
}

fn item(place: i64, past: &Past, now: DateTime<Utc>) -> ReplayItem {
    let skipped = past.audio_deleted.then_some(Skipped::AudioDeleted);
    ReplayItem {
        transcript: past.transcript.clone(),
        recording: past.recording.clone(),
        place,
        state: match skipped {
            Some(_) => ItemState::Skipped,
            None => ItemState::Waiting,
        },
        control_id: None,
        run: None,
        skipped,
        verdict: None,
        started_at: None,
        ended_at: skipped.map(|_| now),
    }
}

fn lease(id: &str) -> String {
    format!("replay/{id}")
}

fn control_id(replay: &Replay, transcript: &TranscriptId) -> String {
    let name = format!("{}/{transcript}", replay.id);
    let id = Uuid::new_v5(&CONTROLS, name.as_bytes());
    format!("ctl_{}", id.simple())
}
