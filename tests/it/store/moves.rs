//! Moves and what belongs to them: every call that writes.

use chrono::TimeDelta;
use serde_json::json;
use switchyard::{
    model::{Origin, RunState},
    rollout::{
        Check, Override, Percent, Position, Refusal, Says, Whose,
        rules::{Change, Signed},
    },
    store::{About, ComparisonFacts, Effects, NewHold, Rehearsal, Store, StoredComparison},
};

use super::samples::{at, control, flag, new_run, staging};
use crate::{
    database::Database,
    phases::{about, flip, to},
};

fn hold() -> NewHold {
    NewHold {
        owner: "bo".to_owned(),
        reason: "audit week ☕".to_owned(),
        expires_at: at(100),
    }
}

/// Every call that writes holds, overrides, requests, approvals, notices, leases and audit entries.
pub async fn write_moves(store: &Store) -> anyhow::Result<()> {
    let about = about("production");
    let held = store.place_hold(&about, &hold(), at(1)).await?;
    let taken = Override {
        check: Check::Dwell,
        by: "ana".to_owned(),
        reason: "first try".to_owned(),
        until: at(500),
    };
    store.take_override(&about, &taken, at(2)).await?;
    assert_eq!(store.tell_expired_holds(&about, at(99)).await?, 0);
    assert_eq!(store.tell_expired_holds(&about, at(100)).await?, 1);
    assert_eq!(store.tell_expired_holds(&about, at(101)).await?, 0);
    let released = store.release_hold(&about, &held, ("bo", "over"), at(102));
    assert!(released.await?);
    let again = store.release_hold(&about, &held, ("bo", "over"), at(103));
    assert!(!again.await?);

    let wanted = to(Position::Parallel, 0);
    let asked = store
        .request_move(&about, &wanted, "digest", at(104))
        .await?;
    let same = store
        .request_move(&about, &wanted, "digest", at(105))
        .await?;
    assert_eq!(asked, same);
    assert!(
        store
            .approve(&about, &asked, ("cy", "digest"), at(106))
            .await?
    );
    assert!(
        !store
            .approve(&about, &asked, ("cy", "digest"), at(107))
            .await?
    );
    let other = to(Position::Shadow(Percent::ALL), 0);
    let other = store
        .request_move(&about, &other, "digest", at(108))
        .await?;
    let moved = flip(store, &about, &wanted, at(109)).await.expect("it is");
    assert_eq!(moved.now.version, 1);
    assert!(
        !store
            .approve(&about, &other, ("cy", "digest"), at(110))
            .await?
    );
    let back = to(Position::Shadow(Percent::ALL), 1);
    let back = store.request_move(&about, &back, "digest", at(111)).await?;
    assert!(
        store
            .withdraw_request(&about, &back, "ana", at(112))
            .await?
    );
    assert!(
        !store
            .withdraw_request(&about, &back, "ana", at(113))
            .await?
    );

    let told = store.new_notices(&about.environment).await?;
    assert!(
        told.iter()
            .any(|notice| notice.kind.as_str() == "hold_expired")
    );
    assert!(store.give_out(&told[0].id, &["ops"], at(201)).await?);
    assert!(store.give_out(&told[1].id, &[], at(202)).await?);
    let told_now = store.new_notices(&about.environment).await?;
    assert_eq!(told_now.len(), told.len() - 2);

    write_leases(store).await?;
    write_rehearsal(store, &about).await
}

async fn write_leases(store: &Store) -> anyhow::Result<()> {
    let minute = TimeDelta::milliseconds(60);
    assert!(store.hold_lease("a", "one", minute, at(0)).await?);
    assert!(!store.hold_lease("a", "two", minute, at(30)).await?);
    assert!(store.hold_lease("a", "one", minute, at(40)).await?);
    assert!(!store.hold_lease("a", "two", minute, at(100)).await?);
    assert!(store.hold_lease("a", "two", minute, at(101)).await?);
    store.release_lease("a", "one").await?;
    assert!(!store.hold_lease("a", "one", minute, at(102)).await?);
    assert!(store.hold_lease("b", "one", minute, at(102)).await?);
    store.release_lease("b", "one").await
}

async fn write_rehearsal(store: &Store, about: &About) -> anyhow::Result<()> {
    let mut rehearsal = Rehearsal {
        id: "reh_1".to_owned(),
        passed: Some(true),
        document: json!([{ "step": "cutover", "ok": true }]),
        started_by: "ana".to_owned(),
        started_at: at(300),
        ended_at: Some(at(310)),
    };
    let begun = ("reh_1", "ana");
    store.begin_rehearsal(about, begun, at(300)).await?;
    store.begin_rehearsal(about, begun, at(301)).await?;
    let open = store.rehearsals(about, 9).await?;
    assert_eq!((open.len(), open[0].passed), (1, None));
    store.end_rehearsal(about, &rehearsal, at(310)).await?;
    assert_eq!(store.rehearsals(about, 9).await?, [rehearsal.clone()]);
    let facts = store.facts(about, Position::Parallel, at(311)).await?;
    assert!(facts.rehearsal.is_some_and(|last| last.passed));
    // It ends once.
    rehearsal.passed = Some(false);
    store.end_rehearsal(about, &rehearsal, at(320)).await?;
    assert_eq!(store.rehearsals(about, 9).await?[0].passed, Some(true));
    Ok(())
}

