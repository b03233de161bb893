//! From the states of a run's tasks to what people see: "Transcribing track 2 of 3", step 6 of 13,
//! 46 %.
//!
//! Two promises hold whatever the order in which parallel tasks end: with more tasks completed,
//! neither the percentage nor the step goes back.

mod remaining;
mod steps;
mod telling;

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use remaining::{Past, Usual, usual};
pub use steps::{STEPS, Step, step_of};
pub use telling::{Moved, moved_since};

use crate::model::{StepStatus, TaskName};

/// A task of a run, as the workflow engine tells it. A task that was tried several times may
/// appear once for each attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Unique within the workflow, e.g. `pad_track_2`; the same for all attempts.
    pub reference: String,
    /// Its kind.
    pub name: TaskName,
    /// The state of this attempt.
    pub status: StepStatus,
    /// Counts from 1.
    pub attempt: u32,
    /// How often it may be tried, the first time included.
    pub attempts_allowed: u32,
}

impl Task {
    /// The state people should hear of: a failure that will be tried again is work in progress.
    fn told(&self) -> StepStatus {
        match self.status {
            StepStatus::Failed if self.attempt < self.attempts_allowed => StepStatus::InProgress,
            other => other,
        }
    }
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// The step people look at, from 1.
    pub step_index: u32,
    /// How many steps there are.
    pub total_steps: u32,
    /// The kind of task at work there.
    pub current_step: TaskName,
    /// How far the step is.
    pub step_status: StepStatus,
    /// For people, e.g. `Transcribing track 2 of 3`.
    pub label: String,
    /// Share of the whole work, weighed by step; 100 only when everything is done.
    pub percent: u8,
}

/// Tells how far a run with so many tracks is. Tasks the engine has not scheduled yet need not be
/// in the list.
pub fn progress(tasks: &[Task], tracks: usize) -> Progress {
    let latest = latest_attempts(tasks);
    let standings: Vec<Standing> = STEPS
        .iter()
        .map(|step| Standing::of(step, &latest, tracks))
        .collect();
    let current = current(&standings);
    let standing = &standings[current];
    Progress {
        step_index: number(current + 1),
        total_steps: number(STEPS.len()),
        current_step: standing.task,
        step_status: standing.status,
        label: standing.label(),
        percent: percent(&standings),
    }
}

/// The last attempt of each task; a completed one is last whatever came after.
fn latest_attempts(tasks: &[Task]) -> Vec<&Task> {
    let mut latest: HashMap<&str, &Task> = HashMap::new();
    let rank = |task: &Task| (task.status == StepStatus::Completed, task.attempt);
    for task in tasks {
        let known = latest.entry(&task.reference).or_insert(task);
        if rank(task) > rank(known) {
            *known = task;
        }
    }
    latest.into_values().collect()
}

/// A step that was given up is what people look at; else the first that is not done; else the
/// last.
fn current(standings: &[Standing]) -> usize {
    let first = |status: fn(StepStatus) -> bool| {
        standings
            .iter()
            .position(|standing| status(standing.status))
    };
    first(|status| status == StepStatus::Failed)
        .or_else(|| first(|status| status != StepStatus::Completed))
        .unwrap_or(standings.len() - 1)
}

/// One step of one run.
struct Standing {
    step: &'static Step,
    /// The first of the step's kinds that is not done, else its last.
    task: TaskName,
    status: StepStatus,
    done: usize,
    members: usize,
}

impl Standing {
    fn of(step: &'static Step, latest: &[&Task], tracks: usize) -> Self {
        let each = if step.per_track { tracks } else { 1 };
        let members = step.tasks.len() * each;
        let count = |status: StepStatus| {
            latest
                .iter()
                .filter(|task| step.tasks.contains(&task.name) && task.told() == status)
                .count()
        };
        let done_of = |name: TaskName| {
            latest
                .iter()
                .filter(|task| task.name == name && task.status == StepStatus::Completed)
                .count()
        };
        let done = step.tasks.iter().map(|name| done_of(*name).min(each)).sum();
        let status = if done == members {
            StepStatus::Completed
        } else if count(StepStatus::Failed) > 0 {
            StepStatus::Failed
        } else if done > 0 || count(StepStatus::InProgress) > 0 {
            StepStatus::InProgress
        } else {
            StepStatus::Pending
        };
        let open = step.tasks.iter().find(|name| done_of(**name) < each);
        Self {
            step,
            task: *open.unwrap_or(&step.tasks[step.tasks.len() - 1]),
            status,
            done,
            members,
        }
    }

    fn label(&self) -> String {
        match self.status {
            StepStatus::Failed => format!("Failed during {}", self.step.during),
            StepStatus::Pending | StepStatus::InProgress | StepStatus::Completed => {
                if self.step.per_track && self.members > 0 {
                    let member = (self.done + 1).min(self.members);
                    format!("{} {member} of {}", self.step.doing, self.members)
                } else if self.status == StepStatus::Completed {
                    "Done".to_owned()
                } else {
                    self.step.doing.to_owned()
                }
            }
        }
    }

    /// Hundredths of the whole work that are done, times 100: whole numbers do not drift.
    fn done_weight(&self) -> usize {
        let weight = usize::from(self.step.weight) * 100;
        (weight * self.done)
            .checked_div(self.members)
            .unwrap_or(weight)
    }
}

fn percent(standings: &[Standing]) -> u8 {
    let done: usize = standings.iter().map(Standing::done_weight).sum();
    let all: usize = STEPS
        .iter()
        .map(|step| usize::from(step.weight) * 100)
        .sum();
    let percent = done * 100 / all;
    u8::try_from(percent.min(100)).expect("a percentage fits")
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("there are a dozen steps")
}

#[cfg(test)]
mod tests;
