use serde_json::{Value, json};
use switchyard::conductor::wire::StartWorkflowRequest;

use super::harness::{Kind, Server, conformance, simple, unique};

async fn one_task(server: &Server) -> (String, String) {
    let kind = server.kind(json!({})).await;
    let name = server
        .workflow(json!({"tasks": [simple(&kind, "a")]}))
        .await;
    (name, kind)
}

async fn s1_a_start_answers_the_bare_id_as_text(server: &Server) {
    let (name, _) = one_task(server).await;
    let body = json!({"name": name, "input": {}});
    let by_body = server.call("POST", "/workflow", Some(body)).await;
    let path = format!("/workflow/{name}");
    let by_path = server.call("POST", &path, Some(json!({}))).await;
    for reply in [by_body, by_path] {
        assert_eq!(reply.status, 200);
        assert!(reply.content_type.starts_with("text/plain"), "{reply:?}");
        assert!(!reply.text.contains('"'), "{reply:?}");
        assert_eq!(
            server
                .get(&format!("/workflow/{}", reply.text))
                .await
                .status,
            200
        );
    }
}

async fn s2_a_start_that_cannot_be_is_refused(server: &Server) {
    let (name, _) = one_task(server).await;
    let nobody = unique("nobody");
    for (body, status) in [
        (json!({"name": nobody, "input": {}}), 404),
        (json!({"name": name, "version": 9, "input": {}}), 404),
        (json!({"name": name, "input": null}), 400),
        (json!({"name": "", "input": {}}), 400),
        (json!({"name": name, "input": {}, "priority": 101}), 400),
        // No list is an input, and Conductor calls what it cannot parse its own fault.
        (json!({"name": name, "input": [1]}), 500),
    ] {
        let reply = server.call("POST", "/workflow", Some(body.clone())).await;
        assert_eq!(reply.status, status, "{body}: {reply:?}");
        assert_eq!(reply.json()["retryable"], json!(false));
    }
    let nameless = server
        .call("POST", "/workflow", Some(json!({"input": {}})))
        .await;
    assert_eq!(nameless.status, 400);
    assert_eq!(
        nameless.broken_rules(),
        "Workflow name cannot be null or empty"
    );
    // Left out, unlike null, the input is empty.
    let reply = server
        .call("POST", "/workflow", Some(json!({"name": name})))
        .await;
    assert_eq!(reply.status, 200);
    let by_path = server
        .call("POST", &format!("/workflow/{name}"), None)
        .await;
    assert_eq!(by_path.status, 500);
}

async fn s3_a_run_is_found_by_its_correlation_id(server: &Server) {
    let (name, _) = one_task(server).await;
    let key = unique("recording");
    let request = StartWorkflowRequest {
        name: name.clone(),
        correlation_id: Some(key.clone()),
        ..StartWorkflowRequest::default()
    };
    let id = server.client.start(&request).await.unwrap();
    let run = server.run(&id).await;
    assert_eq!(run.correlation_id.as_deref(), Some(key.as_str()));
    assert_eq!(run.tasks[0].correlation_id.as_deref(), Some(key.as_str()));

    let found = server.client.correlated(&name, &key).await.unwrap();
    match server.kind {
        Kind::Embedded => assert_eq!(found.len(), 1),
        // In memory and without an index the lookup knows nothing.
        Kind::Conductor => assert_eq!(found.len(), 0),
    }
    let found = server.client.find_started(&name, &key).await.unwrap();
    assert_eq!(found.map(|started| started.id), Some(id));
    let nobody = server.client.find_started(&name, "nobody").await.unwrap();
    assert!(nobody.is_none());
}

async fn s4_the_running_list_has_open_runs_only(server: &Server) {
    let (name, kind) = one_task(server).await;
    let id = server.start(&name, json!({})).await;
    assert_eq!(
        server.client.running(&name, None).await.unwrap(),
        std::slice::from_ref(&id)
    );
    server.work(&kind, json!({})).await;
    server.until_run(&id, "COMPLETED").await;
    assert!(server.client.running(&name, None).await.unwrap().is_empty());
}

async fn s5_an_idempotency_key_does_not_keep_a_second_run_away(server: &Server) {
    let (name, _) = one_task(server).await;
    let body =
        json!({"name": name, "input": {}, "idempotencyKey": "k", "idempotencyStrategy": "FAIL"});
    let first = server.call("POST", "/workflow", Some(body.clone())).await;
    let second = server.call("POST", "/workflow", Some(body)).await;
    assert_eq!((first.status, second.status), (200, 200));
    assert_ne!(first.text, second.text);
}

async fn s6_definitions_are_frozen_at_the_start(server: &Server) {
    let (name, kind) = one_task(server).await;
    let id = server.start(&name, json!({})).await;
    server.redefine(&kind, json!({"retryCount": 5})).await;
    let task = server.take(&kind).await;
    server.fail(&task, "no").await;
    let run = server.until_run(&id, "FAILED").await;
    assert_eq!(run.tasks.len(), 1);
    let definition = serde_json::to_value(run.workflow_definition).unwrap();
    assert_eq!(
        definition["tasks"][0]["taskDefinition"]["retryCount"],
        Value::from(0)
    );
}

conformance!(
    s1_a_start_answers_the_bare_id_as_text,
    s2_a_start_that_cannot_be_is_refused,
    s3_a_run_is_found_by_its_correlation_id,
    s4_the_running_list_has_open_runs_only,
    s5_an_idempotency_key_does_not_keep_a_second_run_away,
    s6_definitions_are_frozen_at_the_start,
);
