use serde_json::json;
use switchyard::{
    conductor::wire::{TaskStatus, WorkflowStatus},
    model::WorkflowId,
};

use super::harness::{Server, conformance, simple, status};

/// Two steps, started.
async fn started(server: &Server) -> (WorkflowId, String, String, String) {
    let (first, second) = (server.kind(json!({})).await, server.kind(json!({})).await);
    let name = server
        .workflow(json!({"tasks": [simple(&first, "a"), simple(&second, "b")]}))
        .await;
    let id = server.start(&name, json!({})).await;
    (id, name, first, second)
}

async fn c1_a_pause_keeps_new_tasks_back_but_not_queued_ones(server: &Server) {
    let (id, _, first, second) = started(server).await;
    server.client.pause(&id).await.unwrap();
    server.client.pause(&id).await.unwrap();
    let run = server.run(&id).await;
    assert_eq!(run.status, WorkflowStatus::Paused);
    server.work(&first, json!({})).await;
    let run = server.run(&id).await;
    assert_eq!(status(&run, "a"), TaskStatus::Completed);
    assert_eq!(run.tasks.len(), 1);
    server.nothing(&second).await;
    server.client.resume(&id).await.unwrap();
    assert!(server.run(&id).await.last_retried_time > 0);
    let task = server.take(&second).await;
    assert_eq!(server.control("PUT", &id, "/resume").await, 500);
    server.complete(&task, json!({})).await;
    server.until_run(&id, "COMPLETED").await;
    assert_eq!(server.control("PUT", &id, "/pause").await, 409);
}

async fn c2_terminating_cancels_what_is_open(server: &Server) {
    let (id, _, first, _) = started(server).await;
    server.client.terminate(&id, "because").await.unwrap();
    let run = server.run(&id).await;
    assert_eq!(run.status, WorkflowStatus::Terminated);
    assert_eq!(run.reason_for_incompletion.as_deref(), Some("because"));
    assert_eq!(status(&run, "a"), TaskStatus::Canceled);
    server.nothing(&first).await;
    // The second time is harmless.
    server.client.terminate(&id, "again").await.unwrap();

    let (id, _, first, second) = started(server).await;
    server.work(&first, json!({})).await;
    server.work(&second, json!({})).await;
    server.until_run(&id, "COMPLETED").await;
    assert_eq!(server.control("DELETE", &id, "").await, 409);
}

async fn c3_a_run_that_failed_in_a_fork_can_be_retried(server: &Server) {
    let kind = server.kind(json!({})).await;
    let fork = json!({
        "name": "fork", "taskReferenceName": "fork", "type": "FORK_JOIN",
        "forkTasks": [[simple(&kind, "x")], [simple(&kind, "y")]]
    });
    let join =
        json!({"name": "join", "taskReferenceName": "join", "type": "JOIN", "joinOn": ["x", "y"]});
    let name = server.workflow(json!({"tasks": [fork, join]})).await;
    let id = server.start(&name, json!({})).await;
    let task = server.take(&kind).await;
    server.fail(&task, "boom").await;
    server
        .until("everything is cancelled", || async {
            let run = server.run(&id).await;
            (run.status.is_terminal() && status(&run, "join") == TaskStatus::Canceled).then_some(())
        })
        .await;
    assert_eq!(server.control("POST", &id, "/retry").await, 204);
    let run = server.run(&id).await;
    assert_eq!(run.status, WorkflowStatus::Running);
    assert_eq!(run.reason_for_incompletion, None);
    assert_eq!(status(&run, "join"), TaskStatus::InProgress);
    for _ in 0..2 {
        let task = server.work(&kind, json!({"ok": 1})).await;
        assert_eq!(task.retry_count, 1);
    }
    let run = server.until_run(&id, "COMPLETED").await;
    assert_eq!(run.tasks.len(), 6);
}

async fn c4_a_restart_begins_anew_under_the_same_id(server: &Server) {
    let (id, name, first, _) = started(server).await;
    assert_eq!(server.control("POST", &id, "/restart").await, 409);
    let task = server.take(&first).await;
    server.fail(&task, "boom").await;
    server.until_run(&id, "FAILED").await;
    server.client.restart(&id, false).await.unwrap();
    let run = server.run(&id).await;
    assert_eq!(run.status, WorkflowStatus::Running);
    assert_eq!(run.tasks.len(), 1);
    assert_eq!(run.tasks[0].retry_count, 0);
    assert_ne!(run.tasks[0].task_id, task.task_id);
    assert_eq!(run.reason_for_incompletion, None);
    // The task of before is gone, and so is the way to report on it.
    assert_eq!(server.client.task(&task.task_id).await.unwrap(), None);

    server.client.terminate(&id, "again").await.unwrap();
    let reply = server
        .define(&name, json!({"tasks": [simple(&first, "other")]}))
        .await;
    assert_eq!(reply.status, 200);
    server.client.restart(&id, false).await.unwrap();
    assert_eq!(server.run(&id).await.tasks[0].reference_task_name, "a");
    server.client.terminate(&id, "again").await.unwrap();
    server.client.restart(&id, true).await.unwrap();
    assert_eq!(server.run(&id).await.tasks[0].reference_task_name, "other");
}

async fn c5_only_a_failed_run_can_be_retried(server: &Server) {
    let (id, _, first, second) = started(server).await;
    assert_eq!(server.control("POST", &id, "/retry").await, 404);
    server.work(&first, json!({})).await;
    server.work(&second, json!({})).await;
    server.until_run(&id, "COMPLETED").await;
    assert_eq!(server.control("POST", &id, "/retry").await, 409);
}

async fn c6_a_removed_run_is_gone(server: &Server) {
    let (id, _, _, _) = started(server).await;
    // An open run is removed as well, and the answer is a refusal.
    assert_eq!(server.control("DELETE", &id, "/remove").await, 400);
    assert_eq!(server.control("GET", &id, "").await, 404);

    let (id, _, _, _) = started(server).await;
    server.client.terminate(&id, "enough").await.unwrap();
    server.client.remove(&id).await.unwrap();
    assert_eq!(server.control("GET", &id, "").await, 404);
    for (method, verb) in [
        ("PUT", "/pause"),
        ("PUT", "/resume"),
        ("POST", "/retry"),
        ("POST", "/restart"),
        ("DELETE", ""),
        ("DELETE", "/remove"),
    ] {
        assert_eq!(
            server.control(method, &id, verb).await,
            404,
            "{method} {verb}"
        );
    }
    let decide = format!("/workflow/decide/{id}");
    assert_eq!(server.call("PUT", &decide, None).await.status, 404);
}

conformance!(
    c1_a_pause_keeps_new_tasks_back_but_not_queued_ones,
    c2_terminating_cancels_what_is_open,
    c3_a_run_that_failed_in_a_fork_can_be_retried,
    c4_a_restart_begins_anew_under_the_same_id,
    c5_only_a_failed_run_can_be_retried,
    c6_a_removed_run_is_gone,
);
