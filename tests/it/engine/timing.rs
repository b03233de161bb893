use serde_json::{Value, json};
use switchyard::{
    conductor::wire::{TaskStatus, Workflow},
    model::WorkflowId,
};

use super::harness::{Server, attempt, conformance, simple};

async fn one_task(server: &Server, kind: Value, workflow: Value) -> (WorkflowId, String) {
    let kind = server.kind(kind).await;
    let mut definition = json!({"tasks": [simple(&kind, "a")]});
    definition
        .as_object_mut()
        .unwrap()
        .extend(workflow.as_object().unwrap().clone());
    let name = server.workflow(definition).await;
    (server.start(&name, json!({})).await, kind)
}

/// Has the server look at the run until it is as wanted.
async fn decide_until(
    server: &Server,
    id: &WorkflowId,
    what: &str,
    wanted: impl Fn(&Workflow) -> bool,
) -> Workflow {
    server
        .until(what, || async {
            server.client.decide(id).await.unwrap();
            let run = server.run(id).await;
            wanted(&run).then_some(run)
        })
        .await
}

async fn t1_silence_beyond_the_response_timeout_is_retried(server: &Server) {
    let limits = json!({"responseTimeoutSeconds": 2, "retryCount": 1});
    let (id, kind) = one_task(server, limits, json!({})).await;
    let task = server.take(&kind).await;
    server.client.decide(&id).await.unwrap();
    assert_eq!(server.run(&id).await.tasks.len(), 1);
    server.pass(3).await;
    let run = decide_until(server, &id, "a second attempt", |run| run.tasks.len() == 2).await;
    assert_eq!(run.tasks[0].status, TaskStatus::TimedOut);
    assert_eq!(
        run.tasks[0].reason_for_incompletion,
        Some(format!(
            "responseTimeout: 2 exceeded for the taskId: {} with Task Definition: {kind}",
            task.task_id
        ))
    );
    assert_eq!(run.tasks[1].status, TaskStatus::Scheduled);
    assert_eq!(run.tasks[1].callback_after_seconds, 1);
}

async fn t2_silence_is_noticed_without_being_asked(server: &Server) {
    let limits = json!({"responseTimeoutSeconds": 2, "retryCount": 1});
    let (id, kind) = one_task(server, limits, json!({})).await;
    server.take(&kind).await;
    server.pass(3).await;
    server.until_task(&id, "a", 1, TaskStatus::Scheduled).await;
}

async fn t3_a_task_that_takes_too_long_does_what_its_policy_says(server: &Server) {
    for (policy, status) in [
        ("TIME_OUT_WF", "TIMED_OUT"),
        ("RETRY", "RUNNING"),
        ("ALERT_ONLY", "RUNNING"),
    ] {
        let limits = json!({
            "timeoutSeconds": 2, "responseTimeoutSeconds": 2, "timeoutPolicy": policy, "retryCount": 1
        });
        let (id, kind) = one_task(server, limits, json!({})).await;
        let task = server.take(&kind).await;
        server.pass(1).await;
        server.client.extend_lease(&task).await.unwrap();
        // Past the timeout, within the renewed response timeout.
        server.pass(1).await;
        let run = decide_until(server, &id, policy, |run| match policy {
            "ALERT_ONLY" => true,
            _ => run.tasks[0].status == TaskStatus::TimedOut,
        })
        .await;
        assert_eq!(run.status.as_str(), status, "{policy}");
        let second = attempt(&run, "a", 1).map(|task| task.status);
        let expected = (policy == "RETRY").then_some(TaskStatus::Scheduled);
        assert_eq!(second, expected, "{policy}");
        if policy != "ALERT_ONLY" {
            let reason = run.tasks[0].reason_for_incompletion.as_deref().unwrap();
            let text =
                format!("Timeout configured as 2 seconds. Timeout policy configured to {policy}");
            assert!(reason.contains(&text), "{reason}");
        }
    }
}

async fn t4_a_task_nobody_polls_is_retried(server: &Server) {
    let limits = json!({"pollTimeoutSeconds": 2, "retryCount": 1});
    let (id, _) = one_task(server, limits, json!({})).await;
    server.pass(3).await;
    let run = decide_until(server, &id, "a second attempt", |run| run.tasks.len() == 2).await;
    assert_eq!(run.tasks[0].status, TaskStatus::TimedOut);
    let reason = run.tasks[0].reason_for_incompletion.as_deref().unwrap();
    assert!(reason.starts_with("Task poll timed out after"), "{reason}");
}

async fn t5_a_run_that_takes_too_long_does_what_its_policy_says(server: &Server) {
    for (policy, status) in [("TIME_OUT_WF", "TIMED_OUT"), ("ALERT_ONLY", "RUNNING")] {
        let limits = json!({"timeoutSeconds": 2, "timeoutPolicy": policy});
        let (id, _) = one_task(server, json!({}), limits).await;
        server.pass(3).await;
        let run = decide_until(server, &id, policy, |run| run.status.as_str() == status).await;
        let expected = match policy {
            "TIME_OUT_WF" => TaskStatus::Canceled,
            _ => TaskStatus::Scheduled,
        };
        assert_eq!(run.tasks[0].status, expected);
    }
}

async fn d2_a_task_whose_worker_died_is_handed_to_another(server: &Server) {
    let limits = json!({"responseTimeoutSeconds": 2, "retryCount": 1, "retryDelaySeconds": 0});
    let (id, kind) = one_task(server, limits, json!({})).await;
    let lost = server.take(&kind).await;
    server.pass(3).await;
    let task = server.take(&kind).await;
    assert_eq!(task.retried_task_id, Some(lost.task_id));
    server.complete(&task, json!({})).await;
    server.until_run(&id, "COMPLETED").await;
}

conformance!(
    t1_silence_beyond_the_response_timeout_is_retried,
    t2_silence_is_noticed_without_being_asked,
    t3_a_task_that_takes_too_long_does_what_its_policy_says,
    t4_a_task_nobody_polls_is_retried,
    t5_a_run_that_takes_too_long_does_what_its_policy_says,
    d2_a_task_whose_worker_died_is_handed_to_another,
);
