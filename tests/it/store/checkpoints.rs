//! Checkpoints with their intents: all or nothing, and never lost.

use serde_json::{Value, json};
use switchyard::{
    model::{RunId, UsageKind},
    store::{IntentKind, Store},
};

use super::samples::{at, intent, output, run, usage};
use crate::database::Database;

async fn intents(store: &Store, run: &RunId) -> Vec<String> {
    let intents = store.intents(run).await.expect("they are read");
    intents.into_iter().map(|intent| intent.target).collect()
}

pub async fn a_checkpoint_is_read_as_it_was_written(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let mut made = output(
        "pad_track_2",
        "hash",
        json!({ "key": "k", "size": 7, "delay": 0.25 }),
    );
    made.document = Some(json!([{ "text": "hello", "start": 0.1, "end": 1e-7 }, null]));
    let intended = [intent(IntentKind::PutObject, "bucket/key", "4711")];
    let used = [usage(UsageKind::BytesWritten, "bucket", 4711.0)];
    let written = store
        .check_in(&id, "task-1", &made, &intended, &used, at(1))
        .await;
    written.expect("it is written");
    let read = store.output(&id, "pad_track_2").await.expect("it is read");
    assert_eq!(read, Some(made.clone()));
    assert_eq!(store.outputs(&id).await.expect("they are read"), [made]);
    assert_eq!(store.intents(&id).await.expect("they are read"), intended);
    assert_eq!(
        store.usages(&id).await.expect("it is read")[0].usage,
        used[0]
    );
    assert_eq!(
        store.output(&id, "pad_track_1").await.expect("it is read"),
        None
    );
}

pub async fn a_checkpoint_of_other_input_replaces_the_first_with_its_intents(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let mut first = output("finalize", "one", json!({ "events": 2 }));
    first.document = Some(json!("kept until replaced"));
    let two = [
        intent(IntentKind::Event, "STATUS", "{}"),
        intent(IntentKind::Message, "ts:1", "{}"),
    ];
    store
        .check_in(&id, "task-1", &first, &two, &[], at(1))
        .await
        .expect("it is written");
    let second = output("finalize", "two", json!({ "events": 1 }));
    let one = [intent(IntentKind::Column, "status", "\"ended\"")];
    store
        .check_in(&id, "task-2", &second, &one, &[], at(2))
        .await
        .expect("it is written");
    assert_eq!(store.outputs(&id).await.expect("they are read"), [second]);
    assert_eq!(store.intents(&id).await.expect("they are read"), one);
}

pub async fn checkpoints_of_other_tasks_and_runs_stay(database: &Database) {
    let store = database.store().await;
    let one = run(&store, "run_1").await;
    let other = run(&store, "run_2").await;
    for (id, task_ref, target) in [
        (&one, "finalize", "a"),
        (&one, "post_zulip", "b"),
        (&other, "finalize", "c"),
        (&one, "finalize", "d"),
    ] {
        let made = output(task_ref, target, json!({ "of": target }));
        let intended = [intent(IntentKind::Event, target, "{}")];
        let written = store
            .check_in(id, "task", &made, &intended, &[], at(1))
            .await;
        written.expect("it is written");
    }
    assert_eq!(intents(&store, &one).await, ["d", "b"]);
    assert_eq!(intents(&store, &other).await, ["c"]);
    assert_eq!(store.outputs(&one).await.expect("they are read").len(), 2);
}

pub async fn a_checkpoint_without_a_run_is_refused_whole(database: &Database) {
    let store = database.store().await;
    let nobody = RunId::new("run_1");
    let made = output("finalize", "hash", json!({}));
    let intended = [intent(IntentKind::Event, "STATUS", "{}")];
    let used = [usage(UsageKind::TokensIn, "model", 1.0)];
    let written = store
        .check_in(&nobody, "task", &made, &intended, &used, at(1))
        .await;
    assert!(written.is_err());
    for table in ["outputs", "intents", "usages"] {
        assert!(database.rows(table).await.is_empty(), "{table}");
    }
}

