//! One attempt of one task, from receipt to acknowledged report.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, debug, field, info, info_span, warn};

use super::{Assignment, Context, Entry, Made, Services, TaskError, asking::Asking};
use crate::{
    conductor::{
        Client, definitions,
        wire::{Task, TaskResult, TaskResultStatus},
    },
    gateway::Delivered,
    meters,
    model::{RunId, digest},
    rollout::Live,
    store::{Attempt, CheckedIn, Output, Run, Spooled},
};

/// The most an output may take, in bytes of JSON. Engines move larger ones to a store that workers
/// cannot read.
const LARGEST_OUTPUT: usize = 256 * 1024;

/// The most an engine keeps of a reason, in characters.
const LONGEST_REASON: usize = 500;

/// One attempt of one task.
pub struct Execution {
    client: Client,
    services: Arc<Services>,
    asking: Arc<Asking>,
    worker_id: String,
    entry: &'static Entry,
    task: Task,
    /// Cancelled when the process must end.
    hand_back: CancellationToken,
    /// Cancelled when the result is no longer wanted, or the process must end.
    cancelled: CancellationToken,
}

impl Execution {
    /// Nothing happens before [`run`](Self::run).
    pub fn new(
        client: Client,
        services: Arc<Services>,
        asking: Arc<Asking>,
        worker_id: String,
        entry: &'static Entry,
        task: Task,
        hand_back: CancellationToken,
    ) -> Self {
        let cancelled = hand_back.child_token();
        Self {
            client,
            services,
            asking,
            worker_id,
            entry,
            task,
            hand_back,
            cancelled,
        }
    }

    /// Waits for leave to begin, works, and reports, sending heartbeats all the while. The result
    /// of a run that ended meanwhile is not reported: nobody wants it.
    pub async fn run<P>(self, leave: impl Future<Output = P>) {
        let run = self.task.input_data.get("run_id").and_then(Value::as_str);
        let span = info_span!(
            "task",
            task.kind = %self.entry.name,
            task.reference = self.task.reference_task_name,
            task.attempt = self.task.retry_count + 1,
            workflow.id = self.task.workflow_instance_id,
            run.id = run,
            recording.id = field::Empty,
            transcript.id = field::Empty,
        );
        async {
            let work = async {
                let _leave = leave.await;
                self.work().await
            };
            let result = tokio::select! {
                result = work => result,
                never = self.heartbeats() => match never {},
            };
            let unwanted = self.cancelled.is_cancelled() && !self.hand_back.is_cancelled();
            if unwanted {
                info!("dropping the result of a task whose run has ended");
            } else {
                self.report(result).await;
            }
        }
        .instrument(span)
        .await;
    }

    /// Keeps the task ours and learns whether it still is. The engine takes a task away after its
    /// response timeout without a sign of life.
    async fn heartbeats(&self) -> Infallible {
        let timeout = u64::try_from(self.task.response_timeout_seconds)
            .unwrap_or(0)
            .max(2);
        let mut beats = tokio::time::interval(Duration::from_secs(timeout).mul_f64(0.4));
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        beats.tick().await;
        loop {
            beats.tick().await;
            if self.cancelled.is_cancelled() {
                continue;
            }
            match self.client.task(&self.task.task_id).await {
                Ok(Some(task)) if !task.status.is_terminal() => {}
                Ok(_) => {
                    self.cancelled.cancel();
                    continue;
                }
                Err(error) => debug!("cannot ask whether the task is still wanted: {error}"),
            }
            if let Err(error) = self.client.extend_lease(&self.task).await {
                debug!("cannot send a heartbeat: {error}");
            }
        }
    }

    async fn work(&self) -> TaskResult {
        let started = Instant::now();
        let worked = self.attempt().await;
        let outcome = match &worked {
            Ok(_) => "completed",
            Err(TaskError::Retry(_)) => "failed",
            Err(TaskError::Terminal(_)) => "failed_terminally",
        };
        meters::attempt(self.entry.name, outcome, started.elapsed());
        match worked {
            Ok(output) => {
                let mut result = TaskResult::new(&self.task, TaskResultStatus::Completed);
                if let Value::Object(output) = output {
                    result.output_data = output.into_iter().collect();
                }
                result
            }
            Err(error) => {
                let status = match error {
                    TaskError::Retry(_) => TaskResultStatus::Failed,
                    TaskError::Terminal(_) => TaskResultStatus::FailedWithTerminalError,
                };
                let mut result = TaskResult::new(&self.task, status);
                let reason = format!("{}: {error}", self.assignment().title());
                warn!("{reason}");
                result.reason_for_incompletion =
                    Some(reason.chars().take(LONGEST_REASON).collect());
                result
            }
        }
    }

