//! Which traces are to be told, what they are made of, and that each is told once.

use chrono::TimeDelta;
use switchyard::{
    model::{RunId, RunState},
    store::{ComparisonFacts, Store, StoredComparison, Untold, Window},
    traces::Trace,
};

use super::samples::{at, attempt, control, new_run};
use crate::{
    database::{Database, Kind},
    phases,
};

/// The end of time, for these tests.
fn window(now_ms: i64) -> Window {
    Window {
        since: at(0),
        settled: at(now_ms) - TimeDelta::minutes(10),
        patient: at(0),
    }
}

async fn untold(store: &Store, now_ms: i64) -> Vec<Untold> {
    let about = phases::about("staging");
    let found = store.untold(&about, window(now_ms), 9).await;
    found.expect("it is read")
}

async fn compare(store: &Store, run: &RunId, id: &str, ms: i64) {
    let comparison = StoredComparison {
        id: id.to_owned(),
        run_id: run.clone(),
        verdict: "match".to_owned(),
        policy_digest: "digest".to_owned(),
        epoch: "epoch".to_owned(),
        report: serde_json::json!({}),
        compared_at: at(ms),
        fields: Vec::new(),
        facts: ComparisonFacts::default(),
    };
    store.insert_comparison(&comparison).await.expect("it is");
}

/// A run that ended and was compared, and that its trace was told.
pub async fn write_told(store: &Store) {
    let about = phases::about("staging");
    let mut new = new_run("run_told", "told");
    let kept = control("control_told");
    store.insert_control(&kept).await.expect("it is kept");
    new.control_id = Some(kept.id);
    assert!(store.insert_run(&new, at(1)).await.expect("it is"));
    let begun = attempt("task-told", "pad_track_0", 1, 2);
    store.begin_attempt(&new.id, &begun).await.expect("it is");
    let failed = Some("status 500");
    let ended = store.end_attempt("task-told", "failed", failed, at(3));
    ended.await.expect("it is");
    let ended = store.finish_run(&new.id, RunState::Failed, Some("pad_track: 500"), at(4));
    assert!(ended.await.expect("it is"));
    compare(store, &new.id, "cmp_told", 5).await;
    let told = Untold::Run(new.id);
    let material = store.trace_material(&about, &told).await;
    let material = material.expect("it is read").expect("it is there");
    let noted = store.note_told(&about, &material, at(6)).await;
    noted.expect("it is noted");
}

async fn check(kind: Kind) {
    let Some(database) = Database::fresh(kind).await else {
        return;
    };
    let store = database.store().await;
    let about = phases::about("staging");
    let mut new = new_run("run_1", "recording");
    let kept = control("control");
    store.insert_control(&kept).await.expect("it is kept");
    new.control_id = Some(kept.id);
    assert!(store.insert_run(&new, at(1)).await.expect("it is"));
    assert_eq!(untold(&store, 2).await, [], "it is under way");
    let ended = store.finish_run(&new.id, RunState::Failed, Some("why"), at(10));
    assert!(ended.await.expect("it is"));
    assert_eq!(untold(&store, 11).await, [], "it will be compared");
    assert_eq!(
        untold(&store, 700_000).await,
        [Untold::Run(new.id.clone())],
        "nobody compares it any more"
    );
    compare(&store, &new.id, "cmp_1", 20).await;
    let told = untold(&store, 21).await;
    assert_eq!(told, [Untold::Run(new.id.clone())]);
    let material = store.trace_material(&about, &told[0]).await;
    let material = material.expect("it is read").expect("it is there");
    assert_eq!(Trace::of(&material).spans.len(), 4, "{material:?}");
    store
        .note_told(&about, &material, at(22))
        .await
        .expect("it is");
    assert_eq!(untold(&store, 23).await, []);

    compare(&store, &new.id, "cmp_2", 30).await;
    let later = Untold::Comparisons(new.id.clone(), vec!["cmp_2".to_owned()]);
    assert_eq!(untold(&store, 31).await, [later]);

    let claimed = store.claim_start(&new.id, at(0), at(40)).await;
    assert!(claimed.expect("it is"));
    assert_eq!(untold(&store, 41).await, [], "it is under way again");
    let ended = store.finish_run(&new.id, RunState::Completed, None, at(50));
    assert!(ended.await.expect("it is"));
    compare(&store, &new.id, "cmp_3", 51).await;
    assert_eq!(untold(&store, 52).await, [Untold::Run(new.id.clone())]);
    let gone = Untold::Run(RunId::new("nobody"));
    let material = store.trace_material(&about, &gone).await;
    assert!(material.expect("it is read").is_none());
    store.close().await;
    database.remove().await;
}

#[tokio::test]
async fn a_run_is_told_once_it_is_compared_and_again_when_it_ends_again_on_sqlite() {
    check(Kind::Sqlite).await;
}

#[tokio::test]
async fn a_run_is_told_once_it_is_compared_and_again_when_it_ends_again_on_postgres() {
    check(Kind::Postgres).await;
}
