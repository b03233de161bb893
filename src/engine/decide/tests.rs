use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Facts, JoinRule, decide, frozen, next_deadline, retryable, schedule_again};
use crate::conductor::wire::{TaskDef, TaskStatus, Workflow, WorkflowDef, WorkflowStatus};

/// A run, its clock, and what the world around it knows.
struct World {
    run: Workflow,
    now: i64,
    task_defs: BTreeMap<String, TaskDef>,
    live_domains: BTreeSet<(String, String)>,
    join: JoinRule,
    ids: u32,
}

impl World {
    /// A run of these steps, where every kind has the same definition.
    fn new(steps: &Value, task_def: &Value) -> Self {
        let definition: WorkflowDef =
            serde_json::from_value(json!({"name": "w", "tasks": steps})).unwrap();
        let kinds = definition.all_tasks();
        let task_defs: BTreeMap<_, TaskDef> = kinds
            .iter()
            .map(|step| {
                (
                    step.name.clone(),
                    serde_json::from_value(task_def.clone()).unwrap(),
                )
            })
            .collect();
        let definition = frozen(definition, &task_defs);
        Self {
            run: Workflow {
                workflow_id: "run".to_owned(),
                workflow_name: definition.name.clone(),
                workflow_version: 1,
                create_time: 1_000_000,
                workflow_definition: Some(Box::new(definition)),
                ..Workflow::default()
            },
            now: 1_000_000,
            task_defs,
            live_domains: BTreeSet::new(),
            join: JoinRule::default(),
            ids: 0,
        }
    }

    fn decide(&mut self) -> &mut Self {
        let facts = Facts {
            now: self.now,
            task_defs: &self.task_defs,
            live_domains: &self.live_domains,
            join: self.join,
        };
        let ids = &mut self.ids;
        let mut new_id = || {
            *ids += 1;
            format!("task-{ids}")
        };
        self.run = decide(self.run.clone(), facts, &mut new_id).unwrap();
        self
    }

    /// Ends the last attempt at a reference.
    fn end(&mut self, reference: &str, status: TaskStatus, output: Value) -> &mut Self {
        let now = self.now;
        let task = self
            .run
            .tasks
            .iter_mut()
            .rev()
            .find(|task| task.reference_task_name == reference)
            .unwrap_or_else(|| panic!("no `{reference}`"));
        task.status = status;
        task.end_time = now;
        task.output_data = serde_json::from_value(output).unwrap();
        self.decide()
    }

    fn poll(&mut self, reference: &str) -> &mut Self {
        let now = self.now;
        for task in &mut self.run.tasks {
            if task.reference_task_name == reference && task.status == TaskStatus::Scheduled {
                task.status = TaskStatus::InProgress;
                task.start_time = now;
                task.update_time = now;
                task.callback_after_seconds = 0;
            }
        }
        self
    }

    /// Reference, attempt and status of every task, in order.
    fn story(&self) -> String {
        let tasks = self.run.tasks.iter().map(|task| {
            format!(
                "{}#{} {}",
                task.reference_task_name,
                task.retry_count,
                task.status.as_str()
            )
        });
        tasks.collect::<Vec<_>>().join(", ")
    }

    fn last(&self, reference: &str) -> &crate::conductor::wire::Task {
        self.run.last_attempt(reference).unwrap()
    }
}

fn step(reference: &str) -> Value {
    json!({"name": "kind", "taskReferenceName": reference})
}

fn forked(join_on: &[&str]) -> Value {
    json!([
        {"name": "f", "taskReferenceName": "f", "type": "FORK_JOIN",
         "forkTasks": [[step("a1"), step("a2")], [step("b1")]]},
        {"name": "j", "taskReferenceName": "j", "type": "JOIN", "joinOn": join_on},
        step("last")
    ])
}

#[test]
fn steps_follow_each_other_until_the_run_completes() {
    let mut world = World::new(&json!([step("a"), step("b")]), &json!({"name": "kind"}));
    assert_eq!(world.decide().story(), "a#0 SCHEDULED");
    world.end("a", TaskStatus::Completed, json!({"x": 1}));
    assert_eq!(world.story(), "a#0 COMPLETED, b#0 SCHEDULED");
    world.end("b", TaskStatus::Completed, json!({"y": 2}));
    assert_eq!(world.run.status, WorkflowStatus::Completed);
    assert_eq!(Value::Object(world.run.output.clone()), json!({"y": 2}));
    assert_eq!(world.run.end_time, world.now);
}

#[test]
fn deciding_twice_changes_nothing() {
    let mut world = World::new(&forked(&["a2", "b1"]), &json!({"name": "kind"}));
    let once = world.decide().run.clone();
    assert_eq!(world.decide().run, once);
}

