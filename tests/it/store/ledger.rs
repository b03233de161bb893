//! Ownership and the effect ledger.

use switchyard::{
    model::RecordingId,
    rollout::{Live, Owner, Ownership},
    store::{
        CheckedIn, Claim, Effect, EffectState, Effects, IntentKind, Lease, Run, Stage, Store,
        Takeover,
    },
};

use super::samples::{at, flag, intent, new_run, staging};
use crate::database::Database;

const TASK: &str = "post_zulip";

/// A live run with its proof.
pub async fn live(store: &Store, id: &str, generation: i64) -> (Run, Live) {
    let mut new = new_run(id, "owned");
    new.effects = Effects::Live;
    new.generation = generation;
    let inserted = store.insert_run(&new, at(1)).await;
    assert!(inserted.expect("it is written"));
    let run = store.run(&new.id).await.expect("a read").expect("the run");
    let (ownership, stage) = owned(store).await;
    assert_eq!(stage, Stage::Open);
    let live = Live::of(&ownership, &run.id).expect("it owns its recording");
    (run, live)
}

pub async fn owned(store: &Store) -> (Ownership, Stage) {
    let recording = RecordingId::new("owned");
    let owned = store.ownership(&staging(), &flag(), &recording).await;
    owned.expect("a read").expect("somebody owns it")
}

pub async fn reserved(store: &Store, run: &Run, live: &Live) -> Vec<Effect> {
    let intents = [
        intent(IntentKind::Zulip, "https://z", "{}"),
        intent(IntentKind::Message, "ts:1", "{}"),
    ];
    let reserved = store.reserve((run, live), TASK, &intents, at(2)).await;
    assert_eq!(reserved.expect("it is written"), CheckedIn::Written);
    store.effects(&run.id, TASK).await.expect("a read")
}

pub async fn claim(store: &Store, live: &Live, effect: &Effect, holder: &str, now: i64) -> Claim {
    let lease = Lease {
        holder,
        until: at(now + 40),
    };
    let claim = store.claim_effect(live, effect, lease, at(now)).await;
    claim.expect("it is asked")
}

async fn settle(store: &Store, live: &Live, effect: &Effect, holder: &str) -> bool {
    let confirmed = (EffectState::Confirmed, Some("4242"));
    let settled = store.settle_effect(live, effect, holder, confirmed, at(90));
    settled.await.expect("it is asked")
}

async fn take_over(store: &Store, seen: i64) -> bool {
    let takeover = Takeover {
        environment: &staging(),
        flag: &flag(),
        recording: &RecordingId::new("owned"),
        seen,
        owner: Owner::Control,
        run: None,
        reason: "Conductor is not well",
        entry: None,
    };
    store
        .take_over(&takeover, at(80))
        .await
        .expect("it is asked")
}

/// What a live run writes.
pub async fn write_live(store: &Store) {
    let (run, live) = live(store, "run_live", 1).await;
    let effects = reserved(store, &run, &live).await;
    assert_eq!(
        claim(store, &live, &effects[0], "a", 10).await,
        Claim::Granted
    );
    assert!(settle(store, &live, &effects[0], "a").await);
    store
        .reach(&live, Stage::Finalized, at(70))
        .await
        .expect("it is written");
    assert!(take_over(store, 1).await);
}

pub async fn an_effect_is_claimed_by_one_until_its_lease_ends(database: &Database) {
    let store = database.store().await;
    let (run, live) = live(&store, "run_1", 1).await;
    let effects = reserved(&store, &run, &live).await;
    assert_eq!(effects[0].key, "owned/1/zulip");
    let effect = &effects[0];
    assert_eq!(claim(&store, &live, effect, "a", 10).await, Claim::Granted);
    assert_eq!(
        claim(&store, &live, effect, "b", 20).await,
        Claim::Held(at(50))
    );
    let until = store.sending_until(&run.id).await.expect("a read");
    assert_eq!(until, Some(at(50)));
    assert_eq!(claim(&store, &live, effect, "b", 50).await, Claim::Granted);
    assert!(!settle(&store, &live, effect, "a").await, "it is b's");
    assert!(settle(&store, &live, effect, "b").await);
    assert_eq!(claim(&store, &live, effect, "c", 99).await, Claim::Done);
    let known = store.effects(&run.id, TASK).await.expect("a read");
    assert_eq!(
        (known[0].attempts, known[0].answer.as_deref()),
        (2, Some("4242"))
    );
    assert_eq!(known[0].state, EffectState::Confirmed);
    assert_eq!(known[1].state, EffectState::Reserved);
}

pub async fn after_a_takeover_nothing_is_claimed_reserved_or_checked_in(database: &Database) {
    let store = database.store().await;
    let (run, live) = live(&store, "run_1", 1).await;
    let effects = reserved(&store, &run, &live).await;
    assert!(!take_over(&store, 7).await, "that epoch was never seen");
    assert!(take_over(&store, 1).await);
    assert!(!take_over(&store, 1).await, "once");
    assert_eq!(
        claim(&store, &live, &effects[0], "a", 10).await,
        Claim::Fenced
    );
    let more = [intent(IntentKind::Message, "ts:1", "{}")];
    let late = store.reserve((&run, &live), "late", &more, at(9)).await;
    assert_eq!(late.expect("it is asked"), CheckedIn::Fenced);
    store
        .reach(&live, Stage::Delivered, at(9))
        .await
        .expect("it is asked");
    let (ownership, stage) = owned(&store).await;
    assert_eq!(
        (ownership.owner, ownership.epoch, stage),
        (Owner::Control, 2, Stage::Open)
    );
}

pub async fn a_later_generation_owns_in_a_later_epoch(database: &Database) {
    let store = database.store().await;
    let (first, earlier) = live(&store, "run_1", 1).await;
    store
        .reach(&earlier, Stage::Delivered, at(5))
        .await
        .expect("it is written");
    let (_, later) = live(&store, "run_2", 2).await;
    assert_eq!((earlier.epoch(), later.epoch()), (1, 2));
    let late = store.reserve((&first, &earlier), "late", &[], at(9)).await;
    assert_eq!(late.expect("it is asked"), CheckedIn::Fenced);
}
