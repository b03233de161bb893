//! Between "the candidate serves" and "the message is handed on": in whatever order things happen
//! and whoever dies, one of the two is true in the end.

use switchyard::{
    controller::intake::Accepted,
    legacy::celery::{Asked, Claim, Decision, Fate, Holder, Settled},
    rollout::{Owner, Position},
    store::{RouteState, Way, Wish},
};

use super::world::{World, message, queue, request};
use crate::{celery::fresh, phases::celery_there, redis::Redis};

fn forward() -> Decision {
    Decision::Forward(celery_there())
}

fn withhold() -> Decision {
    Decision::Withhold(Some(celery_there()))
}

/// A message of ours on the queue, and the candidate's route for it, as after our transaction.
async fn offered(redis: &Redis) -> (World, String) {
    let world = World::with_celery(redis).await;
    let world = world.in_phase(Position::Draining).await;
    let message = message("t");
    redis.publish("switchyard", message.raw()).await;
    let ours = request(message.id(), "t", Wish::Once);
    let answer = world.intake.decide(&ours, Way::Tap).await.unwrap();
    assert_eq!(answer.serve, Owner::Candidate);
    assert_eq!(world.route("t").await.state, RouteState::Offered);
    (world, message.id().to_owned())
}

/// Does with the message on the queue as one tap would.
async fn settle(redis: &Redis, task: &str, decision: Decision) -> Settled {
    let broker = redis.broker();
    let from = queue("switchyard");
    let held = broker.take(&from, &Holder::random(), 1).await.unwrap();
    let to = queue("celery");
    let asked = Asked {
        task_id: task.to_owned(),
        transcript: None,
        is_anew: false,
    };
    let settled = broker.settle(&held[0], &asked, decision, &to);
    settled.await.unwrap()
}

#[tokio::test]
async fn an_offer_starts_nothing() {
    let redis = fresh!();
    let (world, _) = offered(&redis).await;
    assert_eq!(world.intake.start_runs().await.unwrap(), 0);
    assert!(!world.route("t").await.wants_run());
}

#[tokio::test]
async fn a_tap_that_dies_before_the_broker_leaves_the_offer_to_the_next() {
    let redis = fresh!();
    let (world, _) = offered(&redis).await;
    // However long the message waits.
    for seconds in [0, 59, 3600] {
        world.pass(seconds);
        world.intake.settle_offers().await.unwrap();
        assert_eq!(world.route("t").await.state, RouteState::Offered);
    }
    let tick = world.tapping().tick().await.unwrap();
    assert_eq!((tick.withheld, tick.forwarded), (1, 0));
    assert_eq!(world.route("t").await.state, RouteState::Open);
}

#[tokio::test]
async fn a_tap_that_dies_with_the_message_in_hand_leaves_the_offer_too() {
    let redis = fresh!();
    let (world, _) = offered(&redis).await;
    let from = queue("switchyard");
    let (broker, dead) = (redis.broker(), Holder::random());
    let held = broker.take(&from, &dead, 1).await.unwrap();
    assert_eq!(held.len(), 1);
    world.pass(3600);
    world.intake.settle_offers().await.unwrap();
    assert_eq!(world.route("t").await.state, RouteState::Offered);
}

#[tokio::test]
async fn a_tap_that_dies_after_the_broker_is_made_up_for() {
    let redis = fresh!();
    let (world, task) = offered(&redis).await;
    let settled = settle(&redis, &task, withhold()).await;
    assert_eq!(settled, Settled::Withheld);
    world.intake.settle_offers().await.unwrap();
    let route = world.route("t").await;
    assert_eq!(
        (route.owner, route.state),
        (Owner::Candidate, RouteState::Open)
    );
    assert_eq!(route.confirmed_at, Some((world.intake.clock)()));
    assert!(redis.texts("celery").await.is_empty());
}

#[tokio::test]
async fn a_message_that_was_handed_on_in_doubt_makes_the_route_the_control_s() {
    let redis = fresh!();
    let (world, task) = offered(&redis).await;
    // Our transaction was committed, and its answer came too late.
    let settled = settle(&redis, &task, forward()).await;
    assert!(matches!(settled, Settled::Forwarded(_)));
    world.intake.settle_offers().await.unwrap();
    let route = world.route("t").await;
    assert_eq!(
        (route.owner, route.state),
        (Owner::Control, RouteState::Open)
    );
    assert!(route.reason.contains("in doubt"), "{}", route.reason);
    assert_eq!(world.intake.start_runs().await.unwrap(), 0);
}

#[tokio::test]
async fn a_message_that_is_nowhere_makes_the_route_the_control_s_after_a_minute() {
    let redis = fresh!();
    let (world, task) = offered(&redis).await;
    let _: u64 = redis.ask("DEL", "switchyard", &[]).await;
    world.pass(59);
    world.intake.settle_offers().await.unwrap();
    assert_eq!(world.route("t").await.owner, Owner::Candidate);
    world.pass(1);
    world.intake.settle_offers().await.unwrap();
    assert_eq!(world.route("t").await.owner, Owner::Control);
    // Should it turn up after all, it is not withheld by whoever decided before.
    redis.publish("switchyard", message("t").raw()).await;
    let settled = settle(&redis, &task, withhold()).await;
    assert!(matches!(settled, Settled::Forwarded(_)));
}

