use serde_json::json;
use switchyard::conductor::wire::{TaskResultStatus, TaskStatus};

use super::harness::{Kind, Server, attempt, conformance, result, simple, with};

/// Two steps; the second sees all of the first's output.
async fn two_steps(server: &Server) -> (String, String, String) {
    let (first, second) = (server.kind(json!({})).await, server.kind(json!({})).await);
    let seen = json!({"inputParameters": {"seen": "${a.output}"}});
    let name = server
        .workflow(json!({"tasks": [simple(&first, "a"), with(simple(&second, "b"), seen)]}))
        .await;
    (name, first, second)
}

async fn u1_completion_schedules_the_next_and_replaces_the_output(server: &Server) {
    let (name, first, second) = two_steps(server).await;
    let id = server.start(&name, json!({})).await;
    let task = server.take(&first).await;
    server
        .report(&result(
            &task,
            TaskResultStatus::InProgress,
            json!({"old": 1}),
        ))
        .await;
    let again = server.take(&first).await;
    assert_eq!(again.output_data, *json!({"old": 1}).as_object().unwrap());
    server.complete(&again, json!({"new": 2})).await;
    let next = server.take(&second).await;
    assert_eq!(next.input_data["seen"], json!({"new": 2}));
    server.complete(&next, json!({"end": true})).await;
    let run = server.until_run(&id, "COMPLETED").await;
    assert_eq!(run.output, *json!({"end": true}).as_object().unwrap());
    assert!(run.end_time >= run.create_time);
}

async fn u2_reports_that_make_no_sense_are_refused(server: &Server) {
    let (name, first, _) = two_steps(server).await;
    let id = server.start(&name, json!({})).await;
    let task = server.take(&first).await;
    for (body, status) in [
        (json!({}), 400),
        (json!({"taskId": task.task_id, "status": "COMPLETED"}), 400),
        (
            json!({"taskId": "no", "workflowInstanceId": id.as_str(), "status": "COMPLETED"}),
            404,
        ),
        (
            json!({"taskId": task.task_id, "workflowInstanceId": "no", "status": "COMPLETED"}),
            404,
        ),
        (
            json!({"taskId": task.task_id, "workflowInstanceId": id.as_str(), "status": "CANCELED"}),
            500,
        ),
        (
            json!({"taskId": task.task_id, "workflowInstanceId": id.as_str()}),
            500,
        ),
    ] {
        let reply = server.call("POST", "/tasks", Some(body.clone())).await;
        assert_eq!(reply.status, status, "{body}: {reply:?}");
    }
    let after = server.client.task(&task.task_id).await.unwrap().unwrap();
    assert_eq!(after.status, TaskStatus::InProgress);
}

async fn u3_a_report_that_comes_late_is_ignored_with_200(server: &Server) {
    let (name, first, second) = two_steps(server).await;
    let id = server.start(&name, json!({})).await;
    let task = server.work(&first, json!({"kept": 1})).await;
    server.fail(&task, "too late").await;
    let open = server.take(&second).await;
    server.client.terminate(&id, "enough").await.unwrap();
    let reply = server
        .call(
            "POST",
            "/tasks",
            Some(json!({"taskId": open.task_id, "workflowInstanceId": id.as_str(), "status": "COMPLETED", "outputData": {"late": 1}})),
        )
        .await;
    assert_eq!((reply.status, reply.text), (200, open.task_id));
    let run = server.run(&id).await;
    assert_eq!(run.status.as_str(), "TERMINATED");
    assert_eq!(run.tasks.len(), 2);
    assert_eq!(run.tasks[0].status, TaskStatus::Completed);
    assert_eq!(run.tasks[0].output_data["kept"], json!(1));
    assert_eq!(run.tasks[1].status, TaskStatus::Canceled);
    assert!(run.tasks[1].output_data.is_empty());
}

async fn u4_a_long_reason_is_cut_to_500_characters(server: &Server) {
    let (name, first, _) = two_steps(server).await;
    let id = server.start(&name, json!({})).await;
    let task = server.take(&first).await;
    server.fail(&task, &"x".repeat(600)).await;
    let run = server.until_run(&id, "FAILED").await;
    let reason = run.tasks[0].reason_for_incompletion.as_deref().unwrap();
    assert_eq!(reason.len(), 500);
}

