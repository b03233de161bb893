//! Follows candidate runs to their end, and compares them with their controls.
//!
//! One `tick` looks once at everything there is to do, so tests and the command line drive it
//! themselves; `run` ticks until told to stop.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, info, info_span, warn};

use super::{
    candidate_outcome,
    control::judged_by,
    dispatch::{restart, workflow_of},
    telling::Telling,
};
use crate::{
    compare::{self, Field, FieldResult, FieldVerdict, Meanings, Policy},
    conductor::{
        Client,
        wire::{Task, TaskStatus, Workflow, WorkflowStatus},
    },
    cost::PriceTable,
    model::{
        EnvironmentName, Outcome, Pipeline, RunState, StepStatus, TaskName, Usage, UsageKind,
        digest,
    },
    progress::{self, Progress},
    report::{CostLine, ReportData, SharedLine},
    rollout::audit::Entry,
    store::{ComparisonFacts, Run, Store, StoredComparison},
};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Says how near the two texts of each pair are in meaning, from -1 to 1.
pub type Meaning = Arc<
    dyn Fn(Vec<(String, String)>) -> BoxFuture<'static, anyhow::Result<Vec<f64>>> + Send + Sync,
>;

/// Follows and compares the runs of one environment.
#[derive(Clone)]
pub struct Shadow {
    /// The environment; others' runs are left alone.
    pub environment: EnvironmentName,
    /// Our database.
    pub store: Store,
    /// The environment's engine.
    pub client: Client,
    /// How strictly is compared.
    pub policy: Arc<Policy>,
    /// What things cost.
    pub prices: Arc<PriceTable>,
    /// Where the progress of live runs is told, if anywhere.
    pub telling: Option<Telling>,
    /// Who says how near texts are in meaning, if anybody.
    pub meaning: Option<Meaning>,
    /// The digest of everything but the policy that a comparison's result depends on.
    pub versions: Arc<str>,
    /// The time.
    pub clock: Clock,
}

/// What following a run once found.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// How far the run is.
    pub state: RunState,
    /// What its tasks say; none while the engine does not know the run.
    pub progress: Option<Progress>,
    /// Somebody had the engine schedule nothing of it.
    pub is_paused: bool,
}

/// How often runs are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Fields that others would have seen, beside the transcript itself.
const EFFECTS: [Field; 6] = [
    Field::Messages,
    Field::Objects,
    Field::Deletions,
    Field::AudioDeleted,
    Field::Zulip,
    Field::Webhook,
];

/// How long a process that fell silent while it compared is waited for.
pub(super) const COMPARING: TimeDelta = TimeDelta::seconds(30);

/// What everything says that is logged while a run is looked at.
fn spoken_of(run: &Run) -> Span {
    info_span!(
        "run",
        run.id = %run.id,
        recording.id = %run.recording_id,
        transcript.id = %run.transcript_id,
    )
}

