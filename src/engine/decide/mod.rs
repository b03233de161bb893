//! What a run does next: a pure step from one state of a run to the following.
//!
//! The order of the checks, the texts and the oddities are those of Conductor 3.15.0, since workers
//! and controller must not come to rely on anything better. A run is decided again until nothing
//! changes, because a `FORK` or a `JOIN` that ends lets others begin.

mod ending;
mod fork;
mod input;
mod join;
mod retry;
mod schedule;
mod timeouts;

use std::collections::{BTreeMap, BTreeSet};

pub use input::with_template;
pub use retry::{retryable, schedule_again};
pub use timeouts::next_deadline;

use crate::conductor::wire::{
    TaskDef, TaskStatus, Workflow, WorkflowDef, WorkflowStatus, WorkflowTask,
};

/// The task types this engine runs.
pub const TASK_TYPES: [&str; 4] = ["SIMPLE", "FORK_JOIN", "FORK_JOIN_DYNAMIC", "JOIN"];

/// When a `JOIN` ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JoinRule {
    /// When every branch has ended, as in later releases.
    #[default]
    WaitForAll,
    /// Also as soon as an optional branch has failed, as in 3.15.0.
    EndEarly,
}

/// What a decision depends on beside the run.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Milliseconds since the epoch.
    pub now: i64,
    /// Task definitions as they are now; a dynamic fork takes its tasks' from here, all others were
    /// copied into the run at its start.
    pub task_defs: &'a BTreeMap<String, TaskDef>,
    /// (task kind, domain) polled within the last ten seconds.
    pub live_domains: &'a BTreeSet<(String, String)>,
    /// When a `JOIN` ends.
    pub join: JoinRule,
}

/// The run cannot be decided: what a dynamic fork was given is no list of tasks. It stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undecidable(pub String);

/// Why deciding stops before the run is settled.
#[derive(Debug)]
enum Stop {
    End(Ending),
    Undecidable(Undecidable),
}

/// How a run ends, if not well.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ending {
    status: WorkflowStatus,
    reason: String,
}

impl Stop {
    fn failed(reason: impl Into<String>) -> Self {
        Self::End(Ending {
            status: WorkflowStatus::Failed,
            reason: reason.into(),
        })
    }
}

/// Ids for new tasks, fresh at each call.
pub type NewId<'a> = &'a mut dyn FnMut() -> String;

/// Moves a run as far as it goes. Terminal and paused runs come back as they are, except that a
/// paused run may be timed out as a whole.
pub fn decide(
    mut run: Workflow,
    facts: Facts<'_>,
    new_id: NewId<'_>,
) -> Result<Workflow, Undecidable> {
    loop {
        match step(&mut run, facts, new_id) {
            Ok(Progress::Made) => {}
            Ok(Progress::None) => return Ok(run),
            Err(Stop::End(ending)) => {
                ending::end(&mut run, ending.status, Some(ending.reason), facts.now);
                return Ok(run);
            }
            Err(Stop::Undecidable(problem)) => return Err(problem),
        }
    }
}

/// Ends a run from outside: open tasks are cancelled, the output is resolved as far as it is there.
pub fn terminate(run: &mut Workflow, reason: Option<String>, now: i64) {
    ending::end(run, WorkflowStatus::Terminated, reason, now);
}

/// The definition with the task definitions of its tasks copied in, as a run keeps it. A task kind
/// without one gets the server's defaults.
pub fn frozen(mut definition: WorkflowDef, task_defs: &BTreeMap<String, TaskDef>) -> WorkflowDef {
    fn freeze(tasks: &mut [WorkflowTask], task_defs: &BTreeMap<String, TaskDef>) {
        for task in tasks {
            if task.task_type == "SIMPLE" {
                let known = task_defs.get(&task.name).cloned();
                task.task_definition = Some(Box::new(known.unwrap_or_else(|| TaskDef {
                    name: task.name.clone(),
                    ..TaskDef::default()
                })));
            }
            for branch in &mut task.fork_tasks {
                freeze(branch, task_defs);
            }
        }
    }
    freeze(&mut definition.tasks, task_defs);
    definition
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Made,
    None,
}

fn step(run: &mut Workflow, facts: Facts<'_>, new_id: NewId<'_>) -> Result<Progress, Stop> {
    if run.status.is_terminal() {
        return Ok(Progress::None);
    }
    timeouts::check_run(run, facts.now)?;
    if run.status == WorkflowStatus::Paused {
        return Ok(Progress::None);
    }
    let mut scheduled = Vec::new();
    if run.tasks.is_empty() {
        let first = run
            .workflow_definition
            .as_ref()
            .and_then(|d| d.tasks.first());
        if let Some(first) = first.cloned() {
            scheduled = schedule::tasks_for(run, &first, facts, new_id)?;
        }
    }
    let mut progress = Progress::None;
    for index in 0..run.tasks.len() {
        let task = &run.tasks[index];
        if task.retried || task.executed || task.status == TaskStatus::Skipped {
            continue;
        }
        timeouts::check_task(&mut run.tasks[index], facts.now)?;
        if !run.tasks[index].status.is_successful() {
            match retry::another_attempt(run, index, new_id)? {
                Some(attempt) => scheduled.push(attempt),
                None => run.tasks[index].status = TaskStatus::CompletedWithErrors,
            }
        }
        let task = &mut run.tasks[index];
        if task.status.is_terminal() && !task.retried {
            task.executed = true;
            progress = Progress::Made;
            let reference = task.reference_task_name.clone();
            if let Some(next) = schedule::following(run, &reference) {
                scheduled.extend(schedule::tasks_for(run, &next, facts, new_id)?);
            }
        }
    }
    if schedule::append(run, scheduled, facts) | join::evaluate_all(run, facts) {
        progress = Progress::Made;
    }
    if progress == Progress::None && ending::is_complete(run) {
        ending::end(run, WorkflowStatus::Completed, None, facts.now);
    }
    Ok(progress)
}

#[cfg(test)]
mod tests;