async fn u5_a_task_given_back_is_handed_out_again_after_its_delay(server: &Server) {
    let (name, first, _) = two_steps(server).await;
    let id = server.start(&name, json!({})).await;
    let task = server.take(&first).await;
    let mut back = result(&task, TaskResultStatus::InProgress, json!({}));
    back.callback_after_seconds = 2;
    server.report(&back).await;
    let waiting = &server.run(&id).await.tasks[0];
    assert_eq!(waiting.status, TaskStatus::Scheduled);
    assert_eq!(waiting.callback_after_seconds, 2);
    server.nothing(&first).await;
    server.pass(2).await;
    let again = server.take(&first).await;
    assert_eq!(again.task_id, task.task_id);
    assert_eq!(again.poll_count, 2);
    assert_eq!(again.start_time, task.start_time);
}

async fn u6_a_renewed_lease_outlives_the_response_timeout(server: &Server) {
    let kind = server
        .kind(json!({"responseTimeoutSeconds": 4, "retryCount": 3}))
        .await;
    let name = server
        .workflow(json!({"tasks": [simple(&kind, "a")]}))
        .await;
    let id = server.start(&name, json!({})).await;
    let task = server.take(&kind).await;
    server.pass(2).await;
    let mut renewed = result(&task, TaskResultStatus::Failed, json!({"ignored": 1}));
    renewed.extend_lease = true;
    server.report(&renewed).await;
    server.pass(3).await;
    server.client.decide(&id).await.unwrap();
    let run = server.run(&id).await;
    assert_eq!(run.tasks.len(), 1);
    assert_eq!(run.tasks[0].status, TaskStatus::InProgress);
    assert!(run.tasks[0].output_data.is_empty());
    server.complete(&task, json!({})).await;
    server.until_run(&id, "COMPLETED").await;
    // A lease on what has ended is renewed with 200 as well.
    server.client.extend_lease(&task).await.unwrap();
}

async fn u7_two_completions_at_once_have_one_successor(server: &Server) {
    let (name, first, second) = two_steps(server).await;
    let id = server.start(&name, json!({})).await;
    let task = server.take(&first).await;
    tokio::join!(
        server.complete(&task, json!({"by": 1})),
        server.complete(&task, json!({"by": 2}))
    );
    let next = server.take(&second).await;
    server.nothing(&second).await;
    server.complete(&next, json!({})).await;
    let run = server.until_run(&id, "COMPLETED").await;
    assert_eq!(run.tasks.len(), 2);
}

async fn l2_a_log_line_is_kept_where_there_is_an_index(server: &Server) {
    let (name, first, _) = two_steps(server).await;
    server.start(&name, json!({})).await;
    let task = server.take(&first).await;
    server
        .client
        .log(&task.task_id, "first line")
        .await
        .unwrap();
    let logs = server.client.logs(&task.task_id).await.unwrap();
    match server.kind {
        Kind::Embedded => {
            assert_eq!(logs.len(), 1);
            assert_eq!(logs[0].log, "first line");
        }
        Kind::Conductor => assert!(logs.is_empty()),
    }
}

async fn d3_a_report_sent_twice_completes_once(server: &Server) {
    let (name, first, second) = two_steps(server).await;
    let id = server.start(&name, json!({})).await;
    let task = server.take(&first).await;
    server.complete(&task, json!({"n": 1})).await;
    server.complete(&task, json!({"n": 1})).await;
    server.work(&second, json!({})).await;
    let run = server.until_run(&id, "COMPLETED").await;
    assert!(attempt(&run, "a", 1).is_none());
    assert_eq!(run.tasks.len(), 2);
}

conformance!(
    u1_completion_schedules_the_next_and_replaces_the_output,
    u2_reports_that_make_no_sense_are_refused,
    u3_a_report_that_comes_late_is_ignored_with_200,
    u4_a_long_reason_is_cut_to_500_characters,
    u5_a_task_given_back_is_handed_out_again_after_its_delay,
    u6_a_renewed_lease_outlives_the_response_timeout,
    u7_two_completions_at_once_have_one_successor,
    l2_a_log_line_is_kept_where_there_is_an_index,
    d3_a_report_sent_twice_completes_once,
);
