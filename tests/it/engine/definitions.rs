use serde_json::{Value, json};

use super::harness::{Kind, Server, conformance, simple, unique, with};

async fn m1_a_list_with_one_bad_entry_is_refused_as_a_whole(server: &Server) {
    let kind = server.kind(json!({})).await;
    let (good, bad) = (unique("good"), unique("bad"));
    let entry =
        |name: &str, tasks: Value| json!({"name": name, "ownerEmail": "a@b.co", "tasks": tasks});
    let list = json!([
        entry(&good, json!([simple(&kind, "a")])),
        entry(&bad, json!([simple(&kind, "a"), simple(&kind, "a")]))
    ]);
    let reply = server.call("PUT", "/metadata/workflow", Some(list)).await;
    assert_eq!(reply.status, 400);
    assert_eq!(
        reply.broken_rules(),
        format!(
            "taskReferenceName: a should be unique across tasks for a given workflowDefinition: {bad}"
        )
    );
    let path = format!("/metadata/workflow/{good}");
    assert_eq!(server.get(&path).await.status, 404);

    let list = json!([entry(&good, json!([simple(&kind, "a")]))]);
    let reply = server.call("PUT", "/metadata/workflow", Some(list)).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json(),
        json!({"bulkErrorResults": {}, "bulkSuccessfulResults": [good]})
    );
}