#[test]
fn a_fork_runs_its_branches_and_joins_their_ends() {
    let mut world = World::new(&forked(&["a2", "b1"]), &json!({"name": "kind"}));
    world.decide();
    assert_eq!(
        world.story(),
        "f#0 COMPLETED, a1#0 SCHEDULED, b1#0 SCHEDULED, j#0 IN_PROGRESS"
    );
    world.end("b1", TaskStatus::Completed, json!({"b": 1}));
    world.end("a1", TaskStatus::Completed, json!({"a": 1}));
    assert_eq!(world.last("j").status, TaskStatus::InProgress);
    world.end("a2", TaskStatus::Completed, json!({}));
    assert_eq!(
        Value::Object(world.last("j").output_data.clone()),
        json!({"b1": {"b": 1}})
    );
    assert_eq!(world.last("last").status, TaskStatus::Scheduled);
}

#[test]
fn a_failed_branch_is_retried_before_the_join_looks() {
    let retries = json!({"name": "kind", "retryCount": 1});
    let mut world = World::new(&forked(&["a2", "b1"]), &retries);
    world
        .decide()
        .end("b1", TaskStatus::Failed, json!({"old": 1}));
    assert_eq!(world.last("j").status, TaskStatus::InProgress);
    let attempt = world.last("b1");
    assert_eq!(
        (attempt.retry_count, attempt.status),
        (1, TaskStatus::Scheduled)
    );
    assert_eq!(attempt.output_data["old"], json!(1));
    world.end("b1", TaskStatus::Failed, json!({}));
    assert_eq!(world.run.status, WorkflowStatus::Failed);
    assert_eq!(
        world.story(),
        "f#0 COMPLETED, a1#0 CANCELED, b1#0 FAILED, j#0 CANCELED, b1#1 FAILED"
    );
}

#[test]
fn an_optional_branch_ends_the_join_only_under_the_rule_of_3_15_0() {
    for (join, expected) in [
        (JoinRule::WaitForAll, TaskStatus::InProgress),
        (JoinRule::EndEarly, TaskStatus::CompletedWithErrors),
    ] {
        let mut steps = forked(&["b1", "a2"]);
        steps[0]["forkTasks"][1][0]["optional"] = json!(true);
        let mut world = World::new(&steps, &json!({"name": "kind", "retryCount": 0}));
        world.join = join;
        world.decide().end("b1", TaskStatus::Failed, json!({}));
        assert_eq!(world.last("b1").status, TaskStatus::CompletedWithErrors);
        assert_eq!(world.last("j").status, expected, "{join:?}");
    }
}

#[test]
fn a_dynamic_fork_with_nothing_to_fork_goes_on_at_once() {
    let steps = json!([
        {"name": "f", "taskReferenceName": "f", "type": "FORK_JOIN_DYNAMIC",
         "inputParameters": {"tasks": "${workflow.input.tasks}", "inputs": {}},
         "dynamicForkTasksParam": "tasks", "dynamicForkTasksInputParamName": "inputs"},
        {"name": "j", "taskReferenceName": "j", "type": "JOIN"},
        step("last")
    ]);
    let mut world = World::new(&steps, &json!({"name": "kind"}));
    world.run.input.insert("tasks".to_owned(), json!([]));
    assert_eq!(
        world.decide().story(),
        "f#0 COMPLETED, j#0 COMPLETED, last#0 SCHEDULED"
    );
}

#[test]
fn a_dynamic_fork_over_something_else_cannot_be_decided() {
    let steps = json!([
        {"name": "f", "taskReferenceName": "f", "type": "FORK_JOIN_DYNAMIC",
         "inputParameters": {"tasks": "secret words", "inputs": {}},
         "dynamicForkTasksParam": "tasks", "dynamicForkTasksInputParamName": "inputs"},
        {"name": "j", "taskReferenceName": "j", "type": "JOIN"}
    ]);
    let world = World::new(&steps, &json!({"name": "kind"}));
    let facts = Facts {
        now: world.now,
        task_defs: &world.task_defs,
        live_domains: &world.live_domains,
        join: world.join,
    };
    let problem = decide(world.run, facts, &mut String::new).unwrap_err();
    assert!(!problem.to_string().contains("secret"), "{problem}");
}

#[test]
fn a_paused_run_schedules_nothing_but_may_be_timed_out() {
    let mut world = World::new(&json!([step("a"), step("b")]), &json!({"name": "kind"}));
    world.decide();
    world.run.status = WorkflowStatus::Paused;
    world.end("a", TaskStatus::Completed, json!({}));
    assert_eq!(world.story(), "a#0 COMPLETED");
    let definition = world.run.workflow_definition.as_mut().unwrap();
    definition.timeout_seconds = 10;
    definition.timeout_policy = crate::conductor::wire::WorkflowTimeoutPolicy::TimeOutWf;
    world.now += 10_000;
    assert_eq!(world.decide().run.status, WorkflowStatus::TimedOut);
}

