use serde_json::{Map, Value, json};
use switchyard::{conductor::wire::TaskStatus, model::WorkflowId};

use super::harness::{Kind, Server, attempt, conformance, simple, status, with};

fn join_on(references: &[&str]) -> Value {
    json!({"name": "join", "taskReferenceName": "join", "type": "JOIN", "joinOn": references})
}

fn fork(branches: &Value) -> Value {
    json!({"name": "fork", "taskReferenceName": "fork", "type": "FORK_JOIN", "forkTasks": branches})
}

/// A dynamic fork, its join, and a last task that sees what was joined.
struct Dynamic {
    name: String,
    branch: String,
    last: String,
}

impl Dynamic {
    async fn new(server: &Server, branch: Value) -> Self {
        let (branch, last) = (server.kind(branch).await, server.kind(json!({})).await);
        let fork = json!({
            "name": "fork", "taskReferenceName": "fork", "type": "FORK_JOIN_DYNAMIC",
            "inputParameters": {"tasks": "${workflow.input.tasks}", "inputs": "${workflow.input.inputs}"},
            "dynamicForkTasksParam": "tasks", "dynamicForkTasksInputParamName": "inputs"
        });
        let seen = json!({"inputParameters": {
            "joined": "${join.output}", "urls": "${join.output..padded_url}"
        }});
        let last_step = with(simple(&last, "last"), seen);
        let name = server
            .workflow(json!({"tasks": [fork, join_on(&[]), last_step]}))
            .await;
        Self { name, branch, last }
    }

    async fn start(&self, server: &Server, branches: usize, changes: &Value) -> WorkflowId {
        let references = (0..branches).map(|n| format!("x_{n}"));
        let tasks: Vec<_> = references
            .clone()
            .map(|reference| with(simple(&self.branch, &reference), changes.clone()))
            .collect();
        let inputs: Map<_, _> = references
            .enumerate()
            .map(|(n, reference)| (reference, json!({"n": n})))
            .collect();
        server
            .start(&self.name, json!({"tasks": tasks, "inputs": inputs}))
            .await
    }
}

async fn f1_a_dynamic_fork_joins_every_branch_by_reference(server: &Server) {
    let fork = Dynamic::new(server, json!({})).await;
    for branches in [0usize, 1, 3, 25] {
        let id = fork.start(server, branches, &json!({})).await;
        for _ in 0..branches {
            let task = server.take(&fork.branch).await;
            let n = task.input_data["n"].clone();
            assert_eq!(task.reference_task_name, format!("x_{n}"));
            server.complete(&task, json!({"n": n})).await;
        }
        let last = server.work(&fork.last, json!({})).await;
        let joined = last.input_data["joined"].as_object().unwrap();
        assert_eq!(joined.len(), branches);
        for n in 0..branches {
            assert_eq!(joined[&format!("x_{n}")], json!({"n": n}));
        }
        let run = server.until_run(&id, "COMPLETED").await;
        assert_eq!(run.tasks.len(), branches + 3);
        assert_eq!(run.tasks[0].task_type, "FORK");
        assert_eq!(run.tasks[branches + 1].task_type, "JOIN");
    }
}

async fn f2_a_dynamic_fork_with_a_wrong_input_fails_the_run(server: &Server) {
    let fork = Dynamic::new(server, json!({})).await;
    let one = simple(&fork.branch, "x_0");
    for (input, reason) in [
        (json!({"tasks": [one], "inputs": "text"}), "is not a map"),
        (json!({"tasks": [one], "inputs": null}), "is not a map"),
        (
            json!({"tasks": [one], "inputs": {"x_0": 5}}),
            "could not be dynamically forked",
        ),
        (
            json!({"tasks": [simple("nobody", "x_0")], "inputs": {"x_0": {}}}),
            "Task nobody does not have a definition",
        ),
    ] {
        let id = server.start(&fork.name, input.clone()).await;
        let run = server.until_run(&id, "FAILED").await;
        let text = run.reason_for_incompletion.unwrap_or_default();
        assert!(text.contains(reason), "{input}: {text}");
        assert!(run.tasks.is_empty());
    }
    for tasks in [json!("text"), json!([5])] {
        let body = json!({"name": fork.name, "input": {"tasks": tasks, "inputs": {}}});
        assert_eq!(
            server.call("POST", "/workflow", Some(body)).await.status,
            400
        );
    }
}

async fn f2_a_list_that_cannot_be_read_later_leaves_the_run_open(server: &Server) {
    let first = server.kind(json!({})).await;
    let fork = json!({
        "name": "fork", "taskReferenceName": "fork", "type": "FORK_JOIN_DYNAMIC",
        "inputParameters": {"tasks": "${a.output.tasks}", "inputs": {}},
        "dynamicForkTasksParam": "tasks", "dynamicForkTasksInputParamName": "inputs"
    });
    let tasks = json!([simple(&first, "a"), fork, join_on(&[])]);
    let name = server.workflow(json!({"tasks": tasks})).await;
    let id = server.start(&name, json!({})).await;
    let task = server.take(&first).await;
    let body = json!({
        "taskId": task.task_id, "workflowInstanceId": id.as_str(), "status": "COMPLETED",
        "outputData": {"tasks": "text"}
    });
    // The report is kept all the same.
    assert_eq!(server.call("POST", "/tasks", Some(body)).await.status, 400);
    let run = server.run(&id).await;
    assert_eq!(run.status.as_str(), "RUNNING");
    assert_eq!(status(&run, "a"), TaskStatus::Completed);
    assert_eq!(run.tasks.len(), 1);
    let decide = format!("/workflow/decide/{id}");
    assert_eq!(server.call("PUT", &decide, None).await.status, 400);
    server.client.terminate(&id, "cannot go on").await.unwrap();
}