impl Shadow {
    /// Ticks until told to stop. A tick that fails is told and tried again.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.tick().await {
                warn!("cannot follow the runs, trying again: {error:#}");
            }
        }
    }

    /// Looks once at every open run, and compares what has ended.
    pub async fn tick(&self) -> anyhow::Result<()> {
        let versions = self.epoch();
        self.store
            .note_versions(&self.environment, &versions)
            .await?;
        for run in self.store.open_runs(&self.environment).await? {
            if let Err(error) = self.follow(&run).instrument(spoken_of(&run)).await {
                warn!(run.id = %run.id, recording.id = %run.recording_id, "cannot follow a run, trying again: {error:#}");
            }
        }
        for run in self.store.runs_to_compare(&self.environment).await? {
            if let Err(error) = self.compare_once(&run).instrument(spoken_of(&run)).await {
                warn!(run.id = %run.id, recording.id = %run.recording_id, "cannot compare a run, trying again: {error:#}");
            }
        }
        self.measure_noise().await?;
        Ok(())
    }

    /// Looks at one run and touches nothing.
    pub async fn look(&self, run: &Run) -> anyhow::Result<Followed> {
        let workflow = workflow_of(&self.client, run).await?;
        Ok(Followed {
            state: run.state,
            is_paused: workflow
                .as_ref()
                .is_some_and(|workflow| workflow.status == WorkflowStatus::Paused),
            progress: workflow.map(|workflow| progress_of(&workflow, run)),
        })
    }

    /// Looks at one run, and notes its end. A run the engine does not know is started again.
    pub async fn follow(&self, run: &Run) -> anyhow::Result<Followed> {
        let Some(workflow) = workflow_of(&self.client, run).await? else {
            return self.recover(run).await;
        };
        let progress = progress_of(&workflow, run);
        if let Some(telling) = &self.telling
            && let Err(error) = telling.tell(&self.store, run, &progress).await
        {
            warn!(run.id = %run.id, recording.id = %run.recording_id, "cannot tell browsers of a run's progress, trying again: {error:#}");
        }
        let state = match workflow.status {
            WorkflowStatus::Running | WorkflowStatus::Paused => RunState::Running,
            WorkflowStatus::Completed => RunState::Completed,
            WorkflowStatus::Failed | WorkflowStatus::TimedOut => RunState::Failed,
            WorkflowStatus::Terminated => RunState::Terminated,
        };
        if state.is_final() {
            let failure = match state {
                RunState::Completed => None,
                _ => Some(self.failure(run, &workflow).await?),
            };
            let now = (self.clock)();
            if self
                .store
                .finish_run(&run.id, state, failure.as_deref(), now)
                .await?
            {
                info!(run.id = %run.id, recording.id = %run.recording_id, "run `{}` has ended: {}", run.id, state.as_str());
            }
        }
        Ok(Followed {
            state,
            is_paused: workflow.status == WorkflowStatus::Paused,
            progress: Some(progress),
        })
    }

    /// Starts a run again that the engine does not know: it lost it, or our start never arrived.
    /// Nothing is done twice, since finished tasks are found in our store.
    async fn recover(&self, run: &Run) -> anyhow::Result<Followed> {
        let breaker = self.store.breaker(&self.environment).await?;
        if breaker.is_some_and(|row| row.breaker.is_unwell((self.clock)())) {
            // It is given back, or found again once the engine is well.
            return Ok(Followed {
                state: run.state,
                is_paused: false,
                progress: None,
            });
        }
        if restart(&self.store, &self.client, run, (self.clock)()).await? {
            warn!(run.id = %run.id, recording.id = %run.recording_id, "the engine did not know run `{}`, started it again", run.id);
        }
        Ok(Followed {
            state: run.state,
            is_paused: false,
            progress: None,
        })
    }

    /// Step, attempt and cause of the failure. The engine tells which attempt it was, and our own
    /// trail has the whole cause, of which engines keep the beginning.
    async fn failure(&self, run: &Run, workflow: &Workflow) -> anyhow::Result<String> {
        let reason = workflow.reason_for_incompletion.clone();
        let reason =
            reason.unwrap_or_else(|| format!("the engine says {}", workflow.status.as_str()));
        let Some(task) = culprit(workflow) else {
            return Ok(reason);
        };
        let attempts = self.store.attempts(&run.id).await?;
        let cause = attempts
            .into_iter()
            .find(|attempt| attempt.task_id == task.task_id)
            .and_then(|attempt| attempt.cause)
            .or_else(|| task.reason_for_incompletion.clone())
            .unwrap_or(reason);
        let (step, attempt) = (&task.reference_task_name, task.retry_count + 1);
        Ok(format!("{step}, attempt {attempt}: {cause}"))
    }

    /// Compares a run that has ended, unless that was done since or another process is at it.
    pub async fn compare_once(&self, run: &Run) -> anyhow::Result<()> {
        let (name, holder) = (
            format!("compare/{}", run.id),
            uuid::Uuid::new_v4().to_string(),
        );
        let now = (self.clock)();
        if !self
            .store
            .hold_lease(&name, &holder, COMPARING, now)
            .await?
        {
            return Ok(());
        }
        let newest = self.store.newest_verdict(&run.id).await?;
        let is_compared = newest.is_some_and(|(_, at)| Some(at) >= run.finished_at);
        let compared = if is_compared {
            Ok(None)
        } else {
            self.compare(run).await.map(Some)
        };
        self.store.release_lease(&name, &holder).await?;
        if let Some(report) = compared? {
            let verdict = report.comparison.verdict;
            info!(run.id = %run.id, recording.id = %run.recording_id, "compared run `{}`: {verdict}", run.id);
        }
        Ok(())
    }

    /// Compares a run that has ended with its control, and keeps the result.
    pub async fn compare(&self, run: &Run) -> anyhow::Result<ReportData> {
        self.compared(run, None).await
    }

    /// The same for somebody who asked for it: `on_record` is what of, by the verdict.
    pub(super) async fn compare_for(
        &self,
        run: &Run,
        on_record: &(dyn Fn(&str) -> Entry + Sync),
    ) -> anyhow::Result<ReportData> {
        self.compared(run, Some(on_record)).await
    }

    async fn compared(
        &self,
        run: &Run,
        on_record: Option<&(dyn Fn(&str) -> Entry + Sync)>,
    ) -> anyhow::Result<ReportData> {
        let control_id = run
            .control_id
            .as_deref()
            .with_context(|| format!("run `{}` has no control to be compared with", run.id))?;
        let deleted = self.store.control_texts_deleted(control_id).await?;
        if let Some(at) = run.texts_deleted_at.or(deleted) {
            anyhow::bail!(
                "what was said in the meeting of run `{}` was deleted on {}: it cannot be compared again; its newest comparison stays",
                run.id,
                at.format("%Y-%m-%d")
            );
        }
        let control = self
            .store
            .control(control_id)
            .await?
            .with_context(|| format!("the control `{control_id}` is not in the store"))?;
        let candidate = candidate_outcome(&self.store, run).await?;
        let mut costs = Vec::new();
        for usage in &control.outcome.usage {
            costs.push(self.cost_line(Pipeline::Control, "all steps", usage));
        }
        for metered in self.store.usages(&run.id).await? {
            let step = task_of(&metered.task_ref);
            costs.push(self.cost_line(Pipeline::Candidate, step, &metered.usage));
        }
        let now = (self.clock)();
        let policy = judged_by(&self.policy, &control.source);
        let meanings = self.meanings(run, &control.outcome, &candidate).await;
        let (control, candidate, comparison) = tokio::task::spawn_blocking(move || {
            // Measuring a meeting of some hours takes a good part of a second.
            let comparison =
                compare::compare_with(&control.outcome, &candidate, &policy, &meanings);
            (control.outcome, candidate, comparison)
        })
        .await
        .context("comparing the outcomes")?;
        let report = ReportData {
            recording: run.recording_id.clone(),
            environment: run.environment.to_string(),
            flag: run.flag.to_string(),
            control_run: None,
            candidate_run: Some(run.id.clone()),
            compared_at: now.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            comparison,
            control,
            candidate,
            costs: merged(costs),
            currency: "USD".to_owned(),
            is_shadow: run.epoch.is_none(),
            shared: self.shared(run).await?,
            pinned: None,
            borne: Vec::new(),
            texts_deleted: None,
        };
        let comparison = &report.comparison;
        let stored = StoredComparison {
            id: format!("cmp_{}", uuid::Uuid::new_v4().simple()),
            run_id: run.id.clone(),
            verdict: comparison.verdict.to_string(),
            policy_digest: self.policy.digest.clone(),
            epoch: self.epoch(),
            report: serde_json::to_value(&report).context("writing a report")?,
            compared_at: now,
            fields: comparison.fields.iter().map(super::noise::stored).collect(),
            facts: self.facts(run, &report).await?,
        };
        let entry = on_record.map(|on_record| on_record(&stored.verdict));
        self.store.insert_comparison_of(&stored, entry).await?;
        Ok(report)
    }

    /// What a model says of the texts that differ. It decides nothing, so a comparison does not wait
    /// for one that cannot be asked.
    async fn meanings(&self, run: &Run, control: &Outcome, candidate: &Outcome) -> Meanings {
        let Some(meaning) = &self.meaning else {
            return Meanings::new();
        };
        let (fields, pairs): (Vec<_>, Vec<_>) =
            compare::texts_apart(control, candidate).into_iter().unzip();
        match meaning(pairs).await {
            Ok(cosines) => fields.into_iter().zip(cosines).collect(),
            Err(error) => {
                warn!(run.id = %run.id, recording.id = %run.recording_id, "comparing a run without what a model says of its texts: {error:#}");
                Meanings::new()
            }
        }
    }

    /// What the gate takes from a comparison.
    async fn facts(&self, run: &Run, report: &ReportData) -> anyhow::Result<ComparisonFacts> {
        let comparison = &report.comparison;
        let judged = |of: &dyn Fn(&FieldResult) -> bool| -> Vec<&FieldResult> {
            let could = |field: &&FieldResult| field.verdict != FieldVerdict::NotComparable;
            let fields = comparison.fields.iter().filter(could);
            fields.filter(|field| of(field)).collect()
        };
        let effects = judged(&|field| EFFECTS.contains(&field.field));
        let took = |(from, to): (DateTime<Utc>, DateTime<Utc>)| (to - from).num_milliseconds();
        let control_ms = self.store.control_took(&run.id).await?.map(took);
        // Where it was not timed from outside, its steps were, one after the other.
        let steps = report.control.steps.iter().map(|step| step.wall_ms);
        let steps = Some(steps.sum::<f64>()).filter(|ms| *ms > 0.0);
        let candidate_ms = run.finished_at.map(|ended| took((run.started_at, ended)));
        let cost = |of: Pipeline| -> Option<f64> {
            let lines = report.costs.iter().filter(|line| line.pipeline == of);
            let each: Option<Vec<f64>> = lines.map(|line| line.cost).collect();
            each.filter(|all| !all.is_empty())
                .map(|all| all.iter().sum())
        };
        Ok(ComparisonFacts {
            compared: judged(&|_| true)
                .iter()
                .map(|field| field.field.to_string())
                .collect(),
            tracks: i64::try_from(run.subject.track_keys.len()).unwrap_or(i64::MAX),
            audio_ms: report.control.duration_ms.or(report.candidate.duration_ms),
            language: run.subject.transcript.source_language.clone(),
            control_ms: control_ms.map(|ms| ms as f64).or(steps),
            candidate_ms: candidate_ms.map(|ms| ms as f64),
            control_usd: cost(Pipeline::Control),
            candidate_usd: cost(Pipeline::Candidate),
            effects_equal: (!effects.is_empty()).then(|| {
                let differs = |field: &&FieldResult| field.verdict == FieldVerdict::Differs;
                !effects.iter().any(differs)
            }),
        })
    }

    /// The digest of versions that comparisons are made under now.
    pub fn epoch(&self) -> String {
        epoch(&self.versions, &self.policy)
    }

    fn cost_line(&self, pipeline: Pipeline, step: &str, usage: &Usage) -> CostLine {
        CostLine {
            pipeline,
            step: step.to_owned(),
            what: format!("{}, {}", usage.kind.as_str().replace('_', " "), usage.of),
            amount: usage.amount,
            unit: unit(usage.kind).to_owned(),
            cost: self.prices.cost(usage),
        }
    }

    /// What a run was spared.
    async fn shared(&self, run: &Run) -> anyhow::Result<Vec<SharedLine>> {
        let savings = self.store.savings(&run.id).await?.into_iter();
        Ok(savings
            .map(|saved| SharedLine {
                service: saved.service.as_str().to_owned(),
                asked: saved.asked,
                reused: saved.reused,
                tokens: saved.cost.tokens_in + saved.cost.tokens_out,
                gpu_seconds: saved.cost.gpu_seconds,
            })
            .collect())
    }
}