#[test]
fn silence_is_retried_whatever_the_policy() {
    for policy in ["TIME_OUT_WF", "ALERT_ONLY", "RETRY"] {
        let limits = json!({
            "name": "kind", "responseTimeoutSeconds": 5, "timeoutPolicy": policy, "retryCount": 1
        });
        let mut world = World::new(&json!([step("a")]), &limits);
        world.decide().poll("a");
        world.now += 4_999;
        assert_eq!(world.decide().story(), "a#0 IN_PROGRESS", "{policy}");
        world.now += 1;
        assert_eq!(
            world.decide().story(),
            "a#0 TIMED_OUT, a#1 SCHEDULED",
            "{policy}"
        );
    }
}

#[test]
fn a_retried_attempt_has_its_delay_on_top_of_its_timeout_and_twice_on_its_poll_timeout() {
    let limits = json!({
        "name": "kind", "timeoutSeconds": 10, "timeoutPolicy": "RETRY", "pollTimeoutSeconds": 10,
        "retryDelaySeconds": 3, "retryCount": 2, "responseTimeoutSeconds": 3600
    });
    let mut world = World::new(&json!([step("a")]), &limits);
    world.decide();
    assert_eq!(next_deadline(&world.run), Some(world.now + 10_000));
    world.poll("a");
    world.now += 10_000;
    world.decide();
    assert_eq!(world.last("a").retry_count, 1);
    assert_eq!(next_deadline(&world.run), Some(world.now + 16_000));
    world.poll("a");
    assert_eq!(next_deadline(&world.run), Some(world.now + 13_000));
}

#[test]
fn a_deadline_that_only_alerts_wakes_nobody() {
    let limits = json!({
        "name": "kind", "timeoutSeconds": 5, "timeoutPolicy": "ALERT_ONLY", "responseTimeoutSeconds": 5
    });
    let mut world = World::new(&json!([step("a")]), &limits);
    world.decide();
    assert_eq!(next_deadline(&world.run), None);
    world.poll("a");
    // Silence is another matter.
    assert_eq!(next_deadline(&world.run), Some(world.now + 5_000));
}

#[test]
fn the_runs_timeout_counts_from_its_last_retry() {
    let mut world = World::new(&json!([step("a")]), &json!({"name": "kind"}));
    let definition = world.run.workflow_definition.as_mut().unwrap();
    definition.timeout_seconds = 10;
    definition.timeout_policy = crate::conductor::wire::WorkflowTimeoutPolicy::TimeOutWf;
    world.run.last_retried_time = world.now + 5_000;
    world.now += 14_999;
    assert_eq!(world.decide().run.status, WorkflowStatus::Running);
    assert_eq!(next_deadline(&world.run), Some(world.now + 1));
    world.now += 1;
    assert_eq!(world.decide().run.status, WorkflowStatus::TimedOut);
}

#[test]
fn a_huge_delay_saturates_instead_of_overflowing() {
    let limits = json!({
        "name": "kind", "retryDelaySeconds": i64::MAX, "retryLogic": "EXPONENTIAL_BACKOFF", "retryCount": 2
    });
    let mut world = World::new(&json!([step("a")]), &limits);
    world.decide().end("a", TaskStatus::Failed, json!({}));
    assert_eq!(world.last("a").callback_after_seconds, i64::from(i32::MAX));
}

#[test]
fn a_domain_with_a_live_worker_wins_over_the_last_in_the_list() {
    for (list, live, expected) in [
        ("one, two", None, Some("two")),
        ("one, two", Some("one"), Some("one")),
        ("one, NO_DOMAIN", None, None),
        ("NO_DOMAIN", None, None),
    ] {
        let mut world = World::new(&json!([step("a")]), &json!({"name": "kind"}));
        let domains = [("*".to_owned(), list.to_owned())];
        world.run.task_to_domain = BTreeMap::from(domains);
        world.live_domains = live
            .map(|domain| ("kind".to_owned(), domain.to_owned()))
            .into_iter()
            .collect();
        world.decide();
        assert_eq!(world.last("a").domain.as_deref(), expected, "{list}");
    }
}

#[test]
fn a_retry_by_hand_takes_the_last_attempts_that_did_not_go_well() {
    let mut world = World::new(
        &forked(&["a2", "b1"]),
        &json!({"name": "kind", "retryCount": 0}),
    );
    world.decide().end("a1", TaskStatus::Completed, json!({}));
    world.end("b1", TaskStatus::Failed, json!({}));
    let again = retryable(&world.run);
    let references: Vec<_> = again
        .iter()
        .map(|&index| world.run.tasks[index].reference_task_name.as_str())
        .collect();
    assert_eq!(references, ["b1", "a2"]);
    world.run.status = WorkflowStatus::Running;
    schedule_again(&mut world.run, &again, world.now, &mut || "new".to_owned());
    world.decide();
    assert_eq!(
        world.story(),
        "f#0 COMPLETED, a1#0 COMPLETED, b1#0 FAILED, j#0 IN_PROGRESS, a2#0 CANCELED, b1#1 SCHEDULED, a2#1 SCHEDULED"
    );
}