async fn f2_what_a_dynamic_fork_forgives(server: &Server) {
    let fork = Dynamic::new(server, json!({})).await;
    let one = simple(&fork.branch, "x_0");
    // No list is an empty list.
    server
        .start(&fork.name, json!({"tasks": null, "inputs": {}}))
        .await;
    let last = server.work(&fork.last, json!({})).await;
    assert_eq!(last.input_data["joined"], json!({}));
    // No entry is no input; a reference listed twice is forked once.
    let input = json!({"tasks": [one, one], "inputs": {}});
    let id = server.start(&fork.name, input).await;
    let task = server.work(&fork.branch, json!({"a": 1})).await;
    assert!(task.input_data.is_empty());
    let last = server.work(&fork.last, json!({})).await;
    assert_eq!(last.input_data["joined"], json!({"x_0": {"a": 1}}));
    let run = server.until_run(&id, "COMPLETED").await;
    assert_eq!(run.tasks.len(), 4);
}

async fn f2_literal_inputs_and_the_map_are_merged_and_stay_text(server: &Server) {
    let fork = Dynamic::new(server, json!({})).await;
    let literal = json!({"inputParameters": {"k": 1, "run": "${workflow.workflowId}"}});
    let input = json!({
        "tasks": [with(simple(&fork.branch, "x_0"), literal)],
        "inputs": {"x_0": {"k": 2, "text": "${workflow.workflowId}"}}
    });
    let id = server.start(&fork.name, input).await;
    let task = server.take(&fork.branch).await;
    let expected = json!({"k": 2, "run": id.as_str(), "text": "${workflow.workflowId}"});
    assert_eq!(Value::Object(task.input_data), expected);
}

async fn f3_a_branch_with_attempts_left_is_retried_while_the_join_waits(server: &Server) {
    let fork = Dynamic::new(server, json!({"retryCount": 1, "retryDelaySeconds": 0})).await;
    let id = fork.start(server, 2, &json!({})).await;
    let first = server.take(&fork.branch).await;
    server.fail(&first, "flaky").await;
    for _ in 0..2 {
        server.work(&fork.branch, json!({"ok": true})).await;
    }
    let last = server.work(&fork.last, json!({})).await;
    let joined = last.input_data["joined"].as_object().unwrap();
    assert_eq!(joined[&first.reference_task_name], json!({"ok": true}));
    let run = server.until_run(&id, "COMPLETED").await;
    assert!(attempt(&run, &first.reference_task_name, 1).is_some());
}

async fn f4_an_exhausted_branch_fails_the_run_and_cancels_the_rest(server: &Server) {
    let fork = Dynamic::new(server, json!({})).await;
    let id = fork.start(server, 3, &json!({})).await;
    let task = server.take(&fork.branch).await;
    server.fail(&task, "boom").await;
    let run = server
        .until("the rest is cancelled", || async {
            let run = server.run(&id).await;
            (run.status.as_str() == "FAILED" && run.tasks.iter().all(|t| t.status.is_terminal()))
                .then_some(run)
        })
        .await;
    let cancelled = run
        .tasks
        .iter()
        .filter(|t| t.status == TaskStatus::Canceled);
    assert_eq!(cancelled.count(), 3);
    assert_eq!(status(&run, "join"), TaskStatus::Canceled);
    server.nothing(&fork.branch).await;
}

async fn f5_a_branch_without_output_has_no_key_in_the_join(server: &Server) {
    let fork = Dynamic::new(server, json!({})).await;
    fork.start(server, 2, &json!({})).await;
    let silent = server.work(&fork.branch, json!({})).await;
    let other = server.work(&fork.branch, json!({"a": 1})).await;
    let last = server.work(&fork.last, json!({})).await;
    let joined = last.input_data["joined"].as_object().unwrap();
    assert!(!joined.contains_key(&silent.reference_task_name));
    assert_eq!(joined[&other.reference_task_name], json!({"a": 1}));
}

