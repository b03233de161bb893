//! The breaker decides where the phase would have had Conductor serve.

use chrono::TimeDelta;
use switchyard::{
    model::HealthLimits,
    rollout::{Beside, Breaker, BreakerState, Owner, Percent, Position, Signals},
    store::Wish,
};

use crate::{
    intake::world::World,
    phases,
    reflector::world::{Columns, World as Reflector, rows_at_dispatch, transcript},
};

/// A breaker in that state, looked at now.
async fn breaker(world: &World, state: BreakerState, step: usize) {
    let now = (world.intake.clock)();
    let mut breaker = Breaker::first(&Signals::default(), now, &HealthLimits::default());
    breaker.state = state;
    breaker.step = step;
    "the canary does not end".clone_into(&mut breaker.reason);
    phases::set(&world.intake.store, "staging", breaker, now).await;
}

#[tokio::test]
async fn while_the_breaker_admits_nothing_the_control_serves_and_the_reason_says_why() {
    let world = World::alone().await.in_phase(Position::Soak).await;
    for (number, state) in [
        BreakerState::Suspect,
        BreakerState::Open,
        BreakerState::Latched,
    ]
    .into_iter()
    .enumerate()
    {
        breaker(&world, state, 0).await;
        let task = format!("task-{number}");
        let answer = world.ask(&task, &task, Wish::Once).await;
        assert_eq!(answer.serve, Owner::Control, "{state}");
        let expected = format!(
            "phase cutover: the candidate serves alone; the control serves, since the breaker is {state}: the \
             canary does not end"
        );
        assert_eq!(answer.reason, expected);
    }
    breaker(&world, BreakerState::Closed, 0).await;
    let answer = world.ask("last", "last", Wish::Once).await;
    assert_eq!(answer.serve, Owner::Candidate);
}

#[tokio::test]
async fn a_look_that_is_too_old_is_none() {
    let world = World::alone().await.in_phase(Position::Soak).await;
    breaker(&world, BreakerState::Closed, 0).await;
    world.pass(31);
    let answer = world.ask("task", "t", Wish::Once).await;
    assert_eq!(answer.serve, Owner::Control);
    let expected = "nobody has looked at Conductor since 12:00:00 UTC";
    assert!(answer.reason.ends_with(expected), "{}", answer.reason);
}

#[tokio::test]
async fn a_half_open_breaker_lets_one_recording_at_a_time_through() {
    let world = World::alone().await.in_phase(Position::Soak).await;
    breaker(&world, BreakerState::HalfOpen, 0).await;
    let first = world.ask("one", "one", Wish::Once).await;
    assert_eq!(first.serve, Owner::Candidate, "{}", first.reason);
    let second = world.ask("two", "two", Wish::Once).await;
    assert_eq!(second.serve, Owner::Control);
    assert!(
        second.reason.contains("at another recording"),
        "{}",
        second.reason
    );
    let route = world.route("one").await;
    world
        .intake
        .store
        .lapse_route(&route, "a test")
        .await
        .unwrap();
    let third = world.ask("three", "three", Wish::Once).await;
    assert_eq!(third.serve, Owner::Candidate);
}

#[tokio::test]
async fn in_shadow_an_open_breaker_sheds_the_candidate() {
    let Some(mut reflector) = Reflector::fresh(Columns::All).await else {
        return;
    };
    reflector.fill(&rows_at_dispatch("base")).await;
    let id = transcript("base").to_string();
    let world = World::alone().await.reading(&reflector);
    let world = world.in_phase(Position::Shadow(Percent::ALL)).await;
    breaker(&world, BreakerState::Open, 0).await;
    world.ask("task", &id, Wish::Once).await;
    let route = world.route(&id).await;
    assert_eq!((route.owner, route.beside), (Owner::Control, Beside::None));
    assert!(
        route.reason.contains("; shed, since the breaker is open"),
        "{}",
        route.reason
    );
    reflector.remove().await;
}

#[tokio::test]
async fn what_waits_for_what_both_pipelines_need_is_not_started() {
    let world = World::alone().await.in_phase(Position::Soak).await;
    world.ask("task", "t", Wish::Once).await;
    world.intake.accept("task").await.unwrap();
    let store = &world.intake.store;
    let about = phases::about("staging");
    let mut row = store.breaker(&about.environment).await.unwrap().unwrap();
    row.holding = Some("language model: it answers 503".to_owned());
    let now = (world.intake.clock)();
    assert!(store.set_breaker(&about, &row, &[], now).await.unwrap());
    // Whoever tries to start it fails, since there is no Reflector to ask.
    assert_eq!(world.intake.start_runs().await.unwrap(), 0);
    assert_eq!(world.route("t").await.run_id, None);
    assert_eq!(world.route("t").await.owner, Owner::Candidate);
}

#[tokio::test]
async fn an_offer_is_not_taken_up_once_the_breaker_is_open() {
    use switchyard::controller::intake::Accepted;
    let world = World::alone().await.in_phase(Position::Soak).await;
    world.ask("task", "t", Wish::Once).await;
    breaker(&world, BreakerState::Open, 0).await;
    let accepted = world.intake.accept("task").await.unwrap();
    assert!(matches!(accepted, Accepted::ByControl(_)), "{accepted:?}");
    world.pass(TimeDelta::seconds(1).num_seconds());
}