    fn assignment(&self) -> Assignment {
        let attempts = definitions::contract(self.entry.name)
            .definition
            .retry_count;
        Assignment {
            task_id: self.task.task_id.clone(),
            workflow_id: self.task.workflow_instance_id.clone(),
            task_ref: self.task.reference_task_name.clone(),
            attempt: u32::try_from(self.task.retry_count).unwrap_or(0) + 1,
            attempts: u32::try_from(attempts).unwrap_or(0) + 1,
        }
    }

    /// Finds the checkpoint or makes it. The output to report.
    async fn attempt(&self) -> Result<Value, TaskError> {
        let store = &self.services.store;
        let input = Value::Object(self.task.input_data.clone().into_iter().collect());
        let run_id = input.get("run_id").and_then(Value::as_str).map(RunId::new);
        let run = match &run_id {
            Some(id) => store.run(id).await?,
            None => None,
        };
        let run = run.ok_or_else(|| {
            TaskError::terminal(
                "the workflow's `run_id` names no run in our database; start runs with `switchyard dispatch`",
            )
        })?;
        // Of everything that is said of this attempt from here on.
        let span = Span::current();
        span.record("recording.id", field::display(&run.recording_id));
        span.record("transcript.id", field::display(&run.transcript_id));
        let run_id = run.id.clone();
        let live = self.proof(&run).await?;
        let assignment = self.assignment();
        let task_ref = assignment.task_ref.clone();
        let input_hash = digest::of_json(&input);
        if let Some(kept) = store.output(&run_id, &task_ref).await?
            && kept.input_hash == input_hash
        {
            debug!("found the result of an earlier attempt");
            return match &live {
                Some(live) => self.deliver(&run, live, kept.output, &assignment).await,
                None => Ok(kept.output),
            };
        }
        let attempt = Attempt {
            task_id: assignment.task_id.clone(),
            task_ref: task_ref.clone(),
            task_name: self.entry.name.to_string(),
            attempt: i64::from(assignment.attempt),
            worker: self.worker_id.clone(),
            started_at: (self.services.clock)(),
            finished_at: None,
            status: "running".to_owned(),
            cause: None,
        };
        store.begin_attempt(&run_id, &attempt).await?;

        let (services, asking) = (Arc::clone(&self.services), Arc::clone(&self.asking));
        let context = Context::new(
            services,
            asking,
            run.clone(),
            assignment.clone(),
            live.clone(),
        );
        let context = Arc::new(context);
        let made = self.guarded(input, Arc::clone(&context)).await;
        let error = match made {
            Ok(made) => {
                let output = Output {
                    task_ref,
                    input_hash,
                    output: made.output,
                    document: made.document,
                };
                let checked_in = self
                    .check_in(&run, live.as_ref(), &context, &output)
                    .await?;
                match (checked_in, &live) {
                    (CheckedIn::Fenced, _) => TaskError::fenced(),
                    (CheckedIn::Written, None) => return Ok(output.output),
                    (CheckedIn::Written, Some(live)) => {
                        return self.deliver(&run, live, output.output, &assignment).await;
                    }
                }
            }
            Err(error) => error,
        };
        let status = match error {
            TaskError::Retry(_) => "failed",
            TaskError::Terminal(_) => "failed_terminally",
        };
        let (task_id, cause) = (&attempt.task_id, error.to_string());
        let usage = context.take_usage();
        store
            .note_usage(&run_id, &assignment.task_ref, task_id, &usage)
            .await?;
        let now = (self.services.clock)();
        store
            .end_attempt(task_id, status, Some(&cause), now)
            .await?;
        Err(error)
    }

    /// Writes the checkpoint and what goes with it; of a live run only if it still owns its
    /// recording.
    async fn check_in(
        &self,
        run: &Run,
        live: Option<&Live>,
        context: &Context,
        output: &Output,
    ) -> Result<CheckedIn, TaskError> {
        let store = &self.services.store;
        let task_id = &context.assignment.task_id;
        let (intents, usage) = (context.take_intents(), context.take_usage());
        let now = (self.services.clock)();
        let Some(live) = live else {
            store
                .check_in(&run.id, task_id, output, &intents, &usage, now)
                .await?;
            return Ok(CheckedIn::Written);
        };
        let written = store
            .check_in_live((run, live), task_id, output, &intents, &usage, now)
            .await?;
        if written == CheckedIn::Fenced {
            // It is paid for all the same.
            store
                .note_usage(&run.id, &output.task_ref, task_id, &usage)
                .await?;
        }
        Ok(written)
    }

