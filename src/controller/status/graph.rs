//! A run as the workflow draws it: what follows what, what goes on side by side, and how far each is.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::steps::{StepLine, StepState};
use crate::{
    conductor::wire::{WorkflowDef, WorkflowTask},
    controller::shadow::task_of,
    model::TaskName,
    progress::{STEPS, step_of},
};

/// A run's steps and the order between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Graph {
    /// In the workflow's order.
    pub nodes: Vec<Node>,
    /// Which begins when which is done, by their places in `nodes`.
    pub edges: Vec<(usize, usize)>,
}

/// One step; the members of a fork per track are one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Node {
    /// The step's reference name in the workflow; of a fork per track, the kind of its members.
    pub task_ref: String,
    /// For people, e.g. `Mixing the tracks`.
    pub label: String,
    /// How many steps come one after the other before it.
    pub layer: usize,
    /// Its place among the branches that go on side by side there, from 0.
    pub lane: usize,
    /// How many branches these are.
    pub lanes: usize,
    /// How far it is.
    pub state: StepState,
    /// After "failed during", e.g. `transcription`.
    pub during: &'static str,
    /// The newest attempt; of a fork per track, that of the member that was tried most often.
    pub attempt: Option<i64>,
    /// How often it may be tried.
    pub attempts_allowed: i64,
    /// When it began, the newest attempt or the first member.
    pub started_at: Option<DateTime<Utc>>,
    /// How long that took, once all of it is done.
    pub duration_ms: Option<i64>,
    /// The members of a fork per track, counted.
    pub members: Option<Members>,
    /// The line of steps that says more.
    pub line: String,
}

/// The members of a fork per track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Members {
    /// How many there are.
    pub all: usize,
    /// How many are done.
    pub completed: usize,
    /// How many are being worked on, for the first time or again.
    pub running: usize,
    /// How many were given up.
    pub failed: usize,
}

/// Where the walk through the workflow is.
#[derive(Clone, Copy)]
struct Lane {
    lane: usize,
    lanes: usize,
}

struct Walk<'a> {
    workflow: &'a WorkflowDef,
    lines: &'a [StepLine],
    graph: Graph,
    /// By reference name: the nodes that have to be done before what waits for that name begins.
    ends: HashMap<&'a str, Vec<usize>>,
}

/// Draws a run: the workflow with what its steps say.
pub(super) fn graph(workflow: &WorkflowDef, lines: &[StepLine]) -> Graph {
    let mut walk = Walk {
        workflow,
        lines,
        graph: Graph::default(),
        ends: HashMap::new(),
    };
    walk.through(&workflow.tasks, Vec::new(), Lane { lane: 0, lanes: 1 });
    walk.graph
}

impl<'a> Walk<'a> {
    /// Adds tasks that follow one another; the nodes that come last.
    fn through(
        &mut self,
        tasks: &'a [WorkflowTask],
        mut before: Vec<usize>,
        at: Lane,
    ) -> Vec<usize> {
        for task in tasks {
            let reference = task.task_reference_name.as_str();
            before = match task.task_type.as_str() {
                "FORK_JOIN" => {
                    let count = task.fork_tasks.len().max(1);
                    let mut last = Vec::new();
                    for (index, branch) in task.fork_tasks.iter().enumerate() {
                        let branch_at = Lane {
                            lane: at.lane * count + index,
                            lanes: at.lanes * count,
                        };
                        last.extend(self.through(branch, before.clone(), branch_at));
                    }
                    last
                }
                "JOIN" => self.joined(task).unwrap_or(before),
                "FORK_JOIN_DYNAMIC" => match self.forked(task) {
                    Some(kind) => self.per_track(kind, &before, at),
                    None => before,
                },
                _ => match self.line_of(reference) {
                    Some(line) => {
                        let node = node_of(line, at);
                        self.add(node, &before)
                    }
                    // Lists for the engine are nobody's step.
                    None => before,
                },
            };
            self.ends.insert(reference, before.clone());
        }
        before
    }

    /// What a join waits for; none where it names nothing, which is the fork before it.
    fn joined(&self, join: &WorkflowTask) -> Option<Vec<usize>> {
        if join.join_on.is_empty() {
            return None;
        }
        let known = |name: &String| self.ends.get(name.as_str()).cloned();
        Some(join.join_on.iter().filter_map(known).flatten().collect())
    }

    /// The kind of task that a fork per track makes: whoever writes its list is told.
    fn forked(&self, fork: &WorkflowTask) -> Option<TaskName> {
        let parameter = fork.dynamic_fork_tasks_param.as_ref()?;
        let list = fork.input_parameters.get(parameter)?.as_str()?;
        let writer = list.strip_prefix("${")?.split('.').next()?;
        let writer = self.workflow.task(writer)?;
        let kind = writer.input_parameters.get("task_type")?.as_str()?;
        kind.parse().ok()
    }