/// The digest of versions that evidence is gathered under: another policy or another version of
/// anything begins it anew.
pub fn epoch(versions: &str, policy: &Policy) -> String {
    let all = format!("{versions}\0{}", policy.digest);
    digest::of_text(&all)[..16].to_owned()
}

/// The attempt that ended a run: the first to fail that was not followed by another.
fn culprit(workflow: &Workflow) -> Option<&Task> {
    workflow
        .tasks
        .iter()
        .filter(|task| task.status.is_terminal() && !task.status.is_successful())
        .filter(|task| task.status != TaskStatus::Canceled && !task.retried)
        // A join fails because of what it joins.
        .filter(|task| task.task_def_name.parse::<TaskName>().is_ok())
        .min_by_key(|task| (task.end_time, task.seq))
}

/// How far a run is, by the engine's word.
pub fn progress_of(workflow: &Workflow, run: &Run) -> Progress {
    let tasks: Vec<_> = workflow
        .tasks
        .iter()
        .filter_map(|task| {
            let name: TaskName = task.task_def_name.parse().ok()?;
            let allowed = crate::conductor::definitions::contract(name)
                .definition
                .retry_count;
            Some(progress::Task {
                reference: task.reference_task_name.clone(),
                name,
                status: match task.status {
                    TaskStatus::Scheduled => StepStatus::Pending,
                    TaskStatus::InProgress => StepStatus::InProgress,
                    TaskStatus::Completed
                    | TaskStatus::CompletedWithErrors
                    | TaskStatus::Skipped => StepStatus::Completed,
                    TaskStatus::Failed
                    | TaskStatus::FailedWithTerminalError
                    | TaskStatus::TimedOut
                    | TaskStatus::Canceled => StepStatus::Failed,
                },
                attempt: u32::try_from(task.retry_count).unwrap_or(0) + 1,
                attempts_allowed: u32::try_from(allowed).unwrap_or(0) + 1,
            })
        })
        .collect();
    progress::progress(&tasks, run.subject.track_keys.len())
}

