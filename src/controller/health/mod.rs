//! Health: looks at Conductor and at what both pipelines need, moves the breaker, and says so.
//!
//! Of several controllers one looks. Routers only read the breaker, and rely on no look that is older
//! than 30 seconds: whatever happens to whoever looks, doubt ends on Celery.

pub mod canary;
mod looks;

use std::{collections::HashSet, pin::Pin, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{notices::not_told, shadow::Clock};
use crate::{
    conductor::{Client, Error},
    model::{EnvironmentName, HealthLimits, RunId},
    rollout::{
        Breaker, BreakerState, LIVE_RUNS, Layer, NotClosed, Phase, Probe, Signals, shared_fate,
        weigh,
    },
    store::{About, BreakerChange, BreakerRow, ProbeRow, Run, Store},
};
use looks::{Missed, within};

/// Asks something outside whether it is there.
pub type Reach = Arc<dyn Fn() -> Reached + Send + Sync>;

/// What it answers, for people.
pub type Reached = Pin<Box<dyn Future<Output = anyhow::Result<String>> + Send>>;

/// Something besides Conductor that is looked at.
#[derive(Clone)]
pub struct Neighbour {
    /// Its name.
    pub name: &'static str,
    /// Whether both pipelines need it, or the legacy one alone.
    pub layer: Layer,
    /// Asks it.
    pub reach: Reach,
}

/// How often neighbours are looked at while everything is well: some of them count requests.
const NEIGHBOURS_EVERY: TimeDelta = TimeDelta::seconds(15);

/// How many runs are paused or resumed at once.
const AT_ONCE: usize = 8;

/// Looks at one environment.
pub struct Health {
    about: About,
    store: Store,
    client: Client,
    neighbours: Vec<Neighbour>,
    limits: HealthLimits,
    holder: String,
    clock: Clock,
    missed: Missed,
    /// What neighbours were found to be, and when.
    seen: Option<(DateTime<Utc>, Vec<Probe>)>,
    paused: HashSet<RunId>,
}

/// What a round came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// What was seen.
    pub probes: Vec<Probe>,
    /// The breaker after it.
    pub row: BreakerRow,
}

/// How the breaker stands, for whoever asks.
#[derive(Clone, Debug, PartialEq, serde::Serialize, schemars::JsonSchema)]
pub struct Standing {
    /// Where.
    pub environment: String,
    /// How far the breaker is; none where nobody ever looked.
    pub state: Option<BreakerState>,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// Why.
    pub reason: String,
    /// What happens next, and what would change that.
    pub next: String,
    /// All of that in one line.
    pub line: String,
    /// What is down that both pipelines need; starts of the candidate wait for it.
    pub holding: Option<String>,
    /// When it was looked at last.
    pub checked_at: Option<DateTime<Utc>>,
    /// Whether routers rely on it.
    pub watched: bool,
    /// When it opened last.
    pub opened_at: Option<DateTime<Utc>>,
    /// Who is not told what happens, and why: a sentence for each target.
    pub not_told: Vec<String>,
    /// What was seen last.
    pub probes: Vec<ProbeRow>,
}

impl Health {
    /// Looks by `client`, which had better not be patient.
    pub fn new(
        about: About,
        store: Store,
        client: Client,
        neighbours: Vec<Neighbour>,
        limits: HealthLimits,
        clock: Clock,
    ) -> Self {
        Self {
            about,
            store,
            client,
            neighbours,
            limits,
            holder: format!("health-{}", uuid::Uuid::new_v4().simple()),
            clock,
            missed: Missed::new(),
            seen: None,
            paused: HashSet::new(),
        }
    }

