//! Runs the steps of a compared run once more, each on what the control had made before it, to find the
//! step that a difference comes from.
//!
//! The tasks are those of the pipeline, and cannot do anything others can see: they are a shadow
//! run's, they find the control's results in place of their own run's, and what they make is judged and
//! forgotten. What is kept says which fields agree, and holds no meeting text.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context as _;
use chrono::TimeDelta;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    Assignment, Context, REGISTRY, Services, TaskError,
    asking::Asking,
    tasks::{Summaries, Title, Topics},
};
use crate::{
    compare::{self, Pinned, PinnedRun, Policy, first_divergence, worth_pinning},
    conductor::definitions,
    contract::merge::merge,
    model::{EnvironmentName, FlagName, Outcome, RecordingId, RunId, TaskName, Word, digest},
    report::ReportData,
    store::{self, IntentKind, Output, Run, StoredComparison},
};

/// How often is looked for runs that were compared.
const EVERY: Duration = Duration::from_secs(10);

/// How long a process that fell silent while it ran steps is waited for.
const WORKING: TimeDelta = TimeDelta::minutes(20);

/// Older comparisons are left as they are.
const YOUNG: TimeDelta = TimeDelta::days(3);

/// How many runs are looked at in one tick.
const BATCH: i64 = 20;

/// Finds where differences come from, for one environment.
pub struct Pinning {
    services: Arc<Services>,
    asking: Arc<Asking>,
    environment: EnvironmentName,
    flag: FlagName,
    policy: Arc<Policy>,
    percent: u8,
}

impl Pinning {
    /// `percent` of recordings that differ are looked into.
    pub fn new(
        services: Arc<Services>,
        environment: EnvironmentName,
        flag: FlagName,
        policy: Arc<Policy>,
        percent: u8,
    ) -> Self {
        Self {
            services,
            asking: Arc::default(),
            environment,
            flag,
            policy,
            percent,
        }
    }

