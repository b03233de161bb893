//! The embedded engine only: crashes, and the faults it offers to tests.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};
use switchyard::{
    conductor::{Error, wire::TaskStatus},
    engine::{JoinRule, Options},
    model::WorkflowId,
};

use crate::database::{Database, Kind};

use super::harness::{Server, attempt, own_store, simple, status, with};

/// A fork of `kind` into `b0`, `b1`, `b2`, joined.
async fn forked(server: &Server, kind: &str, branch: Value) -> WorkflowId {
    let branches: Vec<_> = (0..3)
        .map(|n| json!([with(simple(kind, &format!("b{n}")), branch.clone())]))
        .collect();
    let fork = json!({"name": "fork", "taskReferenceName": "fork", "type": "FORK_JOIN", "forkTasks": branches});
    let join = json!({"name": "join", "taskReferenceName": "join", "type": "JOIN", "joinOn": ["b0", "b1", "b2"]});
    let name = server.workflow(json!({"tasks": [fork, join]})).await;
    server.start(&name, json!({})).await
}

/// Serves what is in the database; dropping the server is a crash, since nothing is said to it.
async fn serve(database: &Database) -> Server {
    Server::on(database.store().await).await
}

async fn sqlite() -> Database {
    let database = Database::fresh(Kind::Sqlite).await;
    database.expect("there is always SQLite")
}

#[tokio::test]
async fn d1_a_run_goes_on_after_the_engine_is_gone_mid_fork() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        if let Some(database) = Database::fresh(kind).await {
            crash_mid_fork(&database).await;
            database.remove().await;
        }
    }
}

async fn crash_mid_fork(database: &Database) {
    let before = serve(database).await;
    let kind = before
        .kind(json!({"responseTimeoutSeconds": 30, "retryCount": 1, "retryDelaySeconds": 0}))
        .await;
    let id = forked(&before, &kind, json!({})).await;
    before.work(&kind, json!({"done": 1})).await;
    let held = before.take(&kind).await;
    let then = before.run(&id).await;
    drop(before);

    let after = serve(database).await;
    assert_eq!(after.run(&id).await, then);
    assert_eq!(after.client.queue_sizes(&[&kind]).await.unwrap()[&kind], 1);
    let last = after.take(&kind).await;
    after.nothing(&kind).await;
    after.complete(&last, json!({"done": 2})).await;
    // The worker that held a task meanwhile may report on it …
    let silent = held.clone();
    after.pass(31).await;
    // … or not: then its lease ends in the new process as it would have in the old.
    let retried = after.take(&kind).await;
    assert_eq!(retried.retried_task_id, Some(silent.task_id));
    after.complete(&retried, json!({"done": 3})).await;
    let run = after.until_run(&id, "COMPLETED").await;
    assert_eq!(run.last_attempt("join").unwrap().output_data.len(), 3);
}

#[tokio::test]
async fn d1_what_was_polled_before_the_crash_can_be_reported_after_it() {
    let database = sqlite().await;
    let before = serve(&database).await;
    let kind = before.kind(json!({})).await;
    let id = forked(&before, &kind, json!({})).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(before.take(&kind).await);
    }
    drop(before);
    let after = serve(&database).await;
    for task in &held {
        after.complete(task, json!({"ok": 1})).await;
    }
    after.until_run(&id, "COMPLETED").await;
}

#[tokio::test]
async fn an_attempt_that_lost_its_offer_is_offered_again_after_a_restart() {
    let database = sqlite().await;
    let before = serve(&database).await;
    let kind = before.kind(json!({})).await;
    before.faults.lose_queue_entries(2);
    forked(&before, &kind, json!({})).await;
    assert_eq!(before.client.queue_sizes(&[&kind]).await.unwrap()[&kind], 1);
    drop(before);
    let after = serve(&database).await;
    assert_eq!(after.client.queue_sizes(&[&kind]).await.unwrap()[&kind], 3);
}

#[tokio::test]
async fn an_attempt_that_lost_its_offer_is_offered_again_by_the_sweeper() {
    let server = Server::embedded().await;
    let kind = server.kind(json!({})).await;
    server.faults.lose_queue_entries(3);
    forked(&server, &kind, json!({})).await;
    server.nothing(&kind).await;
    server.pass(31).await;
    server.take(&kind).await;
}

#[tokio::test]
async fn a_poll_whose_answer_is_lost_costs_the_response_timeout() {
    let server = Server::embedded().await;
    let kind = server
        .kind(json!({"responseTimeoutSeconds": 5, "retryCount": 1, "retryDelaySeconds": 0}))
        .await;
    let name = server
        .workflow(json!({"tasks": [simple(&kind, "a")]}))
        .await;
    let id = server.start(&name, json!({})).await;
    server.faults.drop_poll_answers(1);
    let error = server.client.poll(&kind, "w", None).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert_eq!(status(&server.run(&id).await, "a"), TaskStatus::InProgress);
    server.nothing(&kind).await;
    server.pass(5).await;
    assert_eq!(server.take(&kind).await.retry_count, 1);
}

