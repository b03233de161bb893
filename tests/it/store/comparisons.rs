//! Controls, and comparisons with them.

use serde_json::json;
use switchyard::{
    model::RunId,
    store::{ComparisonFacts, StoredComparison, StoredField},
};

use super::samples::{at, control, run};
use crate::database::Database;

fn comparison(id: &str, run: &RunId, ms: i64) -> StoredComparison {
    StoredComparison {
        id: id.to_owned(),
        run_id: run.clone(),
        verdict: "differs".to_owned(),
        policy_digest: "digest".to_owned(),
        epoch: "epoch".to_owned(),
        report: json!({ "fields": { "title": 0.61 }, "why": "« one number differs »" }),
        compared_at: at(ms),
        fields: vec![
            StoredField {
                distance: Some(0.0),
                ..StoredField::judged("audio", "match")
            },
            StoredField {
                distance: Some(0.39),
                broken: true,
                ..StoredField::judged("title", "differs")
            },
        ],
        facts: ComparisonFacts {
            compared: vec!["audio".to_owned(), "title".to_owned()],
            tracks: 2,
            audio_ms: Some(282_605.52),
            language: "en".to_owned(),
            control_ms: Some(60_000.0),
            candidate_ms: None,
            control_usd: None,
            candidate_usd: Some(0.02),
            effects_equal: Some(true),
        },
    }
}

/// Both on one connection, which keeps its prepared statements.
pub async fn what_is_not_known_first_may_be_known_later(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let mut written = comparison("cmp_1", &id, 1);
    written.fields[0].distance = None;
    let insert = store.insert_comparison(&written).await;
    insert.expect("it is written");
    let read = store.newest_comparison(&id).await.expect("it is read");
    assert_eq!(read, Some(written));
}

pub async fn a_comparison_is_read_as_it_was_written(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    assert_eq!(
        store.newest_comparison(&id).await.expect("it is read"),
        None
    );
    let written = comparison("cmp_1", &id, 1);
    store
        .insert_comparison(&written)
        .await
        .expect("it is written");
    let read = store.newest_comparison(&id).await.expect("it is read");
    assert_eq!(read, Some(written));
}

pub async fn the_newest_comparison_counts(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let other = run(&store, "run_2").await;
    for (name, run, ms) in [
        ("cmp_a", &id, 3),
        ("cmp_b", &id, 5),
        ("cmp_c", &id, 4),
        ("cmp_d", &other, 9),
    ] {
        store
            .insert_comparison(&comparison(name, run, ms))
            .await
            .expect("it is written");
    }
    let newest = store
        .newest_comparison(&id)
        .await
        .expect("it is read")
        .expect("it is there");
    assert_eq!(newest.id, "cmp_b");
}

pub async fn a_comparison_with_a_field_twice_is_refused_whole(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let mut twice = comparison("cmp_1", &id, 1);
    twice.fields.push(StoredField::judged("title", "match"));
    assert!(store.insert_comparison(&twice).await.is_err());
    assert_eq!(
        store.newest_comparison(&id).await.expect("it is read"),
        None
    );
    assert!(database.rows("comparison_fields").await.is_empty());
}

pub async fn a_control_is_read_as_it_was_kept(database: &Database) {
    let store = database.store().await;
    let kept = control("control");
    store.insert_control(&kept).await.expect("it is kept");
    assert_eq!(
        store.control("control").await.expect("it is read"),
        Some(kept)
    );
    assert_eq!(store.control("nobody").await.expect("it is read"), None);
}