    /// Looks until told to stop.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let every = Duration::from_secs(self.limits.every_s.unsigned_abs());
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => break,
                ticked = self.tick() => if let Err(error) = ticked {
                    warn!("cannot look at Conductor's health, trying again: {error:#}");
                }
            }
        }
        let lease = self.lease();
        if let Err(error) = self.store.release_lease(&lease, &self.holder).await {
            warn!("whoever looks at Conductor's health next has to wait: {error:#}");
        }
    }

    fn lease(&self) -> String {
        format!("health:{}", self.about.environment)
    }

    /// Looks once at everything, and moves the breaker. None where somebody else looks.
    pub async fn tick(&mut self) -> anyhow::Result<Option<Round>> {
        let now = (self.clock)();
        let limits = self.limits;
        let round = limits.every_s + limits.timeout_s.max(limits.canary_s);
        let lasts = TimeDelta::seconds(round + 10);
        let lease = self.lease();
        if !self
            .store
            .hold_lease(&lease, &self.holder, lasts, now)
            .await?
        {
            return Ok(None);
        }
        let probes = self.look(now).await?;
        let now = (self.clock)();
        for probe in &probes {
            let environment = &self.about.environment;
            self.store.note_probe(environment, probe, now).await?;
        }
        let about = &self.about;
        let phase = self.store.phase(&about.environment, &about.flag).await?;
        let only_watched = phase.position.phase() == Phase::Infrastructure;
        let signals = weigh(&probes, only_watched);
        let holding = self.holding(&probes).await?;
        let row = self.move_breaker(&signals, holding).await?;
        Ok(Some(Round { probes, row }))
    }

    async fn look(&mut self, now: DateTime<Utc>) -> anyhow::Result<Vec<Probe>> {
        let (mut probes, polls) =
            looks::conductor(&self.client, &self.holder, &self.limits, now).await;
        if let Some(polls) = polls {
            let now = (self.clock)();
            probes.push(looks::idle(&polls, &mut self.missed, &self.limits, now));
        }
        probes.push(self.live_runs().await?);
        let is_well = probes.iter().all(|probe| probe.found.is_ok());
        probes.extend(self.neighbours(is_well).await);
        Ok(probes)
    }

    /// Neighbours are asked anew where anything is wrong: what both pipelines need may be why.
    async fn neighbours(&mut self, is_well: bool) -> Vec<Probe> {
        let now = (self.clock)();
        if let Some((at, probes)) = &self.seen
            && is_well
            && now - *at < NEIGHBOURS_EVERY
            && probes.iter().all(|probe| probe.found.is_ok())
        {
            return probes.clone();
        }
        let seconds = self.limits.timeout_s;
        let asking = self.neighbours.iter().map(|neighbour| {
            within(
                neighbour.name,
                neighbour.layer,
                seconds,
                (neighbour.reach)(),
            )
        });
        let probes = futures_util::future::join_all(asking).await;
        self.seen = Some((now, probes.clone()));
        probes
    }

    /// Whether the live runs under way get on, by what workers noted in our store.
    async fn live_runs(&self) -> anyhow::Result<Probe> {
        let now = (self.clock)();
        let about = &self.about;
        let quiet = now - TimeDelta::seconds(self.limits.stalled_s);
        let starting = now - TimeDelta::seconds(self.limits.starting_s);
        let stuck = self.store.stuck_runs(&about.environment, starting, quiet);
        let (without, mut stalled) = stuck.await?;
        // What both pipelines need was down meanwhile, or nobody looked: they may yet get on.
        let shared = self.store.probes(&about.environment).await?;
        let mut shared = shared.iter().filter(|probe| probe.layer == Layer::Shared);
        if shared.any(|probe| probe.since > quiet) {
            stalled.clear();
        }
        let found = match (without.as_slice(), stalled.as_slice()) {
            ([], []) => Ok("those under way get on".to_owned()),
            ([run, ..], _) => Err(format!(
                "{} live runs have no workflow after {} s, `{run}` among them",
                without.len(),
                self.limits.starting_s
            )),
            ([], [run, ..]) => Err(format!(
                "{} live runs have not begun or ended an attempt for {} s, `{run}` among them",
                stalled.len(),
                self.limits.stalled_s
            )),
        };
        Ok(Probe {
            name: LIVE_RUNS,
            layer: Layer::Conductor,
            found,
        })
    }

    /// What is down that both pipelines need, once that has lasted as long as any suspicion has to.
    /// What was held is let go when it is back and every paused run was resumed.
    async fn holding(&mut self, probes: &[Probe]) -> anyhow::Result<Option<String>> {
        let now = (self.clock)();
        let environment = &self.about.environment;
        let held = self.store.breaker(environment).await?;
        let held = held.and_then(|row| row.holding);
        let confirm = TimeDelta::seconds(self.limits.confirm_s);
        let seen = self.store.probes(environment).await?;
        let shared: Vec<_> = seen
            .iter()
            .filter(|probe| probe.layer == Layer::Shared)
            .collect();
        let lasts = shared
            .iter()
            .any(|probe| !probe.ok && now - probe.since >= confirm);
        match (shared_fate(probes), held) {
            (Some(down), Some(_)) => {
                self.pause().await?;
                Ok(Some(down))
            }
            (Some(down), None) if lasts => {
                self.pause().await?;
                Ok(Some(down))
            }
            (Some(_) | None, None) => Ok(None),
            (None, Some(held)) => {
                if self.resume().await? {
                    return Ok(None);
                }
                Ok(Some(held))
            }
        }
    }

    async fn live(&self) -> anyhow::Result<Vec<Run>> {
        let mut runs = self.store.open_runs(&self.about.environment).await?;
        runs.retain(|run| run.epoch.is_some());
        Ok(runs)
    }

    /// Pauses live runs under way: what they would do next would fail.
    async fn pause(&mut self) -> anyhow::Result<()> {
        let mut runs = self.live().await?;
        runs.retain(|run| !self.paused.contains(&run.id));
        for some in runs.chunks(AT_ONCE) {
            let pausing = some.iter().map(|run| pause(&self.client, run));
            let paused = futures_util::future::join_all(pausing).await;
            self.paused.extend(paused.into_iter().flatten());
        }
        Ok(())
    }

    /// Resumes live runs under way. False where Conductor could not be asked for one of them.
    async fn resume(&mut self) -> anyhow::Result<bool> {
        let mut all = true;
        for some in self.live().await?.chunks(AT_ONCE) {
            let resuming = some.iter().map(|run| resume(&self.client, run));
            let resumed = futures_util::future::join_all(resuming).await;
            all &= resumed.into_iter().all(|resumed| resumed);
        }
        if all {
            self.paused.clear();
        }
        Ok(all)
    }

    /// Moves the breaker. A person may close it at the same moment: then it is moved from there.
    async fn move_breaker(
        &self,
        signals: &Signals,
        holding: Option<String>,
    ) -> anyhow::Result<BreakerRow> {
        let about = &self.about;
        loop {
            let now = (self.clock)();
            let before = self.store.breaker(&about.environment).await?;
            let breaker = match &before {
                None => Breaker::first(signals, now, &self.limits),
                Some(row) => row.breaker.clone().after(signals, now, &self.limits),
            };
            let changes = self.changes(before.as_ref(), &breaker, holding.as_deref());
            let version = before.map_or(0, |row| row.version);
            let row = BreakerRow {
                breaker,
                holding: holding.clone(),
                version,
            };
            if self.store.set_breaker(about, &row, &changes, now).await? {
                for change in changes {
                    warn!("{}", change.told);
                }
                return Ok(BreakerRow {
                    version: version + 1,
                    ..row
                });
            }
        }
    }

    fn changes(
        &self,
        before: Option<&BreakerRow>,
        now: &Breaker,
        holding: Option<&str>,
    ) -> Vec<BreakerChange> {
        let environment = &self.about.environment;
        let mut changes = Vec::new();
        let was = before.map(|row| (row.breaker.state, row.breaker.step));
        // Nobody is told that all is well at first.
        let is_news = was.is_some() || now.state != BreakerState::Closed;
        if is_news && was != Some((now.state, now.step)) {
            changes.push(BreakerChange {
                by: "switchyard".to_owned(),
                action: "breaker",
                before: was
                    .map_or("not watched", |(state, _)| state.as_str())
                    .to_owned(),
                after: now.state.to_string(),
                reason: now.reason.clone(),
                told: format!("{environment}: the breaker is {}", now.line(&self.limits)),
            });
        }
        let held = before.and_then(|row| row.holding.as_deref());
        if held.is_some() != holding.is_some() {
            let told = match holding {
                Some(down) => format!(
                    "{environment}: both pipelines need what is down, so Conductor is not to blame and nothing is \
                     given back to Celery; starts of the candidate wait and its live runs are paused: {down}"
                ),
                None => format!(
                    "{environment}: what both pipelines need is back; the candidate's live runs go on"
                ),
            };
            changes.push(BreakerChange {
                by: "switchyard".to_owned(),
                action: "shared_fate",
                before: held.unwrap_or("nothing is held").to_owned(),
                after: holding.unwrap_or("nothing is held").to_owned(),
                reason: holding.or(held).unwrap_or_default().to_owned(),
                told,
            });
        }
        changes
    }
}