async fn f6_an_optional_branch_that_fails_ends_the_join(server: &Server) {
    let fork = Dynamic::new(server, json!({})).await;
    let id = fork.start(server, 2, &json!({"optional": true})).await;
    let bad = server.take(&fork.branch).await;
    let slow = server.take(&fork.branch).await;
    server.fail(&bad, "no").await;
    server
        .until_task(
            &id,
            &bad.reference_task_name,
            0,
            TaskStatus::CompletedWithErrors,
        )
        .await;
    match server.kind {
        // Later releases wait, and so does the embedded engine.
        Kind::Embedded => {
            assert_eq!(
                status(&server.run(&id).await, "join"),
                TaskStatus::InProgress
            );
        }
        // 3.15.0 goes on although a branch still runs.
        Kind::Conductor => {
            server
                .until_task(&id, "join", 0, TaskStatus::CompletedWithErrors)
                .await;
        }
    }
    server.complete(&slow, json!({"a": 1})).await;
    server
        .until_task(&id, "join", 0, TaskStatus::CompletedWithErrors)
        .await;
    server.work(&fork.last, json!({})).await;
    server.until_run(&id, "COMPLETED").await;
}

async fn f8_a_static_join_waits_for_what_it_names(server: &Server) {
    let (left, right, last) = (
        server.kind(json!({})).await,
        server.kind(json!({})).await,
        server.kind(json!({})).await,
    );
    let branches = json!([
        [simple(&left, "l1"), simple(&left, "l2")],
        [simple(&right, "r1")]
    ]);
    let seen = json!({"inputParameters": {"joined": "${join.output}"}});
    let tasks = json!([
        fork(&branches),
        join_on(&["l2", "r1"]),
        with(simple(&last, "last"), seen)
    ]);
    let name = server.workflow(json!({"tasks": tasks})).await;
    let id = server.start(&name, json!({})).await;
    server.work(&left, json!({"l": 1})).await;
    server.work(&right, json!({"r": 1})).await;
    let second = server.take(&left).await;
    assert_eq!(second.reference_task_name, "l2");
    assert_eq!(
        status(&server.run(&id).await, "join"),
        TaskStatus::InProgress
    );
    server.nothing(&last).await;
    server.complete(&second, json!({"l": 2})).await;
    let end = server.work(&last, json!({})).await;
    assert_eq!(
        end.input_data["joined"],
        json!({"l2": {"l": 2}, "r1": {"r": 1}})
    );
    server.until_run(&id, "COMPLETED").await;
}

async fn f8_a_static_join_that_names_nothing_ends_at_once(server: &Server) {
    let (branch, last) = (server.kind(json!({})).await, server.kind(json!({})).await);
    let tasks = json!([
        fork(&json!([[simple(&branch, "b1")], [simple(&branch, "b2")]])),
        join_on(&[]),
        simple(&last, "last")
    ]);
    let name = server.workflow(json!({"tasks": tasks})).await;
    let id = server.start(&name, json!({})).await;
    server.work(&last, json!({})).await;
    // The run still waits for what it forked.
    let run = server.run(&id).await;
    assert_eq!(run.status.as_str(), "RUNNING");
    assert_eq!(status(&run, "b1"), TaskStatus::Scheduled);
    server.work(&branch, json!({})).await;
    server.work(&branch, json!({})).await;
    server.until_run(&id, "COMPLETED").await;
}

async fn f8_a_fork_without_a_join_fails_the_run(server: &Server) {
    let kind = server.kind(json!({})).await;
    let tasks = json!([fork(&json!([[simple(&kind, "b1")]])), simple(&kind, "last")]);
    let name = server.workflow(json!({"tasks": tasks})).await;
    let id = server.start(&name, json!({})).await;
    let run = server.until_run(&id, "FAILED").await;
    let reason = run.reason_for_incompletion.unwrap_or_default();
    assert!(reason.contains("not followed by a join task"), "{reason}");
}

async fn f9_a_deep_scan_finds_the_value_of_every_branch(server: &Server) {
    let fork = Dynamic::new(server, json!({})).await;
    fork.start(server, 12, &json!({})).await;
    for _ in 0..12 {
        let task = server.take(&fork.branch).await;
        let url = format!("key/{}", task.input_data["n"]);
        server.complete(&task, json!({"padded_url": url})).await;
    }
    let last = server.work(&fork.last, json!({})).await;
    let mut urls: Vec<String> = serde_json::from_value(last.input_data["urls"].clone()).unwrap();
    // Their order is nobody's promise.
    urls.sort();
    let mut expected: Vec<_> = (0..12).map(|n| format!("key/{n}")).collect();
    expected.sort();
    assert_eq!(urls, expected);
}

conformance!(
    f1_a_dynamic_fork_joins_every_branch_by_reference,
    f2_a_dynamic_fork_with_a_wrong_input_fails_the_run,
    f2_a_list_that_cannot_be_read_later_leaves_the_run_open,
    f2_what_a_dynamic_fork_forgives,
    f2_literal_inputs_and_the_map_are_merged_and_stay_text,
    f3_a_branch_with_attempts_left_is_retried_while_the_join_waits,
    f4_an_exhausted_branch_fails_the_run_and_cancels_the_rest,
    f5_a_branch_without_output_has_no_key_in_the_join,
    f6_an_optional_branch_that_fails_ends_the_join,
    f8_a_static_join_waits_for_what_it_names,
    f8_a_static_join_that_names_nothing_ends_at_once,
    f8_a_fork_without_a_join_fails_the_run,
    f9_a_deep_scan_finds_the_value_of_every_branch,
);