    /// What lets a run act; none for a shadow run, and an error for one that was taken over.
    async fn proof(&self, run: &Run) -> Result<Option<Live>, TaskError> {
        let Some(epoch) = run.epoch else {
            return Ok(None);
        };
        let owned = self
            .services
            .store
            .ownership(&run.environment, &run.flag, &run.recording_id)
            .await?;
        owned
            .and_then(|(ownership, _)| Live::of(&ownership, &run.id))
            .filter(|live| live.epoch() == epoch)
            .map(Some)
            .ok_or_else(TaskError::fenced)
    }

    /// Does what others can see of a task whose checkpoint is written, and amends its output.
    async fn deliver(
        &self,
        run: &Run,
        live: &Live,
        mut output: Value,
        assignment: &Assignment,
    ) -> Result<Value, TaskError> {
        let task_ref = &assignment.task_ref;
        let gateway = self.services.gateway.as_ref().ok_or_else(|| {
            let name = &run.environment;
            TaskError::terminal(format!(
                "a live run writes to Reflector, and the settings have no section `environments.{name}.legacy`"
            ))
        })?;
        let delivered = match gateway.deliver(run, live, task_ref).await {
            Err(error)
                if self.entry.may_stay_undone
                    && (assignment.is_last() || error.is_refused())
                    && !error.is_fenced() =>
            {
                let undone = format!("{}: {error}", assignment.title());
                warn!(run.id = %run.id, "going on with an effect undone: {undone}");
                Delivered {
                    undone: Some(undone),
                    ..Delivered::default()
                }
            }
            result => result?,
        };
        let before = output.clone();
        (self.entry.amend)(&mut output, &delivered);
        if output != before {
            let store = &self.services.store;
            store.amend_output(&run.id, task_ref, &output).await?;
        }
        Ok(output)
    }

    /// Runs the task's own code: within its time, ending early when it is cancelled, and with a
    /// panic caught.
    async fn guarded(&self, input: Value, context: Arc<Context>) -> Result<Made<Value>, TaskError> {
        let run = self.entry.run;
        let seconds = definitions::contract(self.entry.name)
            .definition
            .timeout_seconds;
        let time = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let working =
            tokio::spawn(async move { run(input, &context).await }.instrument(Span::current()));
        let abort = working.abort_handle();
        let made = tokio::select! {
            made = working => made,
            () = tokio::time::sleep(time) => {
                abort.abort();
                return Err(TaskError::retry(format!("it did not end within {seconds} s")));
            }
            () = self.cancelled.cancelled() => {
                abort.abort();
                let why = if self.hand_back.is_cancelled() {
                    "the worker stopped before it was done"
                } else {
                    "the run ended before it was done"
                };
                return Err(TaskError::retry(why));
            }
        };
        let made = made.map_err(|_| TaskError::retry("the task panicked; please report it"))??;
        let size = made.output.to_string().len();
        if size > LARGEST_OUTPUT {
            return Err(TaskError::terminal(format!(
                "the output has {size} bytes, and engines take {LARGEST_OUTPUT}; outputs carry references"
            )));
        }
        Ok(made)
    }

    /// Spools the result, sends it, and forgets it once it is acknowledged. What cannot be sent
    /// now is sent again later by the runner.
    async fn report(&self, mut result: TaskResult) {
        result.worker_id = Some(self.worker_id.clone());
        let store = &self.services.store;
        let now = (self.services.clock)();
        let timeout = self.task.response_timeout_seconds.max(2);
        let spooled = Spooled {
            task_id: self.task.task_id.clone(),
            workflow_id: self.task.workflow_instance_id.clone(),
            result: serde_json::to_string(&result).unwrap_or_default(),
            give_up_at: now + chrono::Duration::seconds(timeout),
        };
        if let Err(error) = store.spool(&spooled, now).await {
            warn!("cannot spool a result, sending it all the same: {error:#}");
        }
        match self.client.update_task(&result).await {
            Ok(()) => {
                if let Err(error) = store.unspool(&spooled.task_id).await {
                    debug!("cannot forget a delivered result, it will be sent again: {error:#}");
                }
            }
            Err(error) => warn!("the engine does not take a result, trying again later: {error}"),
        }
    }
}
