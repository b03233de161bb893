//! The watchdog: engines notice timeouts late unless asked to decide, and lose queue entries. It asks
//! them to decide every open run, and to repair those whose tasks lie about.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{dispatch::workflow_of, shadow::Clock};
use crate::{
    conductor::{
        Client,
        wire::{PollData, Task, TaskStatus, Workflow},
    },
    model::{EnvironmentName, TaskName},
    store::{Run, Store},
};

/// How often open runs are looked at.
const EVERY: Duration = Duration::from_secs(15);

/// So long a task may wait for a worker that keeps asking for its kind.
const LIES_ABOUT: TimeDelta = TimeDelta::seconds(60);

/// Looks after the open runs of one environment.
#[derive(Clone)]
pub struct Watchdog {
    /// The environment; others' runs are left alone.
    pub environment: EnvironmentName,
    /// Our database.
    pub store: Store,
    /// The environment's engine.
    pub client: Client,
    /// The time.
    pub clock: Clock,
}

/// A task that waits though its kind is asked for: its queue entry is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Its reference in the workflow.
    pub reference: String,
    /// Its kind.
    pub kind: String,
    /// Since when it waits.
    pub since: DateTime<Utc>,
    /// Whether no attempt of its kind in the run is under way, which putting all tasks of the kind into
    /// their queue anew would hand out a second time.
    pub alone: bool,
}

impl Watchdog {
    /// Looks until told to stop.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            if let Err(error) = self.tick().await {
                warn!("cannot look after the runs, trying again: {error:#}");
            }
        }
    }

    /// Looks once after every open run; tells how many were repaired.
    pub async fn tick(&self) -> anyhow::Result<usize> {
        let runs = self.store.open_runs(&self.environment).await?;
        if let Some(row) = self.store.breaker(&self.environment).await?
            && row.breaker.is_unwell((self.clock)())
        {
            // It has enough to do.
            return Ok(0);
        }
        let mut repaired = 0;
        let mut polls: Option<Vec<PollData>> = None;
        for run in &runs {
            let Some(id) = &run.workflow_id else {
                continue;
            };
            if let Err(error) = self.client.decide(id).await {
                warn!(run.id = %run.id, recording.id = %run.recording_id, "cannot remind the engine of a run: {error}");
                continue;
            }
            let workflow = match workflow_of(&self.client, run).await {
                Ok(Some(workflow)) => workflow,
                // Whoever follows runs starts it again.
                Ok(None) => continue,
                Err(error) => {
                    warn!(run.id = %run.id, recording.id = %run.recording_id, "cannot look after a run: {error:#}");
                    continue;
                }
            };
            if polls.is_none() {
                polls = Some(self.client.all_poll_data().await?);
            }
            let now = (self.clock)();
            let mut lost = diagnose(&workflow, polls.as_deref().unwrap_or_default(), now);
            if !lost.is_empty() {
                // Where others of its kind wait too, its turn may only not have come.
                let kinds: Vec<_> = lost.iter().map(|lost| lost.kind.as_str()).collect();
                let waiting = self.client.queue_sizes(&kinds).await?;
                lost.retain(|lost| waiting.get(&lost.kind).is_none_or(|tasks| *tasks == 0));
            }
            repaired += usize::from(self.repair(run, &lost).await);
        }
        Ok(repaired)
    }

    async fn repair(&self, run: &Run, lost: &[Lost]) -> bool {
        let (Some(first), Some(id)) = (lost.first(), &run.workflow_id) else {
            return false;
        };
        let kind = &first.kind;
        warn!(
            run.id = %run.id, recording.id = %run.recording_id,
            "`{}` of run `{}` waits since {} though `{kind}` is asked for; having it put into its queue again",
            first.reference, run.id, first.since.format("%H:%M:%S UTC")
        );
        let Err(error) = self.client.verify_and_repair(id).await else {
            return true;
        };
        if !first.alone {
            warn!(run.id = %run.id, recording.id = %run.recording_id, "the engine cannot repair a run: {error}");
            return false;
        }
        match self.client.requeue(kind).await {
            Ok(()) => true,
            Err(again) => {
                warn!(run.id = %run.id, recording.id = %run.recording_id, "the engine can neither repair a run ({error}) nor put its tasks into their queue: {again}");
                false
            }
        }
    }
}