pub async fn intents_come_in_the_order_they_would_have_happened(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    for (task_ref, ms, targets) in [
        ("post_zulip", 3, vec!["zulip"]),
        ("mixdown_tracks", 1, vec!["put", "DURATION", "message"]),
        ("detect_topics", 2, (0..12).map(|_| "TOPIC").collect()),
    ] {
        let intended: Vec<_> = targets
            .iter()
            .map(|target| intent(IntentKind::Event, target, "{}"))
            .collect();
        let made = output(task_ref, "hash", json!({}));
        let written = store
            .check_in(&id, task_ref, &made, &intended, &[], at(ms))
            .await;
        written.expect("it is written");
    }
    let mut expected = vec!["put", "DURATION", "message"];
    expected.extend(["TOPIC"; 12]);
    expected.push("zulip");
    assert_eq!(intents(&store, &id).await, expected);
}

/// Three megabytes of words of many scripts, quotes and backslashes, and what JSON must escape.
fn large_document() -> Value {
    let foreign = "naïve – 日本語 – עברית – 👩‍👩‍👧 \u{1d11e} e\u{301} \u{fdd0} ' \" \\ % $1 ? :x \t\r\n \u{1} \u{7f}";
    let words: Vec<_> = (0..30_000)
        .map(|number| json!({ "text": format!("{number} {foreign}"), "start": f64::from(number) / 7.0 }))
        .collect();
    Value::Array(words)
}

pub async fn large_and_foreign_texts_come_back_unchanged(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let document = large_document();
    let text = document.to_string();
    assert!(text.len() > 3_000_000, "{} bytes", text.len());
    // In JSON text a NUL is an escape, which PostgreSQL's text columns take.
    let mut made = output("merge_transcripts", "hash", json!({ "nul": "\u{0}" }));
    made.document = Some(document);
    let intended = [intent(IntentKind::Message, "ts:é", &text)];
    let written = store
        .check_in(&id, "task", &made, &intended, &[], at(1))
        .await;
    written.expect("it is written");
    let read = store
        .output(&id, "merge_transcripts")
        .await
        .expect("it is read");
    assert!(read == Some(made), "the document changed on its way");
    let read = store.intents(&id).await.expect("they are read");
    assert!(read == intended, "the intent changed on its way");
}

pub async fn checkpoints_are_listed_by_reference_name(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let sorted = [
        "pad_track_1",
        "pad_track_10",
        "pad_track_2",
        "pad_tracks",
        "padded",
        "paddle_1",
    ];
    for task_ref in sorted.iter().rev() {
        let made = output(task_ref, "hash", json!({}));
        store
            .check_in(&id, task_ref, &made, &[], &[], at(1))
            .await
            .expect("it is written");
    }
    let listed = store.outputs(&id).await.expect("they are read");
    let listed: Vec<_> = listed
        .iter()
        .map(|output| output.task_ref.as_str())
        .collect();
    assert_eq!(listed, sorted);
}

pub async fn many_that_check_in_at_once_lose_nothing(database: &Database) {
    const TASKS: usize = 24;
    let store = database.store().await;
    let other_process = database.store().await;
    let id = run(&store, "run_1").await;
    let mut checking_in = tokio::task::JoinSet::new();
    for number in 0..TASKS {
        let id = id.clone();
        let store = if number % 2 == 0 {
            &store
        } else {
            &other_process
        };
        let store = store.clone();
        checking_in.spawn(async move {
            let task_ref = format!("pad_track_{number}");
            let made = output(&task_ref, "hash", json!({ "number": number }));
            let intended = [
                intent(IntentKind::PutObject, &task_ref, "1"),
                intent(IntentKind::Message, &task_ref, "{}"),
            ];
            let used = [usage(UsageKind::BytesWritten, "bucket", 1.0)];
            let written = store
                .check_in(&id, &task_ref, &made, &intended, &used, at(1))
                .await;
            written.expect("it is written");
        });
    }
    checking_in.join_all().await;
    let outputs = store.outputs(&id).await.expect("they are read");
    assert_eq!(outputs.len(), TASKS);
    assert!(outputs.iter().all(|made| {
        made.task_ref
            .ends_with(&format!("_{}", made.output["number"]))
    }));
    assert_eq!(
        store.intents(&id).await.expect("they are read").len(),
        2 * TASKS
    );
    assert_eq!(store.usages(&id).await.expect("it is read").len(), TASKS);
}
