//! From a run's trail to its steps in the workflow's order.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    conductor::definitions,
    model::TaskName,
    progress::{STEPS, step_of},
    store::{Attempt, Run},
};

/// One step of a run; a step per track has a line for each track.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StepLine {
    /// Its number as progress counts; none for tasks that only serve the engine.
    pub number: Option<usize>,
    /// The task's reference name in the workflow, e.g. `transcribe_track_1`.
    pub task_ref: String,
    /// For people, e.g. `Transcribing track 2`.
    pub label: String,
    /// After "Failed during", e.g. `transcription`.
    pub during: &'static str,
    /// How far it is.
    pub state: StepState,
    /// The newest attempt; none before the first.
    pub attempt: Option<i64>,
    /// How often it may be tried, the first time included.
    pub attempts_allowed: i64,
    /// When the newest attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// How long the newest attempt took, once it has ended.
    pub duration_ms: Option<i64>,
    /// Every attempt that failed, in the order they began.
    pub failures: Vec<AttemptLine>,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Nobody has worked on it yet.
    Pending,
    /// Somebody works on it.
    Running,
    /// It failed and will be tried again.
    Retrying,
    /// It is done.
    Completed,
    /// It was given up.
    Failed,
    /// It was being worked on when the run ended.
    CutOff,
    /// The run ended before.
    NotReached,
}

/// One attempt at one task.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AttemptLine {
    /// The engine's id of it.
    pub task_id: String,
    /// The task's reference name in the workflow.
    pub task_ref: String,
    /// The task kind.
    pub task_name: String,
    /// 1 is the first.
    pub attempt: i64,
    /// Who worked on it.
    pub worker: String,
    /// When it was received.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// From one to the other.
    pub duration_ms: Option<i64>,
    /// `running`, `completed`, `failed` or `failed_terminally`.
    pub status: String,
    /// Why it failed.
    pub cause: Option<String>,
}

impl AttemptLine {
    pub(super) fn of(attempt: Attempt) -> Self {
        Self {
            duration_ms: duration_ms(&attempt),
            task_id: attempt.task_id,
            task_ref: attempt.task_ref,
            task_name: attempt.task_name,
            attempt: attempt.attempt,
            worker: attempt.worker,
            started_at: attempt.started_at,
            finished_at: attempt.finished_at,
            status: attempt.status,
            cause: attempt.cause,
        }
    }
}

/// What a run was doing when it failed, by its trail.
pub(super) fn failed_during(attempts: &[Attempt]) -> Option<&'static str> {
    let last = attempts.iter().rev().find(|attempt| has_failed(attempt))?;
    Some(during(last.task_name.parse().ok()?))
}

/// The steps of a run. `attempts` are in the order they began.
pub(super) fn steps(run: &Run, attempts: &[Attempt]) -> Vec<StepLine> {
    let mut lines = Vec::new();
    for task in TaskName::ALL {
        let of_task: Vec<_> = attempts
            .iter()
            .filter(|attempt| attempt.task_name == task.as_str())
            .collect();
        for member in members(task, run.subject.track_keys.len(), &of_task) {
            let line = line(run, task, member, &of_task);
            // Lists for the engine are nobody's step, unless they are why a run does not go on.
            if line.number.is_some() || line.state != StepState::Completed {
                lines.push(line);
            }
        }
    }
    lines
}

/// One task of the workflow.
struct Member {
    task_ref: String,
    /// From 1, for tasks that run once per track.
    track: Option<usize>,
}

/// The tasks of one kind: those the workflow will have, and those the trail has beside them.
fn members(task: TaskName, tracks: usize, attempts: &[&Attempt]) -> Vec<Member> {
    let mut members: Vec<Member> = match step_of(task).map(|number| &STEPS[number - 1]) {
        None => Vec::new(),
        Some(step) if step.per_track => (0..tracks)
            .map(|index| Member {
                task_ref: format!("{task}_{index}"),
                track: Some(index + 1),
            })
            .collect(),
        Some(_) => vec![Member {
            task_ref: task.to_string(),
            track: None,
        }],
    };
    for attempt in attempts {
        if !members
            .iter()
            .any(|member| member.task_ref == attempt.task_ref)
        {
            members.push(Member {
                task_ref: attempt.task_ref.clone(),
                track: None,
            });
        }
    }
    members
}

fn line(run: &Run, task: TaskName, member: Member, attempts: &[&Attempt]) -> StepLine {
    let retries = definitions::contract(task).definition.retry_count;
    let attempts_allowed = i64::from(retries) + 1;
    let tried: Vec<&Attempt> = attempts
        .iter()
        .copied()
        .filter(|attempt| attempt.task_ref == member.task_ref)
        .collect();
    // What is done stays done, whatever an engine that repeats itself began afterwards.
    let newest = tried
        .iter()
        .rev()
        .find(|attempt| attempt.status == "completed")
        .or(tried.last())
        .copied();
    let number = step_of(task);
    let doing = number.map_or("Listing the work on tracks", |number| {
        STEPS[number - 1].doing
    });
    StepLine {
        number,
        label: match member.track {
            Some(track) => format!("{doing} {track}"),
            None => doing.to_owned(),
        },
        task_ref: member.task_ref,
        during: during(task),
        state: state(run, newest, attempts_allowed),
        attempt: newest.map(|attempt| attempt.attempt),
        attempts_allowed,
        started_at: newest.map(|attempt| attempt.started_at),
        duration_ms: newest.and_then(duration_ms),
        failures: tried
            .into_iter()
            .filter(|attempt| has_failed(attempt))
            .cloned()
            .map(AttemptLine::of)
            .collect(),
    }
}

fn state(run: &Run, newest: Option<&Attempt>, attempts_allowed: i64) -> StepState {
    let is_over = run.state.is_final();
    let Some(attempt) = newest else {
        return if is_over {
            StepState::NotReached
        } else {
            StepState::Pending
        };
    };
    match attempt.status.as_str() {
        "completed" => StepState::Completed,
        "running" if is_over => StepState::CutOff,
        "running" => StepState::Running,
        "failed" if !is_over && attempt.attempt < attempts_allowed => StepState::Retrying,
        _ => StepState::Failed,
    }
}

fn during(task: TaskName) -> &'static str {
    step_of(task).map_or("listing the work on tracks", |number| {
        STEPS[number - 1].during
    })
}

fn has_failed(attempt: &Attempt) -> bool {
    attempt.status.starts_with("failed")
}

fn duration_ms(attempt: &Attempt) -> Option<i64> {
    let end = attempt.finished_at?;
    Some((end - attempt.started_at).num_milliseconds())
}

#[cfg(test)]
mod tests;
