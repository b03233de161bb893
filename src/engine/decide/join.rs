//! `JOIN`: waits for branches and collects their outputs.

use serde_json::Value;

use super::{Facts, JoinRule};
use crate::conductor::wire::{Map, TaskStatus, Workflow};

/// Evaluates every waiting `JOIN`. True if one has ended.
pub(super) fn evaluate_all(run: &mut Workflow, facts: Facts<'_>) -> bool {
    let waiting: Vec<_> = (0..run.tasks.len())
        .filter(|&index| {
            let task = &run.tasks[index];
            task.task_type == "JOIN" && task.status == TaskStatus::InProgress
        })
        .collect();
    let mut ended = false;
    for index in waiting {
        if let Some(result) = evaluate(run, index, facts.join) {
            let task = &mut run.tasks[index];
            task.status = result.status;
            task.output_data = result.output;
            task.reason_for_incompletion = result.reason;
            task.end_time = facts.now;
            task.update_time = facts.now;
            task.poll_count += 1;
            ended = true;
        }
    }
    ended
}

struct Joined {
    status: TaskStatus,
    output: Map,
    reason: Option<String>,
}

fn evaluate(run: &Workflow, index: usize, rule: JoinRule) -> Option<Joined> {
    let mut output = Map::new();
    let mut all_ended = true;
    let mut optional_failures = Vec::new();
    let join_on = run.tasks[index].input_data.get("joinOn");
    for reference in join_on
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        let Some(branch) = run.last_attempt(reference) else {
            // Not scheduled yet.
            all_ended = false;
            break;
        };
        let optional = branch.workflow_task.as_ref().is_some_and(|t| t.optional);
        let reason = || branch.reason_for_incompletion.clone().unwrap_or_default();
        if !branch.output_data.is_empty() {
            output.insert(reference.to_owned(), branch.output_data.clone().into());
        }
        if !branch.status.is_successful() && !optional {
            return Some(Joined {
                status: TaskStatus::Failed,
                output,
                reason: Some(reason()),
            });
        }
        all_ended &= branch.status.is_terminal();
        if optional && branch.status == TaskStatus::CompletedWithErrors {
            optional_failures.push(reason());
        }
    }
    let early = rule == JoinRule::EndEarly && !optional_failures.is_empty();
    if !all_ended && !early {
        return None;
    }
    Some(if optional_failures.is_empty() {
        Joined {
            status: TaskStatus::Completed,
            output,
            reason: None,
        }
    } else {
        Joined {
            status: TaskStatus::CompletedWithErrors,
            output,
            reason: Some(optional_failures.join(" ")),
        }
    })
}
