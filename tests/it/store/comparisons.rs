//! Controls, and comparisons with them.

use serde_json::json;
use switchyard::{
    model::RunId,
    store::{About, ComparisonFacts, StoredComparison, StoredField, WhichReports},
};

use super::samples::{at, control, run};
use crate::{database::Database, phases::about};

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

pub async fn compared_runs_are_listed_by_their_newest_comparison(database: &Database) {
    let store = database.store().await;
    let about = About {
        epoch: "epoch".to_owned(),
        ..about("staging")
    };
    let none = WhichReports::default();
    let nothing = store.reports(&about, &none, (0, 50)).await;
    assert_eq!(nothing.expect("it is read"), (Vec::new(), 0));
    let (id, other) = (run(&store, "run_1").await, run(&store, "run_2").await);
    for (name, run, ms) in [("cmp_a", &id, 3), ("cmp_b", &other, 4)] {
        let written = store.insert_comparison(&comparison(name, run, ms)).await;
        written.expect("it is written");
    }
    // Compared again, under other versions: two fields differ, and no distance tells how far.
    let mut again = comparison("cmp_c", &id, 5);
    "another".clone_into(&mut again.epoch);
    "candidate_failed".clone_into(&mut again.verdict);
    again.fields = vec![
        StoredField::judged("audio", "differs"),
        StoredField::judged("words", "differs"),
        StoredField::judged("title", "match"),
    ];
    store
        .insert_comparison(&again)
        .await
        .expect("it is written");
    let (all, of) = store
        .reports(&about, &none, (0, 50))
        .await
        .expect("it is read");
    assert_eq!(of, 2);
    let told: Vec<_> = all
        .iter()
        .map(|one| {
            let worst = one.worst.as_deref().unwrap_or_default();
            (
                one.run_id.as_str(),
                one.verdict.as_str(),
                worst,
                one.differs,
            )
        })
        .collect();
    let expected = [
        ("run_1", "candidate_failed", "audio", 2),
        ("run_2", "differs", "title", 1),
    ];
    assert_eq!(told, expected);
    assert_eq!((all[0].is_current, all[1].is_current), (false, true));
    assert_eq!((all[0].distance, all[1].distance), (None, Some(0.39)));
    let which = |verdict: &str, field: &str, id: &str| {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        WhichReports {
            verdict: given(verdict),
            field: given(field),
            id: given(id),
        }
    };
    for (which, expected) in [
        (which("differs", "", ""), &["run_2"][..]),
        (which("", "words", ""), &["run_1"]),
        (which("", "title", ""), &["run_2"]),
        (which("", "", "recording-of-run_1"), &["run_1"]),
        (which("", "", "run_"), &["run_1", "run_2"]),
        (which("", "", "%"), &[]),
    ] {
        let (found, of) = store
            .reports(&about, &which, (0, 50))
            .await
            .expect("it is read");
        let ids: Vec<_> = found.iter().map(|one| one.run_id.as_str()).collect();
        let counted = usize::try_from(of).expect("a few");
        assert_eq!((&*ids, counted), (expected, expected.len()), "{which:?}");
    }
    let (second, of) = store
        .reports(&about, &none, (1, 1))
        .await
        .expect("it is read");
    assert_eq!((second[0].run_id.as_str(), of), ("run_2", 2));
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