    /// Ticks until told to stop. What is cut off is begun again by the next process.
    pub async fn run(self, shutdown: CancellationToken) {
        if self.percent == 0 {
            return;
        }
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let working = async {
            loop {
                ticks.tick().await;
                if let Err(error) = self.tick().await {
                    warn!(
                        "cannot look for the steps that differences come from, trying again: {error:#}"
                    );
                }
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = working => {}
        }
    }

    /// Looks once at every run that was compared and differs. How many were explained.
    pub async fn tick(&self) -> anyhow::Result<usize> {
        let store = &self.services.store;
        let now = (self.services.clock)();
        let standing = store.standing(&self.environment, &self.flag, now).await?;
        if standing.spent.is_some_and(|spent| spent.shed.is_some()) {
            // Shadow runs have used up what they may use today, and this is of them.
            return Ok(0);
        }
        let mut explained = 0;
        for id in store
            .runs_to_pin(&self.environment, now - YOUNG, BATCH)
            .await?
        {
            match self.explain_once(&id).await {
                Ok(true) => explained += 1,
                Ok(false) => {}
                Err(error) => {
                    warn!(run.id = %id, "cannot find the step that a run's differences come from, trying again: {error:#}");
                }
            }
        }
        Ok(explained)
    }

    fn is_drawn(&self, recording: &RecordingId) -> bool {
        let hash = digest::of_text(&format!("pinned\0{recording}"));
        let draw = u64::from_str_radix(&hash[..12], 16).unwrap_or_default() % 100;
        draw < u64::from(self.percent)
    }

    async fn explain_once(&self, id: &RunId) -> anyhow::Result<bool> {
        let store = &self.services.store;
        let Some(run) = store.run(id).await? else {
            return Ok(false);
        };
        if !self.is_drawn(&run.recording_id) {
            return Ok(false);
        }
        let name = format!("pin/{id}");
        let holder = uuid::Uuid::new_v4().to_string();
        let now = (self.services.clock)();
        if !store.hold_lease(&name, &holder, WORKING, now).await? {
            return Ok(false);
        }
        let explained = self.explain(&run).await;
        store.release_lease(&name, &holder).await?;
        let Some(pinned) = explained? else {
            return Ok(false);
        };
        info!(run.id = %id, recording.id = %run.recording_id, "run `{id}`: {}", pinned.sentence());
        Ok(true)
    }

    /// Runs the steps of a run on the control's own and keeps what that says. None where the run was
    /// not compared, or is explained already.
    pub async fn explain(&self, run: &Run) -> anyhow::Result<Option<Pinned>> {
        let store = &self.services.store;
        let Some(compared) = store.newest_comparison(&run.id).await? else {
            return Ok(None);
        };
        let known = store.pinning(&run.id).await?;
        if known.is_some_and(|known| known.compared_at >= compared.compared_at) {
            return Ok(None);
        }
        let StoredComparison {
            compared_at,
            policy_digest,
            report,
            ..
        } = compared;
        let report: ReportData =
            serde_json::from_value(report).context("reading a comparison's report")?;
        let mut runs = BTreeMap::new();
        for task in worth_pinning(&report.comparison) {
            let made = self.made(task, run, &report.control).await;
            runs.insert(task, self.judged(&report.control, made).await?);
        }
        let pinned = first_divergence(&report.comparison, &runs);
        let kept = store::Pinning {
            run_id: run.id.clone(),
            compared_at,
            policy_digest,
            first: pinned.first.map(|step| step.to_string()),
            report: serde_json::to_value(&pinned).context("writing a pinning")?,
        };
        store.keep_pinning(&kept, (self.services.clock)()).await?;
        Ok(Some(pinned))
    }

    async fn judged(
        &self,
        control: &Outcome,
        made: Result<Outcome, TaskError>,
    ) -> anyhow::Result<PinnedRun> {
        let made = match made {
            Ok(made) => made,
            Err(error) => return Ok(Err(format!("it could not be run: {error}"))),
        };
        let (control, policy) = (control.clone(), Arc::clone(&self.policy));
        // Aligning the words of a long meeting takes seconds.
        let judging =
            tokio::task::spawn_blocking(move || compare::compare(&control, &made, &policy));
        Ok(Ok(judging.await.context("comparing a step's result")?))
    }

    /// The control's outcome with what the candidate's step makes of the control's own.
    async fn made(
        &self,
        task: TaskName,
        run: &Run,
        control: &Outcome,
    ) -> Result<Outcome, TaskError> {
        let mut outcome = control.clone();
        if task == TaskName::MergeTranscripts {
            outcome.words = merge(by_track(&control.words));
            return Ok(outcome);
        }
        let (document, requests) = self.work(task, run, control).await?;
        match task {
            TaskName::DetectTopics => {
                let topics: Topics = read(document)?;
                outcome.topics = topics.topics;
                outcome.webvtt = Some(topics.webvtt);
            }
            TaskName::GenerateTitle => {
                outcome.title = optional::<Title>(document)?.map(|made| made.title);
            }
            TaskName::GenerateSummary => {
                let summaries = optional::<Summaries>(document)?;
                outcome.short_summary = summaries.as_ref().map(|made| made.short_summary.clone());
                outcome.long_summary = summaries.map(|made| made.long_summary);
            }
            TaskName::PostZulip => outcome.zulip = request(&requests, IntentKind::Zulip)?,
            TaskName::SendWebhook => outcome.webhook = request(&requests, IntentKind::Webhook)?,
            _ => {}
        }
        Ok(outcome)
    }

    /// Runs one task on the control's own: its document, and the requests it would have sent.
    async fn work(
        &self,
        task: TaskName,
        run: &Run,
        control: &Outcome,
    ) -> Result<(Option<Value>, Vec<store::Intent>), TaskError> {
        let entry = REGISTRY
            .iter()
            .find(|entry| entry.name == task)
            .ok_or_else(|| TaskError::terminal(format!("there is no task `{task}`")))?;
        let assignment = Assignment {
            task_id: format!("pinned_{}", uuid::Uuid::new_v4().simple()),
            workflow_id: String::new(),
            task_ref: task.to_string(),
            attempt: 1,
            attempts: 1,
        };
        let context = Context::pinned(
            Arc::clone(&self.services),
            Arc::clone(&self.asking),
            run.clone(),
            assignment.clone(),
            checkpoints(control)?,
        );
        let input = json!({
            "run_id": run.id,
            "transcript_ref": TaskName::MergeTranscripts,
            "topics_ref": TaskName::DetectTopics,
            "participants_ref": TaskName::GetParticipants,
        });
        let seconds = definitions::contract(task).definition.timeout_seconds;
        let time = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let made = tokio::time::timeout(time, (entry.run)(input, &context)).await;
        // It is paid for, whatever came of it.
        let usage = context.take_usage();
        let task_ref = format!("pinned_{task}");
        let store = &self.services.store;
        store
            .note_usage(&run.id, &task_ref, &assignment.task_id, &usage)
            .await?;
        let made = made.unwrap_or_else(|_| {
            Err(TaskError::retry(format!(
                "it did not end within {seconds} s"
            )))
        })?;
        Ok((made.document, context.take_intents()))
    }
}

/// The words of each track, in the order they have in the whole.
fn by_track(words: &[Word]) -> Vec<Vec<Word>> {
    let mut tracks: BTreeMap<i64, Vec<Word>> = BTreeMap::new();
    for word in words {
        tracks.entry(word.speaker).or_default().push(word.clone());
    }
    tracks.into_values().collect()
}

/// What the control made, as the candidate's tasks would have left it.
fn checkpoints(control: &Outcome) -> Result<Vec<Output>, TaskError> {
    let has_topics = !control.topics.is_empty();
    let document = |task: TaskName, document: Value| Output {
        task_ref: task.to_string(),
        input_hash: String::new(),
        output: Value::Null,
        document: (!document.is_null()).then_some(document),
    };
    let topics = Topics {
        topics: control.topics.clone(),
        webvtt: control.webvtt.clone().unwrap_or_default(),
    };
    let title = control.title.clone().filter(|_| has_topics);
    let summaries = Summaries {
        short_summary: control.short_summary.clone().unwrap_or_default(),
        long_summary: control.long_summary.clone().unwrap_or_default(),
        subject_count: 0,
        degraded: None,
    };
    Ok(vec![
        document(TaskName::MergeTranscripts, value(&control.words)?),
        document(TaskName::GetParticipants, value(&control.participants)?),
        document(TaskName::DetectTopics, value(topics)?),
        document(
            TaskName::GenerateTitle,
            value(title.map(|title| Title { title }))?,
        ),
        document(
            TaskName::GenerateSummary,
            value(has_topics.then_some(summaries))?,
        ),
        Output {
            output: json!({
                "audio_key": "", "size": 0, "clipped": 0,
                "duration_ms": control.duration_ms.unwrap_or_default(),
            }),
            ..document(TaskName::MixdownTracks, Value::Null)
        },
    ])
}

fn value(of: impl Serialize) -> Result<Value, TaskError> {
    serde_json::to_value(of).map_err(|error| unreadable(&error))
}

fn optional<T: DeserializeOwned>(document: Option<Value>) -> Result<Option<T>, TaskError> {
    document.map(|document| read(Some(document))).transpose()
}

fn read<T: DeserializeOwned>(document: Option<Value>) -> Result<T, TaskError> {
    serde_json::from_value(document.unwrap_or_default()).map_err(|error| unreadable(&error))
}

/// The request of this kind that a live run would have sent, if any.
fn request(
    intents: &[store::Intent],
    kind: IntentKind,
) -> Result<Option<crate::model::HttpRequest>, TaskError> {
    intents
        .iter()
        .find(|intent| intent.kind == kind)
        .map(|intent| serde_json::from_str(&intent.content).map_err(|error| unreadable(&error)))
        .transpose()
}

/// Which kind of mistake it is, without what was there.
fn unreadable(error: &serde_json::Error) -> TaskError {
    TaskError::terminal(format!(
        "the control's result is not as the tasks have theirs ({:?})",
        error.classify()
    ))
}
