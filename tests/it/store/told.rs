//! What runs told, and lists that are read piece by piece.

use switchyard::{
    model::RunId,
    store::{EffectState, IntentKind, Lease, ToldEvent, WhichEntries},
};

use super::{
    ledger::live,
    samples::{at, flag, intent, new_run, output, staging},
};
use crate::database::Database;

fn names(told: &[ToldEvent]) -> Vec<&str> {
    told.iter().map(|event| event.event.as_str()).collect()
}

pub async fn what_a_live_run_told_is_what_it_has_done_and_a_shadow_run_tells_what_it_would(
    database: &Database,
) {
    let store = database.store().await;
    let (run, proof) = live(&store, "run_live", 1).await;
    let intents = [
        intent(IntentKind::Event, "STATUS", "{}"),
        intent(IntentKind::Message, "ts:1", "{}"),
        intent(IntentKind::Event, "DURATION", "{}"),
    ];
    let reserved = store.reserve((&run, &proof), "task", &intents, at(2)).await;
    reserved.expect("it is written");
    assert_eq!(store.told_by_run(&run.id, 0, 9).await.expect("a read"), []);
    assert_eq!(store.told_last().await.expect("a read"), None);
    let effects = store.effects(&run.id, "task").await.expect("a read");
    for (position, now) in [(2, 10), (1, 15), (0, 20)] {
        let lease = Lease {
            holder: "a",
            until: at(99),
        };
        let effect = &effects[position];
        let claimed = store.claim_effect(&proof, effect, lease, at(now)).await;
        claimed.expect("it is asked");
        let done = (EffectState::Confirmed, None);
        let settled = store
            .settle_effect(&proof, effect, "a", done, at(now))
            .await;
        assert!(settled.expect("it is asked"));
    }
    let told = store.told_by_run(&run.id, 0, 9).await.expect("a read");
    assert_eq!(names(&told), ["DURATION", "STATUS"], "as it was done");
    assert_eq!(told[1].mark.at, at(20).timestamp_millis());
    let last = store.told_last().await.expect("a read");
    assert_eq!(last, Some(told[1].mark.at));

    let shadow = new_run("run_shadow", "another");
    store
        .insert_run(&shadow, at(3))
        .await
        .expect("it is written");
    let made = output("task", "hash", serde_json::json!({}));
    let kept = store.check_in(&shadow.id, "t", &made, &intents, &[], at(12));
    kept.await.expect("it is written");
    let told = store.told_by_run(&shadow.id, 0, 9).await.expect("a read");
    assert_eq!(names(&told), ["STATUS", "DURATION"]);
    let told = store.told_by_serving(0, 9).await.expect("a read");
    assert_eq!(names(&told), ["DURATION", "STATUS"]);
    assert!(told.iter().all(|event| event.mark.run == run.id));
    let since = at(11).timestamp_millis();
    let told = store.told_by_serving(since, 9).await.expect("a read");
    assert_eq!(names(&told), ["STATUS"]);
    assert_eq!(store.told_by_serving(0, 1).await.expect("a read").len(), 1);
}

pub async fn runs_and_the_trail_are_read_on_from_where_a_page_ended(database: &Database) {
    let store = database.store().await;
    for (id, started) in [("run_a", 1), ("run_b", 2), ("run_c", 2), ("run_d", 3)] {
        let inserted = store.insert_run(&new_run(id, id), at(started)).await;
        assert!(inserted.expect("it is written"));
    }
    let read = async |before| {
        let runs = store.runs_before(before, 2).await.expect("a read");
        runs.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    let ids = |ids: [&str; 2]| ids.map(RunId::new);
    assert_eq!(read(None).await, ids(["run_d", "run_b"]));
    let before = RunId::new("run_b");
    assert_eq!(read(Some((at(2), &before))).await, ids(["run_c", "run_a"]));
    let before = RunId::new("run_a");
    assert_eq!(read(Some((at(1), &before))).await, []);
    let place = (&staging(), &flag());
    let all = WhichEntries::default();
    let none = store.audit_before(place, &all, (1, 9)).await;
    let none = none.expect("a read");
    assert_eq!(none.len(), 0);
}