#[tokio::test]
async fn a_delayed_decision_leaves_the_next_step_to_the_sweeper() {
    let server = Server::embedded().await;
    let (first, second) = (server.kind(json!({})).await, server.kind(json!({})).await);
    let name = server
        .workflow(json!({"tasks": [simple(&first, "a"), simple(&second, "b")]}))
        .await;
    let id = server.start(&name, json!({})).await;
    server.faults.delay_decide_ms(10_000);
    server.work(&first, json!({})).await;
    let run = server.run(&id).await;
    assert_eq!(status(&run, "a"), TaskStatus::Completed);
    assert!(attempt(&run, "b", 0).is_none());
    server.pass(11).await;
    server.take(&second).await;
}

#[tokio::test]
async fn a_dead_engine_still_claims_to_be_healthy() {
    let server = Server::embedded().await;
    server.faults.be_dead_but_healthy(true);
    assert!(server.client.health().await.unwrap().healthy);
    let error = server.client.workflow_defs().await.unwrap_err();
    assert!(error.is_outage(), "{error}");
    server.faults.be_dead_but_healthy(false);
    server.client.workflow_defs().await.unwrap();
}

#[tokio::test]
async fn the_join_of_3_15_0_can_be_had() {
    let options = Options {
        join: JoinRule::EndEarly,
        ..Options::default()
    };
    let (store, _folder) = own_store().await;
    let server = Server::with(store, options).await;
    let kind = server.kind(json!({})).await;
    let id = forked(&server, &kind, json!({"optional": true})).await;
    let task = server.take(&kind).await;
    server.fail(&task, "no").await;
    let run = server.run(&id).await;
    assert_eq!(status(&run, "join"), TaskStatus::CompletedWithErrors);
}

#[tokio::test]
async fn what_the_engine_would_ignore_is_refused() {
    let server = Server::embedded().await;
    let kind = server.kind(json!({})).await;
    let step = simple(&kind, "a");
    for (changes, rule) in [
        (
            json!({"tasks": [{"name": "s", "taskReferenceName": "s", "type": "SWITCH"}]}),
            "runs only SIMPLE",
        ),
        (
            json!({"tasks": [step], "failureWorkflow": "other"}),
            "starts no failureWorkflow",
        ),
        (
            json!({"tasks": [with(step.clone(), json!({"inputParameters": {"q": "${workflow.input.l[0:2]}"}}))]}),
            "cannot read the path",
        ),
    ] {
        let reply = server.define("refused", changes).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(reply.broken_rules().contains(rule), "{reply:?}");
    }
    let limited = json!([{"name": "limited", "ownerEmail": "a@b.co", "concurrentExecLimit": 2}]);
    let reply = server
        .call("POST", "/metadata/taskdefs", Some(limited))
        .await;
    assert_eq!(reply.status, 400, "{reply:?}");
}

#[tokio::test]
async fn no_task_is_given_to_two_of_many_pollers() {
    let database = sqlite().await;
    let server = Arc::new(serve(&database).await);
    let kind = server.kind(json!({})).await;
    for _ in 0..10 {
        forked(&server, &kind, json!({})).await;
    }
    let pollers = (0..8).map(|_| {
        let (server, kind) = (Arc::clone(&server), kind.clone());
        tokio::spawn(async move {
            let mut taken = Vec::new();
            while let Some(task) = server.client.poll(&kind, "w", None).await.unwrap() {
                server.complete(&task, json!({"ok": 1})).await;
                taken.push(task.task_id);
            }
            taken
        })
    });
    let mut taken = Vec::new();
    for poller in pollers.collect::<Vec<_>>() {
        taken.extend(poller.await.unwrap());
    }
    assert_eq!(taken.len(), 30);
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>().len(), 30);
}

#[tokio::test]
async fn a_long_poll_answers_as_soon_as_a_task_is_there() {
    let server = Arc::new(Server::embedded().await);
    let kind = server.kind(json!({})).await;
    let name = server
        .workflow(json!({"tasks": [simple(&kind, "a")]}))
        .await;
    let waiting = {
        let (server, kind) = (Arc::clone(&server), kind.clone());
        tokio::spawn(async move {
            let wait = std::time::Duration::from_secs(5);
            server.client.poll_batch(&kind, "w", None, 3, wait).await
        })
    };
    server
        .until("somebody polls", || async {
            let polls = server.client.poll_data(&kind).await.unwrap();
            (!polls.is_empty()).then_some(())
        })
        .await;
    server.start(&name, json!({})).await;
    assert_eq!(waiting.await.unwrap().unwrap().len(), 1);
}
