//! Starts candidate runs, exactly one for each recording and generation.
//!
//! Our row is written before the engine is asked, and the engine is told the row's id as the
//! correlation. A start whose answer is lost is therefore looked up, never repeated blindly.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tracing::warn;

use crate::{
    conductor::{
        Client, Error, Started, definitions,
        wire::{StartWorkflowRequest, Workflow},
    },
    model::{EnvironmentName, FlagName, Origin, RunId, RunState, Subject, WorkflowId},
    rollout::Live,
    store::{Effects, NewRun, RouteRow, Run, Store},
};

/// A run somebody wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where.
    pub environment: EnvironmentName,
    /// For which migration.
    pub flag: FlagName,
    /// What it is about.
    pub subject: Subject,
    /// The control it is compared with, if there is one.
    pub control_id: Option<String>,
    /// Whether a recording that has run already is run anew.
    pub again: Again,
    /// Whether the run serves the recording's users.
    pub effects: Effects,
    /// What it is for.
    pub origin: Origin,
}

/// What happens to a recording that has run already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// A run that ended well is left alone; one that failed is taken up where it stopped.
    Resume,
    /// A new generation, which finds the answers paid for by earlier ones.
    Anew,
    /// A new generation that pays for its own answers.
    Fresh,
}

/// What dispatching did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dispatched {
    /// A new run was started.
    Started(RunId),
    /// A failed or half-started run goes on.
    Resumed(RunId),
    /// The run was under way already.
    Running(RunId),
    /// The run had ended well before.
    Finished(RunId),
    /// The run's recording was given back to Celery, which serves it: the run never goes on.
    TakenOver(RunId),
}

impl Dispatched {
    /// The run, whatever was done.
    pub const fn run(&self) -> &RunId {
        match self {
            Self::Started(run)
            | Self::Resumed(run)
            | Self::Running(run)
            | Self::Finished(run)
            | Self::TakenOver(run) => run,
        }
    }
}

/// Starts a run, or takes up the one there is.
pub async fn dispatch(
    store: &Store,
    client: &Client,
    wanted: &Wanted,
    now: DateTime<Utc>,
) -> anyhow::Result<Dispatched> {
    dispatch_for(store, client, wanted, None, now).await
}

/// The same for a route that had no run when it was read. By now it may: then that one is taken up,
/// and no other is started.
pub(super) async fn dispatch_for(
    store: &Store,
    client: &Client,
    wanted: &Wanted,
    route: Option<&RouteRow>,
    now: DateTime<Utc>,
) -> anyhow::Result<Dispatched> {
    let recording = &wanted.subject.recording.id;
    let newest = store
        .newest_run(&wanted.environment, &wanted.flag, recording)
        .await?;
    let generation = match (newest, wanted.again) {
        (None, _) => 1,
        (Some(run), Again::Resume) => return take_up(store, client, &run, now).await,
        (Some(run), Again::Anew | Again::Fresh) => run.generation + 1,
    };
    let id = RunId::random();
    let new = NewRun {
        cache_scope: match wanted.again {
            Again::Resume | Again::Anew => String::new(),
            Again::Fresh => id.to_string(),
        },
        id: id.clone(),
        environment: wanted.environment.clone(),
        flag: wanted.flag.clone(),
        generation,
        phase: match wanted.effects {
            Effects::Shadow => "shadow",
            Effects::Live => "cutover",
        }
        .to_owned(),
        effects: wanted.effects,
        origin: wanted.origin,
        subject: wanted.subject.clone(),
        control_id: wanted.control_id.clone(),
    };
    if !store.insert_run_of(&new, route, now).await? {
        if let Some(route) = route {
            let id = store
                .run_of_route(route)
                .await?
                .context("a run of the same generation was dispatched at the same moment")?;
            let run = store.run(&id).await?;
            let run = run.context("the run of a route is gone")?;
            return take_up(store, client, &run, now).await;
        }
        let other = store
            .newest_run(&wanted.environment, &wanted.flag, recording)
            .await?
            .context("a run was dispatched at the same moment, and is gone")?;
        return take_up(store, client, &other, now).await;
    }
    let run = store
        .run(&id)
        .await?
        .context("a run that was just inserted is gone")?;
    start(store, client, &run).await?;
    Ok(Dispatched::Started(id))
}

async fn take_up(
    store: &Store,
    client: &Client,
    run: &Run,
    now: DateTime<Utc>,
) -> anyhow::Result<Dispatched> {
    match run.state {
        RunState::Completed => Ok(Dispatched::Finished(run.id.clone())),
        RunState::Running => Ok(Dispatched::Running(run.id.clone())),
        RunState::Starting | RunState::Failed | RunState::Terminated => {
            if restart(store, client, run, now).await? {
                Ok(Dispatched::Resumed(run.id.clone()))
            } else if is_taken_over(store, run).await? {
                Ok(Dispatched::TakenOver(run.id.clone()))
            } else {
                Ok(Dispatched::Running(run.id.clone()))
            }
        }
    }
}

