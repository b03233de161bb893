use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use switchyard::conductor::wire::{StartWorkflowRequest, TaskStatus};

use super::harness::{Server, conformance, simple, unique};

async fn p1_an_empty_queue_is_204_or_an_empty_list(server: &Server) {
    let kind = unique("nobody");
    let single = server.get(&format!("/tasks/poll/{kind}?workerid=w")).await;
    assert_eq!((single.status, single.text.as_str()), (204, ""));
    let batch = server
        .get(&format!(
            "/tasks/poll/batch/{kind}?workerid=w&count=3&timeout=10"
        ))
        .await;
    assert_eq!((batch.status, batch.text.as_str()), (200, "[]"));
    assert!(
        server
            .client
            .poll(&kind, "w", None)
            .await
            .unwrap()
            .is_none()
    );
}

async fn p2_a_polled_task_is_in_progress_and_not_given_again(server: &Server) {
    let kind = server.kind(json!({})).await;
    let name = server
        .workflow(json!({"tasks": [simple(&kind, "a")]}))
        .await;
    let id = server.start(&name, json!({})).await;
    let task = server.take(&kind).await;
    assert_eq!(task.status, TaskStatus::InProgress);
    assert_eq!(task.worker_id.as_deref(), Some("w"));
    assert_eq!(task.poll_count, 1);
    assert!(task.start_time > 0);
    assert_eq!(task.task_type, kind);
    assert_eq!(task.task_def_name, kind);
    assert_eq!(task.workflow_instance_id, id.as_str());
    assert_eq!(task.workflow_type.as_deref(), Some(name.as_str()));
    assert_eq!((task.seq, task.retry_count), (1, 0));
    assert!(task.workflow_task.is_some());
    server.nothing(&kind).await;
    let read = server.client.task(&task.task_id).await.unwrap();
    assert_eq!(read, Some(task));
}

async fn p3_a_batch_has_no_more_than_asked_for(server: &Server) {
    let kind = server.kind(json!({})).await;
    let name = server
        .workflow(json!({"tasks": [simple(&kind, "a")]}))
        .await;
    for _ in 0..5 {
        server.start(&name, json!({})).await;
    }
    let wait = Duration::from_secs(1);
    let mut got = Vec::new();
    while got.len() < 5 {
        let batch = server
            .client
            .poll_batch(&kind, "w", None, 3, wait)
            .await
            .unwrap();
        assert!(batch.len() <= 3, "{}", batch.len());
        got.extend(batch.into_iter().map(|task| task.task_id));
    }
    got.sort();
    got.dedup();
    assert_eq!(got.len(), 5);
}

async fn p4_a_long_poll_is_five_seconds_at_most(server: &Server) {
    let path = format!("/tasks/poll/batch/{}?workerid=w&timeout=5001", unique("k"));
    assert_eq!(server.get(&path).await.status, 400);
}

async fn p5_queue_sizes_and_poll_data_follow_the_polls(server: &Server) {
    let kind = server.kind(json!({})).await;
    let name = server
        .workflow(json!({"tasks": [simple(&kind, "a")]}))
        .await;
    server.start(&name, json!({})).await;
    let sizes = server.client.queue_sizes(&[&kind, "nobody"]).await.unwrap();
    assert_eq!(
        sizes,
        BTreeMap::from([(kind.clone(), 1), ("nobody".to_owned(), 0)])
    );
    assert!(server.client.poll_data(&kind).await.unwrap().is_empty());
    server.take(&kind).await;
    let sizes = server.client.queue_sizes(&[&kind]).await.unwrap();
    assert_eq!(sizes[&kind], 0);
    let polls = server.client.poll_data(&kind).await.unwrap();
    assert_eq!(polls.len(), 1);
    assert_eq!(polls[0].queue_name, kind);
    assert_eq!(polls[0].worker_id.as_deref(), Some("w"));
    let age_ms = server.now().timestamp_millis() - polls[0].last_poll_time;
    assert!((-1000..60_000).contains(&age_ms), "{age_ms}");
    let all = server.client.all_poll_data().await.unwrap();
    assert!(all.iter().any(|poll| poll.queue_name == kind));
}

async fn p6_a_task_in_a_domain_is_seen_by_that_domain_only(server: &Server) {
    let kind = server.kind(json!({})).await;
    let name = server
        .workflow(json!({"tasks": [simple(&kind, "a")]}))
        .await;
    let request = StartWorkflowRequest {
        name,
        task_to_domain: BTreeMap::from([("*".to_owned(), "shadow".to_owned())]),
        ..StartWorkflowRequest::default()
    };
    server.client.start(&request).await.unwrap();
    server.nothing(&kind).await;
    let task = server
        .until("the domain's worker gets it", || async {
            let poll = server.client.poll(&kind, "w", Some("shadow"));
            poll.await.unwrap()
        })
        .await;
    assert_eq!(task.domain.as_deref(), Some("shadow"));
    let polls = server.client.poll_data(&kind).await.unwrap();
    assert!(
        polls
            .iter()
            .any(|poll| poll.domain.as_deref() == Some("shadow"))
    );
}

conformance!(
    p1_an_empty_queue_is_204_or_an_empty_list,
    p2_a_polled_task_is_in_progress_and_not_given_again,
    p3_a_batch_has_no_more_than_asked_for,
    p4_a_long_poll_is_five_seconds_at_most,
    p5_queue_sizes_and_poll_data_follow_the_polls,
    p6_a_task_in_a_domain_is_seen_by_that_domain_only,
);