#[tokio::test]
async fn what_was_settled_of_a_task_holds_for_its_later_messages() {
    let redis = fresh!();
    let broker = redis.broker();
    for (first, then) in [(withhold(), forward()), (forward(), withhold())] {
        let message = message("t");
        for decision in [first, then] {
            redis.publish("switchyard", message.raw()).await;
            let settled = settle(&redis, message.id(), decision).await;
            assert_eq!(
                settled == Settled::Withheld,
                first == withhold(),
                "{first:?} {decision:?}"
            );
        }
        let from = queue("switchyard");
        let fate = broker.fate(message.id(), &from, Claim::ForControl);
        let expected = match first {
            Decision::Forward(_) => Fate::Forwarded,
            Decision::Withhold(_) | Decision::Leave => Fate::Withheld,
        };
        assert_eq!(fate.await.unwrap(), expected);
    }
    assert_eq!(redis.texts("celery").await.len(), 2);
    assert_eq!(broker.held().await.unwrap(), 0);
}

#[tokio::test]
async fn a_duplicate_that_a_dead_database_cannot_tell_is_withheld_all_the_same() {
    let redis = fresh!();
    let (world, _) = offered(&redis).await;
    let first = redis.texts("switchyard").await.remove(0);
    assert_eq!(world.tapping().tick().await.unwrap().withheld, 1);
    world.intake.store.close().await;
    redis.publish("switchyard", &first).await;
    let tick = world.tapping().tick().await.unwrap();
    assert_eq!((tick.withheld, tick.forwarded), (1, 0));
}

#[tokio::test]
async fn a_second_task_is_withheld_only_while_the_first_one_s_is_ours() {
    let redis = fresh!();
    let (world, first) = offered(&redis).await;
    // It waits on the queue, and will be answered.
    let answer = world.ask("second", "t", Wish::Once).await;
    assert_eq!(answer.serve, Owner::Candidate);
    settle(&redis, &first, withhold()).await;
    let answer = world.ask("third", "t", Wish::Once).await;
    assert_eq!(answer.serve, Owner::Candidate);
    assert_eq!(world.route("t").await.state, RouteState::Open);
}

#[tokio::test]
async fn a_second_task_ends_an_offer_whose_message_is_gone() {
    let redis = fresh!();
    let (world, first) = offered(&redis).await;
    settle(&redis, &first, forward()).await;
    let answer = world.ask("second", "t", Wish::Once).await;
    assert_eq!(answer.serve, Owner::Control);
    assert_eq!(world.route("t").await.owner, Owner::Control);
}

#[tokio::test]
async fn an_offer_over_http_is_taken_up_once_and_for_all() {
    let world = World::alone().await.in_phase(Position::Draining).await;
    assert_eq!(
        world.intake.accept("task").await.unwrap(),
        Accepted::Unknown
    );
    let answer = world.ask("task", "t", Wish::Once).await;
    assert_eq!(answer.serve, Owner::Candidate);
    world.pass(29);
    world.intake.settle_offers().await.unwrap();
    for _ in 0..2 {
        let accepted = world.intake.accept("task").await.unwrap();
        assert!(matches!(accepted, Accepted::ByCandidate(_)));
    }
    world.pass(3600);
    world.intake.settle_offers().await.unwrap();
    assert_eq!(world.route("t").await.owner, Owner::Candidate);
}

#[tokio::test]
async fn an_offer_over_http_that_nobody_takes_up_lapses_after_half_a_minute() {
    let world = World::alone().await.in_phase(Position::Draining).await;
    world.ask("task", "t", Wish::Once).await;
    world.pass(30);
    world.intake.settle_offers().await.unwrap();
    let accepted = world.intake.accept("task").await.unwrap();
    assert!(matches!(accepted, Accepted::ByControl(_)));
    assert_eq!(world.route("t").await.owner, Owner::Control);
}

#[tokio::test]
async fn an_offer_over_http_whose_caller_published_it_is_settled_by_the_tap() {
    let redis = fresh!();
    let world = World::with_celery(&redis).await;
    let world = world.in_phase(Position::Draining).await;
    let message = message("t");
    let answer = world.ask(message.id(), "t", Wish::Once).await;
    assert_eq!(answer.serve, Owner::Candidate);
    // The answer was lost on its way, so the caller published the task.
    redis.publish("switchyard", message.raw()).await;
    let tick = world.tapping().tick().await.unwrap();
    assert_eq!((tick.withheld, tick.forwarded), (1, 0));
    assert_eq!(world.route("t").await.state, RouteState::Open);
}

#[tokio::test]
async fn once_celery_is_removed_an_offer_that_is_not_taken_up_is_the_candidate_s() {
    let redis = fresh!();
    let (world, task) = offered(&redis).await;
    world.flip(Position::Removed).await;
    let _: u64 = redis.ask("DEL", "switchyard", &[]).await;
    world.pass(3600);
    world.intake.settle_offers().await.unwrap();
    let route = world.route("t").await;
    assert_eq!(
        (route.owner, route.state),
        (Owner::Candidate, RouteState::Open)
    );
    // Nor was its message claimed for Celery.
    redis.publish("switchyard", message("t").raw()).await;
    let settled = settle(&redis, &task, withhold()).await;
    assert_eq!(settled, Settled::Withheld);
}
