use serde_json::{Value, json};
use switchyard::conductor::wire::{TaskResultStatus, TaskStatus};

use super::harness::{Server, attempt, conformance, result, simple, status, with};

/// Fails every attempt and collects how long each next one is held back.
async fn delays(server: &Server, logic: Value) -> Vec<i64> {
    let kind = server.kind(logic).await;
    let name = server
        .workflow(json!({"tasks": [simple(&kind, "a")]}))
        .await;
    let id = server.start(&name, json!({})).await;
    let mut delays = Vec::new();
    for count in 1..=3 {
        let task = server.take(&kind).await;
        server.fail(&task, "no").await;
        let next = server
            .until_task(&id, "a", count, TaskStatus::Scheduled)
            .await;
        assert_eq!(next.start_delay_in_seconds, next.callback_after_seconds);
        server.nothing(&kind).await;
        server.pass(next.callback_after_seconds).await;
        delays.push(next.callback_after_seconds);
    }
    delays
}

async fn r1_retries_wait_as_their_logic_says(server: &Server) {
    let with = |logic: &str, scale: i32| json!({"retryCount": 3, "retryLogic": logic, "backoffScaleFactor": scale});
    assert_eq!(delays(server, with("FIXED", 5)).await, [1, 1, 1]);
    assert_eq!(delays(server, with("LINEAR_BACKOFF", 2)).await, [2, 4, 6]);
    // The scale factor is not used.
    assert_eq!(
        delays(server, with("EXPONENTIAL_BACKOFF", 3)).await,
        [1, 2, 4]
    );
}

async fn r2_a_retry_is_a_new_task_with_the_same_reference(server: &Server) {
    let kind = server.kind(json!({"retryCount": 1})).await;
    let name = server
        .workflow(json!({"tasks": [simple(&kind, "a")]}))
        .await;
    let id = server.start(&name, json!({})).await;
    let task = server.take(&kind).await;
    server.fail(&task, "flaky").await;
    server.pass(1).await;
    let again = server.take(&kind).await;
    assert_ne!(again.task_id, task.task_id);
    assert_eq!(
        again.retried_task_id.as_deref(),
        Some(task.task_id.as_str())
    );
    assert_eq!((again.retry_count, again.poll_count, again.seq), (1, 1, 2));
    assert_eq!(again.reference_task_name, "a");
    assert_eq!(again.reason_for_incompletion, None);
    // A late report on the first attempt changes nothing.
    server.complete(&task, json!({"late": 1})).await;
    let run = server.run(&id).await;
    let first = attempt(&run, "a", 0).unwrap();
    assert_eq!(first.status, TaskStatus::Failed);
    assert!(first.retried);
    server.complete(&again, json!({})).await;
    let run = server.until_run(&id, "COMPLETED").await;
    assert_eq!(run.failed_reference_task_names, ["a"]);
}

async fn r3_an_exhausted_task_fails_the_run_and_cancels_its_siblings(server: &Server) {
    let (bad, good) = (server.kind(json!({})).await, server.kind(json!({})).await);
    let fork = json!({
        "name": "fork", "taskReferenceName": "fork", "type": "FORK_JOIN",
        "forkTasks": [[simple(&bad, "bad")], [simple(&good, "good")]]
    });
    let join = json!({"name": "join", "taskReferenceName": "join", "type": "JOIN", "joinOn": ["bad", "good"]});
    let name = server.workflow(json!({"tasks": [fork, join]})).await;
    let id = server.start(&name, json!({})).await;
    let held = server.take(&good).await;
    let task = server.take(&bad).await;
    server.fail(&task, "boom").await;
    let run = server.until_run(&id, "FAILED").await;
    let expected = format!(
        "Task {} failed with status: FAILED and reason: 'boom'",
        task.task_id
    );
    assert_eq!(run.reason_for_incompletion, Some(expected));
    assert_eq!(run.failed_reference_task_names, ["bad"]);
    assert_eq!(run.failed_task_names, [bad]);
    // The worker that holds the sibling is not told, and its report changes nothing.
    server.complete(&held, json!({"late": 1})).await;
    let run = server
        .until("siblings are cancelled", || async {
            let run = server.run(&id).await;
            (status(&run, "join") == TaskStatus::Canceled).then_some(run)
        })
        .await;
    assert_eq!(status(&run, "good"), TaskStatus::Canceled);
}

async fn r4_a_terminal_error_is_not_retried(server: &Server) {
    let kind = server.kind(json!({"retryCount": 3})).await;
    let name = server
        .workflow(json!({"tasks": [simple(&kind, "a")]}))
        .await;
    let id = server.start(&name, json!({})).await;
    let task = server.take(&kind).await;
    server
        .report(&result(
            &task,
            TaskResultStatus::FailedWithTerminalError,
            json!({}),
        ))
        .await;
    let run = server.until_run(&id, "FAILED").await;
    assert_eq!(run.tasks.len(), 1);
}

async fn r5_an_optional_task_that_fails_lets_the_run_go_on(server: &Server) {
    let (bad, next) = (server.kind(json!({})).await, server.kind(json!({})).await);
    let optional = with(simple(&bad, "bad"), json!({"optional": true}));
    let seen = json!({"inputParameters": {"status": "${bad.status}", "output": "${bad.output}"}});
    let name = server
        .workflow(json!({"tasks": [optional, with(simple(&next, "next"), seen)]}))
        .await;
    let id = server.start(&name, json!({})).await;
    let task = server.take(&bad).await;
    server.fail(&task, "no").await;
    let after = server.work(&next, json!({})).await;
    assert_eq!(after.input_data["status"], json!("COMPLETED_WITH_ERRORS"));
    assert_eq!(after.input_data["output"], json!({"why": "no"}));
    let run = server.until_run(&id, "COMPLETED").await;
    assert_eq!(status(&run, "bad"), TaskStatus::CompletedWithErrors);
}

async fn r6_a_pending_retry_still_shows_the_failed_output(server: &Server) {
    let kind = server.kind(json!({"retryCount": 1})).await;
    let name = server
        .workflow(json!({"tasks": [simple(&kind, "a")]}))
        .await;
    let id = server.start(&name, json!({})).await;
    let task = server.take(&kind).await;
    server.fail(&task, "old").await;
    let next = server.until_task(&id, "a", 1, TaskStatus::Scheduled).await;
    assert_eq!(
        next.output_data,
        *json!({"why": "old"}).as_object().unwrap()
    );
}

conformance!(
    r1_retries_wait_as_their_logic_says,
    r2_a_retry_is_a_new_task_with_the_same_reference,
    r3_an_exhausted_task_fails_the_run_and_cancels_its_siblings,
    r4_a_terminal_error_is_not_retried,
    r5_an_optional_task_that_fails_lets_the_run_go_on,
    r6_a_pending_retry_still_shows_the_failed_output,
);