/// A comparison of a run of its own.
async fn compared(store: &Store, name: &str, origin: Origin, verdict: &str, epoch: &str, ms: i64) {
    let mut run = new_run(&format!("run_{name}"), name);
    run.origin = origin;
    assert!(store.insert_run(&run, at(ms)).await.expect("it is"));
    let ended = store.finish_run(&run.id, RunState::Completed, None, at(ms + 1));
    assert!(ended.await.expect("it is"));
    let comparison = StoredComparison {
        id: format!("cmp_{name}_{ms}"),
        run_id: run.id,
        verdict: verdict.to_owned(),
        policy_digest: "policy".to_owned(),
        epoch: epoch.to_owned(),
        report: json!({}),
        compared_at: at(ms + 2),
        fields: Vec::new(),
        facts: ComparisonFacts::default(),
    };
    store.insert_comparison(&comparison).await.expect("it is");
}

pub async fn evidence_is_what_counts_under_the_versions_as_they_are(database: &Database) {
    let store = database.store().await;
    let control = control("control");
    store.insert_control(&control).await.expect("it is kept");
    let day = 24 * 3600 * 1000;
    compared(&store, "a", Origin::Arrival, "match", "epoch", 0).await;
    compared(&store, "b", Origin::Arrival, "within_noise", "epoch", 10).await;
    compared(&store, "c", Origin::Replay, "differs", "epoch", day).await;
    compared(
        &store,
        "d",
        Origin::Manual,
        "candidate_failed",
        "epoch",
        day + 10,
    )
    .await;
    compared(
        &store,
        "e",
        Origin::Arrival,
        "not_comparable",
        "epoch",
        2 * day,
    )
    .await;
    compared(&store, "f", Origin::Arrival, "match", "another", 3 * day).await;
    compared(&store, "g", Origin::Rehearsal, "match", "epoch", 4 * day).await;

    let about = about("staging");
    let facts = store.facts(&about, Position::Parallel, at(5 * day)).await;
    let evidence = facts.expect("they are read").evidence;
    let counted = (evidence.recordings, evidence.replayed, evidence.failures);
    assert_eq!(counted, (4, 2, 2));
    assert_eq!((evidence.candidate_failed, evidence.days), (1, 2));

    // One more, and whoever saw the evidence before has not seen this.
    compared(&store, "h", Origin::Arrival, "match", "epoch", 20).await;
    let facts = store.facts(&about, Position::Parallel, at(5 * day)).await;
    let more = facts.expect("they are read").evidence;
    assert_ne!(more.digest, evidence.digest);
    assert_eq!(more.recordings, 5);
    store.close().await;
}

pub async fn of_many_who_move_at_once_one_does_and_the_trail_stays_whole(database: &Database) {
    let store = database.store().await;
    let about = about("staging");
    let wanted = to(Position::Parallel, 0);
    let (one, two, three, four) = tokio::join!(
        flip(&store, &about, &wanted, at(1)),
        flip(&store, &about, &wanted, at(2)),
        flip(&store, &about, &wanted, at(3)),
        // Another adds to the trail meanwhile.
        async {
            let placed = store.place_hold(&about, &hold(), at(4)).await;
            placed.expect("it is placed")
        }
    );
    let made = [&one, &two, &three];
    let made = made.iter().filter(|made| made.is_ok()).count();
    assert_eq!(made, 1);
    for refused in [one, two, three].into_iter().filter_map(Result::err) {
        assert!(
            matches!(refused, Refusal::Moved { version: 1, .. }),
            "{refused:?}"
        );
    }
    assert!(four.starts_with("hold_"));
    assert_eq!(store.verify_audit().await.expect("it is read"), Ok(2));
    let stands = store.phase(&staging(), &flag()).await.expect("it is read");
    assert_eq!(stands.version, 1);
    store.close().await;
}

pub async fn what_rules_keep_from_the_candidate_is_known_to_moves(database: &Database) {
    let store = database.store().await;
    let about = about("staging");
    let kept = async || {
        let facts = store.facts(&about, Position::Draining, at(5)).await;
        facts.expect("they are read").kept_back
    };
    assert_eq!(kept().await, None);
    let signed = Signed {
        by: "ana".to_owned(),
        reason: "a customer asked".to_owned(),
        at: at(1),
    };
    let change = Change::Say {
        whose: Whose::Room,
        key: "room".to_owned(),
        says: Says::Exclude,
    };
    let changed = store.change_rules(&about, &change, &signed, None).await;
    changed.expect("the store answers").expect("it is changed");
    assert_eq!(kept().await.as_deref(), Some("one room or recording"));
    store.close().await;
}

pub async fn runs_of_a_step_are_counted_since_it_began(database: &Database) {
    let store = database.store().await;
    let about = about("staging");
    let facts = async |now| {
        let facts = store.facts(&about, Position::Parallel, at(now)).await;
        facts.expect("they are read")
    };
    for (name, effects, state, ms) in [
        ("before", Effects::Live, RunState::Completed, 1),
        ("well", Effects::Live, RunState::Completed, 20),
        ("failed", Effects::Live, RunState::Failed, 21),
        ("beside", Effects::Shadow, RunState::Failed, 22),
    ] {
        if ms == 20 {
            crate::phases::put(&store, "staging", Position::Cutover(Percent::ALL), at(10)).await;
        }
        let mut run = new_run(&format!("run_{name}"), name);
        run.effects = effects;
        assert!(store.insert_run(&run, at(ms)).await.expect("it is"));
        let ended = store.finish_run(&run.id, state, None, at(ms + 1)).await;
        assert!(ended.expect("it is"));
    }
    let found = facts(30).await;
    assert_eq!((found.live.ended_well, found.live.failed), (1, 1));
    assert_eq!(found.since, Some(at(10)));
    store.close().await;
}
