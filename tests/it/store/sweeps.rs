//! Sweeps: which runs are looked at, and until when.

use chrono::Duration;
use switchyard::{
    model::{EnvironmentName, RunId, RunState},
    store::{Effects, Store},
};

use super::samples::{at, control, new_run, run, staging};
use crate::database::Database;

const SETTLE: i64 = 100;

async fn ended(store: &Store, id: &RunId, ms: i64) {
    let ended = store.finish_run(id, RunState::Completed, None, at(ms));
    assert!(ended.await.expect("it is written"));
}

async fn unswept(store: &Store, after: &str, at_most: i64) -> Vec<String> {
    let settle = Duration::milliseconds(SETTLE);
    let found = store
        .unswept(&staging(), settle, &RunId::new(after), at_most)
        .await
        .expect("it is read");
    let ids = found.into_iter().map(|run| run.run_id.to_string());
    ids.collect()
}

pub async fn only_ended_runs_are_swept_page_by_page(database: &Database) {
    let store = database.store().await;
    for id in ["run_1", "run_2", "run_3"] {
        let id = run(&store, id).await;
        ended(&store, &id, 1).await;
    }
    run(&store, "run_4").await;
    let mut elsewhere = new_run("run_5", "elsewhere");
    elsewhere.environment = EnvironmentName::new("production");
    let inserted = store.insert_run(&elsewhere, at(0)).await;
    assert!(inserted.expect("it is written"));
    ended(&store, &elsewhere.id, 1).await;
    assert_eq!(unswept(&store, "", 2).await, ["run_1", "run_2"]);
    assert_eq!(unswept(&store, "run_2", 2).await, ["run_3"]);
}

pub async fn a_run_is_swept_until_nothing_of_it_can_be_at_work(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    ended(&store, &id, 10).await;
    let early = store.mark_swept(&id, at(10 + SETTLE - 1)).await;
    early.expect("it is marked");
    assert_eq!(unswept(&store, "", 9).await, ["run_1"]);
    let late = store.mark_swept(&id, at(10 + SETTLE)).await;
    late.expect("it is marked");
    assert_eq!(unswept(&store, "", 9).await, [""; 0]);
}

pub async fn a_run_taken_up_after_its_sweep_is_swept_again_and_no_longer_withdrawn(
    database: &Database,
) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let marked = store.mark_withdrawn(&id, at(3)).await;
    marked.expect("it is marked");
    let failed = store.finish_run(&id, RunState::Failed, Some("…"), at(5));
    assert!(failed.await.expect("it is written"));
    let swept = store.mark_swept(&id, at(5 + SETTLE)).await;
    swept.expect("it is marked");
    assert_eq!(unswept(&store, "", 9).await, [""; 0]);
    let claimed = store.claim_start(&id, at(0), at(1_000)).await;
    assert!(claimed.expect("it is asked"));
    let read = store.run(&id).await.expect("a read").expect("the run");
    assert_eq!(read.withdrawn_at, None);
    // A sweep that began before the start says nothing of what the run makes from now on.
    let late = store.mark_swept(&id, at(9_000)).await;
    late.expect("nothing is written");
    ended(&store, &id, 2_000).await;
    assert_eq!(unswept(&store, "", 9).await, ["run_1"]);
}

pub async fn where_a_run_came_from_says_whether_missing_rows_mean_anything(database: &Database) {
    let store = database.store().await;
    let sources = [
        ("run_1", None, true),
        ("run_2", Some("some/folder"), false),
        ("run_3", Some(switchyard::controller::FROM_ROWS), true),
    ];
    for (id, source, _) in sources {
        let mut new = new_run(id, &format!("recording-of-{id}"));
        if let Some(source) = source {
            let mut control = control(&format!("control-of-{id}"));
            control.source = source.to_owned();
            store.insert_control(&control).await.expect("it is kept");
            new.control_id = Some(control.id);
        }
        let inserted = store.insert_run(&new, at(0)).await;
        assert!(inserted.expect("it is written"));
        ended(&store, &new.id, 1).await;
    }
    let mut live = new_run("run_4", "recording-of-run_4");
    live.effects = Effects::Live;
    let inserted = store.insert_run(&live, at(0)).await;
    assert!(inserted.expect("it is written"));
    ended(&store, &live.id, 1).await;

    let settle = Duration::milliseconds(SETTLE);
    let found = store.unswept(&staging(), settle, &RunId::new(""), 9).await;
    let found = found.expect("it is read");
    let told = |run: &switchyard::store::Unswept| (run.is_live, run.is_known_to_reflector);
    let told: Vec<_> = found.iter().map(told).collect();
    let mut expected: Vec<_> = sources.iter().map(|known| (false, known.2)).collect();
    expected.push((true, true));
    assert_eq!(told, expected);
    assert_eq!(
        found[0].transcript_id.as_str(),
        "transcript-of-recording-of-run_1"
    );
    assert_eq!(found[0].recording_id.as_str(), "recording-of-run_1");
}