/// The task kind behind a reference name: fork members carry their index at the end.
pub(super) fn task_of(task_ref: &str) -> &str {
    let kind = task_ref.trim_end_matches(|last: char| last.is_ascii_digit());
    kind.trim_end_matches('_')
}

pub(super) const fn unit(kind: UsageKind) -> &'static str {
    match kind {
        UsageKind::GpuSeconds | UsageKind::AudioSeconds => "s",
        UsageKind::TokensIn | UsageKind::TokensOut => "tokens",
        UsageKind::BytesRead | UsageKind::BytesWritten => "bytes",
    }
}

/// One line for each step and thing: the members of a fork are one step.
fn merged(lines: Vec<CostLine>) -> Vec<CostLine> {
    let mut merged: Vec<CostLine> = Vec::new();
    for line in lines {
        let same = merged.iter_mut().find(|known| {
            (known.pipeline, &known.step, &known.what) == (line.pipeline, &line.step, &line.what)
        });
        match same {
            Some(known) => {
                known.amount += line.amount;
                known.cost = known.cost.zip(line.cost).map(|(one, other)| one + other);
            }
            None => merged.push(line),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(reference: &str, status: TaskStatus, end_time: i64, retried: bool) -> Task {
        Task {
            task_def_name: reference.to_owned(),
            reference_task_name: reference.to_owned(),
            status,
            end_time,
            retried,
            ..Task::default()
        }
    }

    #[test]
    fn a_run_was_ended_by_the_failure_nothing_followed_not_by_the_latest() {
        let tasks = [
            task("generate_title", TaskStatus::Failed, 30, true),
            task(
                "generate_summary",
                TaskStatus::FailedWithTerminalError,
                20,
                false,
            ),
            task("generate_title", TaskStatus::Canceled, 40, false),
            task("join_generation", TaskStatus::Failed, 10, false),
        ];
        let workflow = Workflow {
            tasks: tasks.into(),
            ..Workflow::default()
        };
        let found = culprit(&workflow).map(|task| task.reference_task_name.as_str());
        assert_eq!(found, Some("generate_summary"));
    }
}
