//! What the candidate served, and what the step after soak asks of it.

use switchyard::{
    model::{GateVerdict, Origin, RunId, RunState},
    rollout::Position,
    store::{Effects, NewRun, Store},
};

use super::samples::{at, new_run, staging};
use crate::{database::Database, phases::about};

fn live(number: i64) -> NewRun {
    let mut run = new_run(&format!("run_live_{number}"), &format!("rec_live_{number}"));
    run.origin = Origin::Arrival;
    run.effects = Effects::Live;
    run
}

/// A live run that ended so.
async fn served(store: &Store, number: i64, state: RunState) -> RunId {
    let run = live(number);
    let begun = number * 1_000;
    assert!(store.insert_run(&run, at(begun)).await.expect("it is"));
    let failure = (state != RunState::Completed).then_some("generate_title, attempt 1: 500");
    let ended = store.finish_run(&run.id, state, failure, at(begun + 10));
    assert!(ended.await.expect("it ends"));
    run.id
}

async fn note(store: &Store, versions: &str) -> u64 {
    let noted = store.note_versions(&staging(), versions).await;
    noted.expect("they are noted")
}

/// Every call that writes what is known of live runs.
pub async fn write_versions(store: &Store) {
    served(store, 9_001, RunState::Failed).await;
    assert!(note(store, "epoch").await > 0);
}

async fn counts(store: &Store) -> (GateVerdict, i64, i64) {
    let soak = store.soak(&about("staging"), at(500_000)).await;
    let soak = soak.expect("it is read");
    (soak.verdict, soak.counts.counted, soak.counts.failures)
}

pub async fn live_runs_count_under_the_versions_they_were_first_seen_under(database: &Database) {
    let store = database.store().await;
    served(&store, 1, RunState::Completed).await;
    served(&store, 2, RunState::Terminated).await;
    // Nobody waits for these.
    let shadow = new_run("run_shadow", "rec_shadow");
    assert!(store.insert_run(&shadow, at(3)).await.expect("it is"));
    let mut by_hand = live(4);
    by_hand.origin = Origin::Manual;
    assert!(store.insert_run(&by_hand, at(4)).await.expect("it is"));
    assert_eq!(counts(&store).await, (GateVerdict::NotYet, 0, 0));
    assert_eq!(note(&store, "epoch").await, 3);
    assert_eq!(note(&store, "other").await, 0, "they have theirs");
    // One of two failed, far more than a fifth of 2 %.
    assert_eq!(counts(&store).await, (GateVerdict::Fail, 2, 1));
    served(&store, 5, RunState::Completed).await;
    assert_eq!(note(&store, "other").await, 1);
    assert_eq!(counts(&store).await, (GateVerdict::Fail, 2, 1));
    store.close().await;
}

pub async fn a_run_that_failed_and_was_taken_up_again_has_failed(database: &Database) {
    let store = database.store().await;
    let run = served(&store, 1, RunState::Failed).await;
    note(&store, "epoch").await;
    let claimed = store.claim_start(&run, at(2_000), at(90_000)).await;
    assert!(claimed.expect("an answer"));
    let ended = store.finish_run(&run, RunState::Completed, None, at(91_000));
    assert!(ended.await.expect("it ends"));
    let kept = store.run(&run).await.expect("it is read");
    let state = kept.expect("it is there").state;
    assert_eq!(state, RunState::Completed);
    let (_, counted, failures) = counts(&store).await;
    assert_eq!((counted, failures), (1, 1));
    store.close().await;
}

pub async fn a_step_to_draining_asks_what_was_served(database: &Database) {
    let store = database.store().await;
    let about = about("staging");
    for number in 0..187 {
        served(&store, number, RunState::Completed).await;
    }
    note(&store, "epoch").await;
    let facts = async || {
        let facts = store.facts(&about, Position::Draining, at(500_000)).await;
        facts.expect("they are read").soak
    };
    let before = facts().await;
    assert_eq!(before.verdict, GateVerdict::NotYet);
    assert!(
        before.missing.starts_with("1 more recordings served well"),
        "{before:?}"
    );
    served(&store, 188, RunState::Completed).await;
    note(&store, "epoch").await;
    assert_eq!(facts().await.verdict, GateVerdict::Pass);
    store.close().await;
}