async fn pause(client: &Client, run: &Run) -> Option<RunId> {
    match client.pause(run.workflow_id.as_ref()?).await {
        Ok(()) => Some(run.id.clone()),
        Err(error) => {
            warn!(run.id = %run.id, recording.id = %run.recording_id, "cannot pause a run, trying again: {error}");
            None
        }
    }
}

async fn resume(client: &Client, run: &Run) -> bool {
    let Some(id) = &run.workflow_id else {
        return true;
    };
    match client.resume(id).await {
        // Conductor refuses with 500 what is not paused.
        Ok(()) | Err(Error::Refused { status: 500, .. }) => true,
        Err(error) if !error.is_outage() => true,
        Err(error) => {
            warn!(run.id = %run.id, recording.id = %run.recording_id, "cannot resume a run, trying again: {error}");
            false
        }
    }
}

/// How the breaker of an environment stands.
pub async fn standing(
    store: &Store,
    environment: &EnvironmentName,
    limits: &HealthLimits,
    now: DateTime<Utc>,
) -> anyhow::Result<Standing> {
    let row = store.breaker(environment).await?;
    let probes = store.probes(environment).await?;
    let not_told = not_told(store, environment, now).await?;
    let environment = environment.to_string();
    let Some(BreakerRow {
        breaker, holding, ..
    }) = row
    else {
        let reason = "nobody has looked at Conductor yet".to_owned();
        let next = "start `switchyard serve`, which looks".to_owned();
        return Ok(Standing {
            environment,
            state: None,
            since: None,
            line: format!("not watched: {reason}. Next: {next}."),
            reason,
            next,
            holding: None,
            checked_at: None,
            watched: false,
            opened_at: None,
            not_told,
            probes,
        });
    };
    let watched = breaker.is_watched(now);
    let mut line = breaker.line(limits);
    if !watched {
        line = format!(
            "not watched since {}, so nothing starts on Conductor; before that, {line}",
            breaker.checked_at.format("%Y-%m-%d %H:%M:%S UTC")
        );
    }
    Ok(Standing {
        environment,
        state: Some(breaker.state),
        since: Some(breaker.since),
        next: breaker.next(limits),
        line,
        holding,
        checked_at: Some(breaker.checked_at),
        watched,
        opened_at: breaker.opened_at,
        reason: breaker.reason,
        not_told,
        probes,
    })
}

/// Closes the breaker by a person's word, or says why not.
pub async fn close(
    store: &Store,
    about: &About,
    (by, reason): (&str, &str),
    now: DateTime<Utc>,
) -> anyhow::Result<Result<(), NotClosed>> {
    loop {
        let Some(row) = store.breaker(&about.environment).await? else {
            return Ok(Err(NotClosed::NotWatched));
        };
        let before = row.breaker.state;
        let closed = match row.breaker.closed_by(by, reason, now) {
            Ok(closed) => closed,
            Err(refused) => return Ok(Err(refused)),
        };
        let told = format!("{}: {by} closed the breaker: {reason}", about.environment);
        let change = BreakerChange {
            by: by.to_owned(),
            action: "breaker",
            before: before.to_string(),
            after: closed.state.to_string(),
            reason: reason.to_owned(),
            told: told.clone(),
        };
        let row = BreakerRow {
            breaker: closed,
            ..row
        };
        if store.set_breaker(about, &row, &[change], now).await? {
            info!("{told}");
            return Ok(Ok(()));
        }
    }
}
