//! Mirrors are noted, held and finished.

use serde_json::json;
use switchyard::{
    model::{EnvironmentName, RecordingId, TranscriptId},
    store::{Lease, Mirror, MirrorOutcome, MirrorState, Store},
};

use super::samples::{at, control, staging};
use crate::database::Database;

fn mirror(transcript: &str, environment: EnvironmentName) -> Mirror {
    Mirror {
        transcript: TranscriptId::new(transcript),
        environment,
        original: TranscriptId::new("original"),
        recording_id: RecordingId::new("recording"),
        bucket_name: "daily-recordings".to_owned(),
        track_keys: vec!["a".to_owned(), "ü".to_owned()],
        task_id: format!("task-of-{transcript}"),
        state: MirrorState::Planned,
        reverse_of: None,
        original_control_id: "ctl_1".to_owned(),
        control_id: None,
        verdict: None,
        comparison: None,
        outcome: None,
        reason: None,
        started_at: at(1),
        dispatched_at: None,
        changed_at: at(1),
    }
}

fn lease(holder: &str, until_ms: i64) -> Lease<'_> {
    Lease {
        holder,
        until: at(until_ms),
    }
}

async fn store(database: &Database) -> Store {
    let store = database.store().await;
    let kept = store.insert_control(&control("ctl_1")).await;
    kept.expect("it is kept");
    store
}

/// What a mirror writes.
pub async fn write_mirror(store: &Store) {
    let kept = store.insert_control(&control("ctl_1")).await;
    kept.expect("it is kept");
    let new = mirror("m", staging());
    let inserted = store.insert_mirror(&new, lease("a", 10));
    assert!(inserted.await.expect("it is written"));
}

pub async fn a_mirror_is_read_as_it_was_written(database: &Database) {
    let store = store(database).await;
    let mut new = mirror("m", staging());
    let inserted = store.insert_mirror(&new, lease("a", 10)).await;
    assert!(inserted.expect("it is written"));
    let found = store.unfinished_mirror(&staging()).await;
    assert_eq!(found.expect("a read"), Some(new.clone()));

    new.state = MirrorState::Compared;
    new.control_id = Some("ctl_1".to_owned());
    new.verdict = Some("match".to_owned());
    new.comparison = Some(json!({"fields": ["Café ☕"]}));
    new.outcome = Some(MirrorOutcome::Compared);
    new.reason = Some("none".to_owned());
    new.dispatched_at = Some(at(2));
    new.changed_at = at(3);
    assert!(store.save_mirror(&new, "a").await.expect("it is written"));
    assert!(!store.save_mirror(&new, "b").await.expect("an answer"));
    let found = store.mirrors(&staging(), 5).await.expect("a list");
    assert_eq!(found, [new]);
    store.close().await;
}

pub async fn an_environment_has_one_unfinished_mirror(database: &Database) {
    let store = store(database).await;
    let insert = async |name: &str, environment| {
        let new = mirror(name, environment);
        let inserted = store.insert_mirror(&new, lease("a", 10)).await;
        inserted.expect("an answer")
    };
    assert!(insert("m1", staging()).await);
    assert!(!insert("m2", staging()).await);
    assert!(insert("m3", EnvironmentName::new("production")).await);
    let mut first = mirror("m1", staging());
    first.state = MirrorState::Removed;
    assert!(store.save_mirror(&first, "a").await.expect("it is written"));
    assert!(insert("m4", staging()).await);
    store.close().await;
}

pub async fn a_mirror_is_held_by_one_process_until_it_falls_silent(database: &Database) {
    let store = store(database).await;
    let new = mirror("m", staging());
    let inserted = store.insert_mirror(&new, lease("a", 10)).await;
    assert!(inserted.expect("it is written"));
    let hold = async |holder: &str, until_ms, now_ms| {
        let held = store.hold_mirror(&new.transcript, lease(holder, until_ms), at(now_ms));
        held.await.expect("an answer")
    };
    assert!(!hold("b", 30, 9).await);
    assert!(hold("a", 20, 9).await);
    assert!(!hold("b", 30, 19).await);
    assert!(hold("b", 30, 20).await);
    assert!(!hold("a", 40, 25).await);
    let released = store.release_mirror(&new.transcript, "a").await;
    released.expect("nothing to do");
    assert!(!hold("a", 40, 25).await);
    let released = store.release_mirror(&new.transcript, "b").await;
    released.expect("it is released");
    assert!(hold("a", 40, 25).await);
    store.close().await;
}
