//! Attempts, and what they used.

use serde_json::json;
use switchyard::{
    model::{RunId, Usage, UsageKind},
    store::{Attempt, Store},
};

use super::samples::{at, attempt, output, run, usage};
use crate::database::Database;

pub async fn an_attempt_is_read_as_it_was_noted(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let mut noted = attempt("task-1", "pad_track_0", 2, 10);
    store.begin_attempt(&id, &noted).await.expect("it is noted");
    assert_eq!(
        store.attempts(&id).await.expect("they are read"),
        [noted.clone()]
    );
    let cause = "the object `…` is not there";
    let ended = store
        .end_attempt("task-1", "failed_terminally", Some(cause), at(25))
        .await;
    ended.expect("it is noted");
    noted.status = String::from("failed_terminally");
    noted.cause = Some(cause.to_owned());
    noted.finished_at = Some(at(25));
    assert_eq!(store.attempts(&id).await.expect("they are read"), [noted]);
}

pub async fn an_attempt_begun_again_is_running_and_has_no_cause(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    store
        .begin_attempt(&id, &attempt("task-1", "pad_track_0", 1, 10))
        .await
        .expect("it is noted");
    store
        .end_attempt("task-1", "failed", Some("gone"), at(20))
        .await
        .expect("it is noted");
    let mut again = attempt("task-1", "pad_track_0", 1, 30);
    again.worker = String::from("worker-2");
    store.begin_attempt(&id, &again).await.expect("it is noted");
    assert_eq!(store.attempts(&id).await.expect("they are read"), [again]);
}

pub async fn a_checkpoint_completes_its_attempt(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let noted = attempt("task-1", "pad_track_0", 1, 10);
    store.begin_attempt(&id, &noted).await.expect("it is noted");
    let made = output("pad_track_0", "hash", json!({}));
    let written = store.check_in(&id, "task-1", &made, &[], &[], at(20)).await;
    written.expect("it is written");
    let attempts = store.attempts(&id).await.expect("they are read");
    assert_eq!(attempts[0].status, "completed");
    assert_eq!(attempts[0].finished_at, Some(at(20)));
}

pub async fn a_new_attempt_ends_the_one_that_fell_silent(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    for (task_id, task_ref, number) in [
        ("silent", "pad_track_0", 1),
        ("other", "pad_track_1", 1),
        ("new", "pad_track_0", 2),
    ] {
        let noted = attempt(task_id, task_ref, number, 10 * number);
        store.begin_attempt(&id, &noted).await.expect("it is noted");
    }
    assert_eq!(
        statuses(&store, &id).await,
        [
            ("silent", "failed"),
            ("other", "running"),
            ("new", "running")
        ]
        .map(|(task_id, status)| (task_id.to_owned(), status.to_owned()))
    );
}

pub async fn a_killed_worker_s_attempts_are_ended_and_nobody_else_s(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    for (task_id, task_ref, worker) in [
        ("1", "pad_track_0", "killed"),
        ("2", "pad_track_1", "killed"),
        ("3", "pad_track_2", "alive"),
    ] {
        let mut noted = attempt(task_id, task_ref, 1, 10);
        worker.clone_into(&mut noted.worker);
        store.begin_attempt(&id, &noted).await.expect("it is noted");
    }
    let ended = store.end_attempt("1", "completed", None, at(15)).await;
    ended.expect("it is noted");
    let failed = store.fail_open_attempts("killed", "gone", at(20)).await;
    failed.expect("it is noted");
    assert_eq!(
        statuses(&store, &id).await,
        [("1", "completed"), ("2", "failed"), ("3", "running")]
            .map(|(task_id, status)| (task_id.to_owned(), status.to_owned()))
    );
}

async fn statuses(store: &Store, id: &RunId) -> Vec<(String, String)> {
    let attempts = store.attempts(id).await.expect("they are read");
    let of = |attempt: Attempt| (attempt.task_id, attempt.status);
    attempts.into_iter().map(of).collect()
}

pub async fn attempts_come_in_the_order_they_began(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let other = run(&store, "run_2").await;
    store
        .begin_attempt(&other, &attempt("other", "a", 1, 0))
        .await
        .expect("it is noted");
    for (task_id, task_ref, number, ms) in [
        ("4", "pad_tracks", 1, 20),
        ("3", "pad_track_1", 2, 20),
        ("2", "pad_track_1", 1, 20),
        ("1", "transcribe_track_0", 1, 10),
    ] {
        let noted = attempt(task_id, task_ref, number, ms);
        store.begin_attempt(&id, &noted).await.expect("it is noted");
    }
    let attempts = store.attempts(&id).await.expect("they are read");
    let order: Vec<_> = attempts
        .iter()
        .map(|attempt| attempt.task_id.as_str())
        .collect();
    assert_eq!(order, ["1", "2", "3", "4"]);
}

pub async fn usage_adds_up_over_attempts(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let seconds = |amount| [usage(UsageKind::GpuSeconds, "whisper", amount)];
    for (task_id, amount) in [("task-1", 1.5), ("task-2", 2.25), ("task-2", 0.25)] {
        let noted = store
            .note_usage(&id, "transcribe_track_0", task_id, &seconds(amount))
            .await;
        noted.expect("it is noted");
    }
    let made = output("transcribe_track_0", "hash", json!({}));
    let written = store
        .check_in(&id, "task-3", &made, &[], &seconds(4.0), at(1))
        .await;
    written.expect("it is written");
    let used = store.usages(&id).await.expect("it is read");
    assert_eq!(used.len(), 1);
    assert_eq!(used[0].task_ref, "transcribe_track_0");
    assert_eq!(used[0].usage, seconds(8.0)[0]);
}

pub async fn usage_of_other_things_is_kept_apart(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let other = run(&store, "run_2").await;
    let tokens = [
        usage(UsageKind::TokensIn, "phi-4", 900.0),
        usage(UsageKind::TokensOut, "phi-4", 80.0),
        usage(UsageKind::TokensIn, "gpt", 7.0),
    ];
    store
        .note_usage(&id, "generate_title", "task-1", &tokens)
        .await
        .expect("it is noted");
    store
        .note_usage(&id, "detect_topics", "task-2", &tokens[..1])
        .await
        .expect("it is noted");
    store
        .note_usage(&other, "generate_title", "task-3", &tokens[..1])
        .await
        .expect("it is noted");
    let used = store.usages(&id).await.expect("it is read");
    let mut told: Vec<(&str, Usage)> = used
        .iter()
        .map(|used| (used.task_ref.as_str(), used.usage.clone()))
        .collect();
    told.sort_by(|one, other| {
        (one.0, &one.1.of, one.1.kind).cmp(&(other.0, &other.1.of, other.1.kind))
    });
    let [tokens_in, tokens_out, others] = tokens;
    assert_eq!(
        told,
        [
            ("detect_topics", tokens_in.clone()),
            ("generate_title", others),
            ("generate_title", tokens_in),
            ("generate_title", tokens_out),
        ]
    );
}
