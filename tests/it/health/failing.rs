//! Every way to fail is seen, and none of them is forgiven too soon.

use std::sync::atomic::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use switchyard::{
    controller::health::{canary, close, standing},
    rollout::{BreakerState, LIVE_RUNS, NotClosed, Position},
    store::Effects,
};

use super::between::{Between, limits};
use crate::{faulty::Fault, phases, store::samples::new_run};

async fn in_cutover() -> Between {
    let mut between = Between::new().await;
    // Nothing depends on it in the first phase.
    let about = phases::about("staging");
    let wanted = phases::to(Position::Soak, 0);
    let now = between.now();
    phases::flip(&between.store, &about, &wanted, now)
        .await
        .unwrap();
    let round = between.look().await;
    assert_eq!(round.row.breaker.state, BreakerState::Closed, "{round:?}");
    between
}

/// Looks until the breaker is there; when it first was not closed, and when it came there.
async fn until(between: &mut Between, state: BreakerState) -> (DateTime<Utc>, DateTime<Utc>) {
    let mut first = None;
    for _ in 0..400 {
        let now = between.now();
        let is = between.look().await.row.breaker.state;
        if is != BreakerState::Closed {
            first = first.or(Some(now));
        }
        if is == state {
            return (first.unwrap_or(now), now);
        }
    }
    panic!("it never was {state}: {:?}", between.bad().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_is_well_is_found_to_be_and_is_left_as_it_was() {
    let mut between = in_cutover().await;
    for _ in 0..3 {
        between.look().await;
    }
    assert!(between.bad().await.is_empty());
    let running = between.server.client.running(canary::NAME, None).await;
    assert!(running.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_fail_opens_the_breaker_within_25_seconds_of_the_first_bad_sign() {
    for (fault, bad, found) in [
        (Fault::Resets, "server", "cannot be reached"),
        (Fault::Nonsense, "server", "a body that cannot be read"),
        (Fault::Delays, "server", "no answer"),
        (Fault::Errors, "queues", "refused with 500"),
        (
            Fault::DoesNothing,
            "canary",
            "did not go through within 2 s",
        ),
    ] {
        let mut between = in_cutover().await;
        between.fails(fault);
        let (first, opened) = until(&mut between, BreakerState::Open).await;
        let took = (opened - first).num_seconds();
        assert!(took <= 25, "{fault:?}: {took} s");
        let bad_now = between.bad().await;
        let said = &bad_now[bad];
        assert!(said.contains(found), "{fault:?}: {bad_now:?}");
        if fault == Fault::DoesNothing {
            assert_eq!(bad_now.len(), 1, "all else answers well: {bad_now:?}");
        }
        let about = phases::about("staging");
        let trail = between
            .store
            .recent_audit(&about.environment, &about.flag, 9);
        let trail = trail.await.unwrap();
        let entry = &trail[0].entry;
        assert_eq!(
            (entry.action.as_str(), entry.after.as_str()),
            ("breaker", "open")
        );
        let notices = between.store.new_notices(&about.environment);
        let notices = notices.await.unwrap();
        let told = notices
            .iter()
            .filter(|notice| notice.kind.as_str() == "breaker");
        assert_eq!(told.count(), 2, "suspect and open: {notices:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_queue_entry_is_seen() {
    let mut between = in_cutover().await;
    between.server.faults.lose_queue_entries(1000);
    until(&mut between, BreakerState::Open).await;
    assert!(between.bad().await.contains_key("canary"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgot_its_definitions_gets_them_again() {
    let mut between = in_cutover().await;
    let workflow = switchyard::conductor::definitions::workflow();
    let deleted = between
        .server
        .client
        .delete_workflow_def(&workflow.name, workflow.version);
    deleted.await.unwrap();
    let round = between.look().await;
    assert_eq!(round.row.breaker.state, BreakerState::Suspect);
    assert!(between.bad().await["definitions"].contains("registered again"));
    for _ in 0..2 {
        between.look().await;
    }
    assert!(between.bad().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_well_again_is_half_open_then_recovering_then_closed_and_never_flaps() {
    let mut between = in_cutover().await;
    between.fails(Fault::Resets);
    until(&mut between, BreakerState::Open).await;
    between.pass(300);
    between.fails(Fault::None);
    let mut states = vec![BreakerState::Open];
    while states.last() != Some(&BreakerState::Closed) {
        let state = between.look().await.row.breaker.state;
        if states.last() != Some(&state) {
            states.push(state);
        }
        between.pass(10);
    }
    let expected = [
        BreakerState::Open,
        BreakerState::HalfOpen,
        BreakerState::Recovering,
        BreakerState::Closed,
    ];
    assert_eq!(states, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_controllers_one_looks_until_it_is_gone() {
    let mut between = in_cutover().await;
    let mut other = between.another();
    assert_eq!(other.tick().await.unwrap(), None);
    between.pass(60);
    assert!(other.tick().await.unwrap().is_some());
    assert_eq!(between.health.tick().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_anything_depends_on_it_it_is_only_watched() {
    let mut between = Between::new().await;
    between.look().await;
    between.fails(Fault::Resets);
    for _ in 0..10 {
        let state = between.look().await.row.breaker.state;
        assert_eq!(state, BreakerState::Suspect);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_latched_breaker_is_closed_by_a_person_once_all_is_well() {
    let mut between = in_cutover().await;
    let about = phases::about("staging");
    for _ in 0..2 {
        between.fails(Fault::Resets);
        until(&mut between, BreakerState::Open).await;
        between.fails(Fault::None);
        between.pass(300);
        between.look().await;
    }
    between.fails(Fault::Resets);
    until(&mut between, BreakerState::Latched).await;
    let store = between.store.clone();
    let said = ("ana", "the disk was full");
    let refused = close(&store, &about, said, between.now()).await.unwrap();
    assert!(matches!(refused, Err(NotClosed::Unwell(_))), "{refused:?}");
    between.fails(Fault::None);
    between.look().await;
    close(&store, &about, said, between.now())
        .await
        .unwrap()
        .unwrap();
    let stands = standing(&store, &about.environment, &limits(), between.now()).await;
    let stands = stands.unwrap();
    assert_eq!(stands.state, Some(BreakerState::Closed));
    assert!(
        stands.line.contains("closed by ana: the disk was full"),
        "{}",
        stands.line
    );
    let trail = store.recent_audit(&about.environment, &about.flag, 1).await;
    let entry = trail.unwrap().remove(0).entry;
    assert_eq!(
        (entry.actor.as_str(), entry.before.as_str()),
        ("ana", "latched")
    );
    assert!(store.verify_audit().await.unwrap().is_ok());
}

/// A live run that no worker gets on with, though everything Conductor can be asked is well.
async fn a_stalled_run(between: &Between) {
    let mut run = new_run("run_live", "recording");
    run.effects = Effects::Live;
    let inserted = between.store.insert_run(&run, between.now()).await;
    assert!(inserted.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_run_that_does_not_get_on_opens_the_breaker() {
    let mut between = in_cutover().await;
    between.pass(3600);
    a_stalled_run(&between).await;
    between.look().await;
    assert!(between.bad().await.is_empty());
    until(&mut between, BreakerState::Open).await;
    let bad = between.bad().await;
    assert!(bad[LIVE_RUNS].contains("`run_live`"), "{bad:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_both_pipelines_lack_the_same_nothing_opens_and_the_reason_is_named() {
    let mut between = in_cutover().await;
    between.pass(3600);
    a_stalled_run(&between).await;
    between.neighbour_is_down.store(true, Ordering::Relaxed);
    between.pass(30);
    for _ in 0..20 {
        let row = between.look().await.row;
        assert_eq!(row.breaker.state, BreakerState::Closed);
    }
    let about = phases::about("staging");
    let row = between
        .store
        .breaker(&about.environment)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        row.holding.as_deref(),
        Some("language model: it answers 503")
    );
    let notices = between.store.new_notices(&about.environment);
    let notices = notices.await.unwrap();
    let told = notices
        .iter()
        .find(|notice| notice.kind.as_str() == "breaker")
        .unwrap();
    assert!(
        told.text.contains("nothing is given back to Celery")
            && told.text.ends_with("language model: it answers 503"),
        "{}",
        told.text
    );

    // Only then is the run Conductor's fault.
    between.neighbour_is_down.store(false, Ordering::Relaxed);
    let row = between.look().await.row;
    assert_eq!(row.holding, None);
    until(&mut between, BreakerState::Open).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_looks_is_somebody_who_sees_nothing_wrong() {
    let between = in_cutover().await;
    let about = phases::about("staging");
    let late = between.now() + TimeDelta::seconds(31);
    let stands = standing(&between.store, &about.environment, &limits(), late).await;
    let stands = stands.unwrap();
    assert!(!stands.watched);
    assert!(
        stands.line.starts_with("not watched since "),
        "{}",
        stands.line
    );
}