/// Whether a live run has lost its recording: failback never moves one in flight.
async fn is_taken_over(store: &Store, run: &Run) -> anyhow::Result<bool> {
    if run.epoch.is_none() {
        return Ok(false);
    }
    let owned = store
        .ownership(&run.environment, &run.flag, &run.recording_id)
        .await?;
    Ok(owned.is_none_or(|(ownership, _)| Live::of(&ownership, &run.id).is_none()))
}

/// How long a start may be under way before somebody else sets out to start the run. Longer than
/// any request to the engine takes.
pub(super) const START_TAKES: TimeDelta = TimeDelta::minutes(1);

/// Starts the workflow of a run that has none, or none any more, unless somebody else is at it.
/// False when somebody is, or the run's recording was taken over.
///
/// It is a new workflow, never a retry of the old one: retrying a failed join does not end on some
/// servers, and finished tasks are found in our store anyway.
pub(super) async fn restart(
    store: &Store,
    client: &Client,
    run: &Run,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    if !store.claim_start(&run.id, now - START_TAKES, now).await? {
        return Ok(false);
    }
    begin(store, client, run).await?;
    Ok(true)
}

/// Starts the workflow of a run whose start the caller has claimed, unless an earlier start came to one.
pub(super) async fn begin(store: &Store, client: &Client, run: &Run) -> anyhow::Result<()> {
    match find_started(client, run).await? {
        Some(found) => note_started(store, client, run, &found).await,
        None => start(store, client, run).await,
    }
}

/// A workflow of this run that our row does not know yet.
async fn find_started(client: &Client, run: &Run) -> Result<Option<WorkflowId>, Error> {
    let name = &definitions::workflow().name;
    let found = client.find_started(name, run.id.as_str()).await?;
    let is_new = |found: &Started| match &run.workflow_id {
        None => true,
        // An ended one is what an earlier start came to.
        Some(known) => found.id != *known && !found.workflow.status.is_terminal(),
    };
    Ok(found.filter(is_new).map(|found| found.id))
}

async fn start(store: &Store, client: &Client, run: &Run) -> anyhow::Result<()> {
    let workflow = definitions::workflow();
    let subject = &run.subject;
    let input = json!({
        "run_id": run.id,
        "recording_id": subject.recording.id,
        "transcript_id": subject.transcript.id,
        "bucket_name": subject.recording.bucket_name,
        "track_keys": subject.track_keys,
        "language": subject.transcript.source_language,
    });
    let request = StartWorkflowRequest {
        name: workflow.name.clone(),
        version: Some(workflow.version),
        correlation_id: Some(run.id.to_string()),
        input: serde_json::from_value(input).context("writing the workflow's input")?,
        ..StartWorkflowRequest::default()
    };
    let id = match client.start(&request).await {
        Ok(id) => id,
        // Whether it started is not known.
        Err(error) if error.is_ambiguous() => find_started(client, run)
            .await
            .ok()
            .flatten()
            .ok_or(error)
            .context("starting the workflow; dispatch again once the engine answers")?,
        Err(error) => return Err(error).context("starting the workflow"),
    };
    note_started(store, client, run, &id).await
}

/// Notes that a workflow is at a run. Where the run has ended meanwhile, since its recording was taken
/// over, the workflow is of no use: it could show nobody anything.
async fn note_started(
    store: &Store,
    client: &Client,
    run: &Run,
    workflow: &WorkflowId,
) -> anyhow::Result<()> {
    if !store.mark_running(&run.id, workflow).await?
        && let Err(error) = client
            .terminate(workflow, "its run has ended meanwhile")
            .await
    {
        warn!(run.id = %run.id, recording.id = %run.recording_id, "cannot stop the workflow of a run that has ended: {error}");
    }
    Ok(())
}

/// The workflow of a run as the engine has it, if it still does. One that is starting has none yet: what
/// its row names is what an earlier start came to, and says nothing of this one.
pub(super) async fn workflow_of(client: &Client, run: &Run) -> anyhow::Result<Option<Workflow>> {
    let known = run.workflow_id.as_ref();
    let Some(id) = known.filter(|_| run.state != RunState::Starting) else {
        return Ok(None);
    };
    match client.workflow(id, true).await {
        Ok(workflow) => Ok(Some(workflow)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading workflow `{id}`")),
    }
}