async fn m2_a_workflow_that_breaks_a_rule_is_refused(server: &Server) {
    let kind = server.kind(json!({})).await;
    let name = unique("workflow");
    let input = |text: &str| {
        json!([with(
            simple(&kind, "a"),
            json!({"inputParameters": {"q": text}})
        )])
    };
    for (changes, rule) in [
        (json!({"ownerEmail": null}), "ownerEmail cannot be empty"),
        (
            json!({"ownerEmail": "nobody"}),
            "ownerEmail should be valid email address",
        ),
        (
            json!({"schemaVersion": 1}),
            "workflowDef schemaVersion: 2 is only supported",
        ),
        (
            json!({"name": "a:b"}),
            "Workflow name cannot contain the following set of characters: ':'",
        ),
        (
            json!({"name": ""}),
            "WorkflowDef name cannot be null or empty",
        ),
        (json!({"tasks": []}), "WorkflowTask list cannot be empty"),
        (
            json!({"tasks": [simple(&kind, "a"), simple(&kind, "a")]}),
            "should be unique across tasks",
        ),
        (
            json!({"tasks": input("${zork.output}")}),
            "taskReferenceName: zork for given task",
        ),
        (
            json!({"tasks": input("${workflow.input. x}")}),
            "input parameter value: workflow.input. x is not valid",
        ),
        (
            json!({"tasks": [{"name": "f", "taskReferenceName": "f", "type": "FORK_JOIN"}]}),
            "forkTasks should have atleast one task",
        ),
        (
            json!({"tasks": [{"name": "f", "taskReferenceName": "f", "type": "FORK_JOIN_DYNAMIC"}]}),
            "dynamicForkTasksParam field is required",
        ),
    ] {
        let mut definition = json!({
            "name": name, "ownerEmail": "a@b.co", "tasks": [simple(&kind, "a")]
        });
        definition
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        let reply = server
            .call("POST", "/metadata/workflow", Some(definition))
            .await;
        assert_eq!(reply.status, 400, "{changes}: {reply:?}");
        assert!(reply.broken_rules().contains(rule), "{changes}: {reply:?}");
    }
    // Output parameters may name anybody.
    let reply = server
        .define(
            &name,
            json!({"tasks": [simple(&kind, "a")], "outputParameters": {"z": "${zork.output}"}}),
        )
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

async fn m2_a_second_definition_of_a_version_needs_put(server: &Server) {
    let kind = server.kind(json!({})).await;
    let name = server
        .workflow(json!({"tasks": [simple(&kind, "a")]}))
        .await;
    let again = json!({"name": name, "ownerEmail": "a@b.co", "tasks": [simple(&kind, "a")]});
    let reply = server.call("POST", "/metadata/workflow", Some(again)).await;
    assert_eq!(reply.status, 409);
    server
        .define(&name, json!({"version": 2, "tasks": [simple(&kind, "b")]}))
        .await;
    let client = &server.client;
    assert_eq!(client.workflow_def(&name, None).await.unwrap().version, 2);
    assert_eq!(
        client.workflow_def(&name, Some(1)).await.unwrap().version,
        1
    );
    client.delete_workflow_def(&name, 2).await.unwrap();
    assert_eq!(client.workflow_def(&name, None).await.unwrap().version, 1);
    let gone = format!("/metadata/workflow/{name}/2");
    assert_eq!(server.call("DELETE", &gone, None).await.status, 404);
}

async fn m3_a_task_definition_that_breaks_a_rule_is_refused(server: &Server) {
    let name = unique("kind");
    let definition = |changes: Value| {
        let base = json!({"name": name, "ownerEmail": "a@b.co"});
        json!([with(base, changes)])
    };
    for (changes, rule) in [
        (
            json!({"timeoutSeconds": 5, "responseTimeoutSeconds": 10}),
            "must be less than timeoutSeconds: 5",
        ),
        (
            json!({"responseTimeoutSeconds": 0}),
            "should be minimum 1 second",
        ),
        (
            json!({"retryCount": -1}),
            "TaskDef retryCount: 0 must be >= 0",
        ),
        (
            json!({"pollTimeoutSeconds": -1}),
            "TaskDef pollTimeoutSeconds: 0 must be >= 0",
        ),
        (json!({"ownerEmail": null}), "ownerEmail cannot be empty"),
        (
            json!({"name": null}),
            "TaskDef name cannot be null or empty",
        ),
    ] {
        let reply = server
            .call(
                "POST",
                "/metadata/taskdefs",
                Some(definition(changes.clone())),
            )
            .await;
        assert_eq!(reply.status, 400, "{changes}: {reply:?}");
        assert!(reply.broken_rules().contains(rule), "{changes}: {reply:?}");
    }
    let single = json!({"name": name, "ownerEmail": "a@b.co"});
    let path = "/metadata/taskdefs";
    assert_eq!(
        server.call("POST", path, Some(single.clone())).await.status,
        500
    );
    assert_eq!(server.call("PUT", path, Some(single)).await.status, 404);
    let policy = definition(json!({"timeoutPolicy": "NOPE"}));
    assert_eq!(server.call("POST", path, Some(policy)).await.status, 500);
    let broken = server
        .call_text("POST", path, Some("{nope".to_owned()))
        .await;
    assert_eq!(broken.status, 500);
    assert_eq!(server.get(&format!("{path}/{name}")).await.status, 404);
}

async fn m3_a_task_definition_is_kept_with_the_servers_defaults(server: &Server) {
    let name = unique("kind");
    let body = json!([{"name": name, "ownerEmail": "a@b.co"}]);
    server.call("POST", "/metadata/taskdefs", Some(body)).await;
    let kept = server
        .get(&format!("/metadata/taskdefs/{name}"))
        .await
        .json();
    for (key, value) in [
        ("retryCount", json!(3)),
        ("retryLogic", json!("FIXED")),
        ("retryDelaySeconds", json!(60)),
        ("timeoutSeconds", json!(0)),
        ("timeoutPolicy", json!("TIME_OUT_WF")),
        ("responseTimeoutSeconds", json!(3600)),
        ("backoffScaleFactor", json!(1)),
    ] {
        assert_eq!(kept[key], value, "{key}");
    }
    assert!(kept.get("pollTimeoutSeconds").is_none());
    server.client.delete_task_def(&name).await.unwrap();
    assert!(server.client.task_def(&name).await.is_err());
}

async fn h1_health_is_a_constant(server: &Server) {
    let health = server.client.health().await.unwrap();
    assert!(health.healthy);
    assert_eq!(
        serde_json::to_value(health).unwrap(),
        json!({"healthResults": [], "suppressedHealthResults": [], "healthy": true})
    );
    let version = server.client.version().await.unwrap();
    match server.kind {
        Kind::Embedded => assert!(version.unwrap().starts_with("switchyard-engine-")),
        Kind::Conductor => assert_eq!(version, None),
    }
    assert_eq!(server.get("/nobody/is/here").await.status, 404);
}

conformance!(
    m1_a_list_with_one_bad_entry_is_refused_as_a_whole,
    m2_a_workflow_that_breaks_a_rule_is_refused,
    m2_a_second_definition_of_a_version_needs_put,
    m3_a_task_definition_that_breaks_a_rule_is_refused,
    m3_a_task_definition_is_kept_with_the_servers_defaults,
    h1_health_is_a_constant,
);