/// Tasks of a run that wait for long though workers keep asking for their kind.
pub fn diagnose(workflow: &Workflow, polls: &[PollData], now: DateTime<Utc>) -> Vec<Lost> {
    let lost = workflow.tasks.iter().filter_map(|task| {
        let since = waits_since(task)?;
        let kind = &task.task_def_name;
        let polled = polls
            .iter()
            .filter(|poll| poll.queue_name == *kind && poll.domain == task.domain)
            .map(|poll| poll.last_poll_time)
            .max()?;
        let is_lost = now - since >= LIES_ABOUT
            && polled - since.timestamp_millis() >= LIES_ABOUT.num_milliseconds() / 2;
        is_lost.then(|| Lost {
            reference: task.reference_task_name.clone(),
            kind: kind.clone(),
            since,
            alone: !workflow.tasks.iter().any(|other| {
                other.task_def_name == *kind && other.status == TaskStatus::InProgress
            }),
        })
    });
    lost.collect()
}

/// Since when a task may have been handed out.
fn waits_since(task: &Task) -> Option<DateTime<Utc>> {
    if task.status != TaskStatus::Scheduled {
        return None;
    }
    task.task_def_name.parse::<TaskName>().ok()?;
    let held_back = task
        .callback_after_seconds
        .max(task.start_delay_in_seconds)
        .saturating_mul(1000);
    let since = task.scheduled_time.max(task.update_time);
    DateTime::from_timestamp_millis(since.saturating_add(held_back))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-03-02T12:00:00Z".parse().unwrap()
    }

    fn task(kind: &str, status: TaskStatus, held_back: i64) -> Task {
        Task {
            task_def_name: kind.to_owned(),
            reference_task_name: kind.to_owned(),
            status,
            scheduled_time: noon().timestamp_millis(),
            callback_after_seconds: held_back,
            ..Task::default()
        }
    }

    fn polled(kind: &str, seconds: i64) -> PollData {
        PollData {
            queue_name: kind.to_owned(),
            last_poll_time: (noon() + TimeDelta::seconds(seconds)).timestamp_millis(),
            ..PollData::default()
        }
    }

    #[test]
    fn a_task_is_lost_that_waits_for_long_though_its_kind_is_asked_for() {
        use TaskStatus::{Completed, InProgress, Scheduled};
        for (kind, status, held_back, polled_at, waited, is_lost) in [
            ("finalize", Scheduled, 0, Some(70), 70, true),
            ("finalize", Scheduled, 0, Some(30), 60, true),
            ("finalize", Scheduled, 0, Some(20), 300, false),
            ("finalize", Scheduled, 0, Some(59), 59, false),
            ("finalize", Scheduled, 0, None, 300, false),
            ("finalize", Scheduled, 60, Some(70), 70, false),
            ("finalize", Scheduled, 60, Some(130), 130, true),
            ("finalize", InProgress, 0, Some(300), 300, false),
            ("finalize", Completed, 0, Some(300), 300, false),
            ("JOIN", Scheduled, 0, Some(300), 300, false),
        ] {
            let workflow = Workflow {
                tasks: vec![task(kind, status, held_back)],
                ..Workflow::default()
            };
            let polls: Vec<_> = polled_at.map(|at| polled(kind, at)).into_iter().collect();
            let now = noon() + TimeDelta::seconds(waited);
            let found = diagnose(&workflow, &polls, now);
            let case = format!("{kind} {status:?} {held_back} {polled_at:?} {waited}");
            assert_eq!(!found.is_empty(), is_lost, "{case}");
        }
    }

    #[test]
    fn a_kind_that_a_worker_is_at_is_not_put_into_its_queue_anew() {
        let workflow = Workflow {
            tasks: vec![
                task("pad_track", TaskStatus::Scheduled, 0),
                task("pad_track", TaskStatus::InProgress, 0),
                task("finalize", TaskStatus::Scheduled, 0),
            ],
            ..Workflow::default()
        };
        let polls = [polled("pad_track", 100), polled("finalize", 100)];
        let found = diagnose(&workflow, &polls, noon() + TimeDelta::seconds(100));
        let alone: Vec<_> = found.iter().map(|lost| lost.alone).collect();
        assert_eq!(alone, [false, true]);
    }
}