    fn line_of(&self, reference: &str) -> Option<&'a StepLine> {
        self.lines.iter().find(|line| line.task_ref == reference)
    }

    fn per_track(&mut self, kind: TaskName, before: &[usize], at: Lane) -> Vec<usize> {
        let is_member = |line: &&StepLine| task_of(&line.task_ref) == kind.as_str();
        let lines: Vec<_> = self.lines.iter().filter(is_member).collect();
        let node = node_of_all(kind, &lines, at);
        self.add(node, before)
    }

    /// Adds a node behind those before it.
    fn add(&mut self, mut node: Node, before: &[usize]) -> Vec<usize> {
        let layers = before
            .iter()
            .map(|index| self.graph.nodes[*index].layer + 1);
        node.layer = layers.max().unwrap_or(0);
        let index = self.graph.nodes.len();
        self.graph.nodes.push(node);
        let edges = before.iter().map(|earlier| (*earlier, index));
        self.graph.edges.extend(edges);
        vec![index]
    }
}

fn node_of(line: &StepLine, at: Lane) -> Node {
    let kind: Option<TaskName> = line.task_ref.parse().ok();
    let shares_step = kind
        .and_then(step_of)
        .is_some_and(|number| STEPS[number - 1].tasks.len() > 1);
    Node {
        // Two of one step would be called the same.
        label: if shares_step {
            in_words(&line.task_ref)
        } else {
            line.label.clone()
        },
        task_ref: line.task_ref.clone(),
        layer: 0,
        lane: at.lane,
        lanes: at.lanes,
        state: line.state,
        during: line.during,
        attempt: line.attempt,
        attempts_allowed: line.attempts_allowed,
        started_at: line.started_at,
        duration_ms: line.duration_ms,
        members: None,
        line: line.task_ref.clone(),
    }
}

/// `Send webhook` from `send_webhook`.
fn in_words(reference: &str) -> String {
    let words = reference.replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next();
    first.map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn node_of_all(kind: TaskName, lines: &[&StepLine], at: Lane) -> Node {
    let step = step_of(kind).map(|number| &STEPS[number - 1]);
    let state = state_of(lines);
    // What people look at: the first that is not done, or else the first.
    let open = lines
        .iter()
        .find(|line| line.state == state && state != StepState::Completed)
        .or(lines.first());
    Node {
        task_ref: kind.to_string(),
        label: step.map_or_else(
            || in_words(kind.as_str()),
            |step| format!("{}s", step.doing),
        ),
        layer: 0,
        lane: at.lane,
        lanes: at.lanes,
        state,
        during: step.map_or("the work on tracks", |step| step.during),
        attempt: lines.iter().filter_map(|line| line.attempt).max(),
        attempts_allowed: lines.first().map_or(1, |line| line.attempts_allowed),
        started_at: lines.iter().filter_map(|line| line.started_at).min(),
        duration_ms: took(lines),
        members: Some(count(lines)),
        line: open.map_or_else(|| kind.to_string(), |line| line.task_ref.clone()),
    }
}

fn count(lines: &[&StepLine]) -> Members {
    let of = |wanted: &[StepState]| {
        lines
            .iter()
            .filter(|line| wanted.contains(&line.state))
            .count()
    };
    Members {
        all: lines.len(),
        completed: of(&[StepState::Completed]),
        running: of(&[StepState::Running, StepState::Retrying]),
        failed: of(&[StepState::Failed]),
    }
}

/// How far a step is that is done for each track: the worst of its members, or under way where some are
/// done and others wait.
fn state_of(lines: &[&StepLine]) -> StepState {
    let has = |state: StepState| lines.iter().any(|line| line.state == state);
    let worst = [
        StepState::Failed,
        StepState::Retrying,
        StepState::Running,
        StepState::CutOff,
    ];
    if let Some(state) = worst.into_iter().find(|state| has(*state)) {
        return state;
    }
    match (has(StepState::Completed), has(StepState::NotReached)) {
        (true, true) => StepState::CutOff,
        (true, false) if has(StepState::Pending) => StepState::Running,
        (true, false) => StepState::Completed,
        (false, true) => StepState::NotReached,
        (false, false) => StepState::Pending,
    }
}

/// From the first begin to the last end; none before all are done.
fn took(lines: &[&StepLine]) -> Option<i64> {
    let first = lines.iter().filter_map(|line| line.started_at).min()?;
    let end = |line: &&StepLine| {
        let took = TimeDelta::try_milliseconds(line.duration_ms?)?;
        (line.state == StepState::Completed).then_some(line.started_at? + took)
    };
    let ends: Vec<_> = lines.iter().filter_map(end).collect();
    let last = ends.iter().max().filter(|_| ends.len() == lines.len())?;
    Some((*last - first).num_milliseconds())
}

#[cfg(test)]
mod tests;
