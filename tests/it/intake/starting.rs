//! Runs that follow from routes.

use switchyard::{
    rollout::{Beside, Percent, Position},
    store::Wish,
};

use super::world::{World, client};
use crate::{
    reflector::world::{Columns, World as Reflector, rows_at_dispatch, transcript},
    standup::loopback,
};

/// A transcript in shadow, and its route.
macro_rules! shadowed {
    () => {{
        let Some(mut reflector) = Reflector::fresh(Columns::All).await else {
            return;
        };
        reflector.fill(&rows_at_dispatch("base")).await;
        let id = transcript("base").to_string();
        let world = World::alone().await.reading(&reflector);
        let world = world.in_phase(Position::Shadow(Percent::ALL)).await;
        world.ask("task", &id, Wish::Once).await;
        (reflector, world, id)
    }};
}

#[tokio::test]
async fn a_route_starts_one_run_with_the_tracks_of_its_request() {
    let (reflector, world, id) = shadowed!();
    assert_eq!(world.intake.start_runs().await.unwrap(), 1);
    assert_eq!(world.intake.start_runs().await.unwrap(), 0);
    let route = world.route(&id).await;
    let run = route.run_id.expect("it is noted");
    assert!(route.subject.is_none(), "the run has it now");
    let started = world.engine.started();
    assert_eq!(started.len(), 1);
    assert_eq!(started[0]["run_id"], run.as_str());
    assert_eq!(started[0]["track_keys"], serde_json::json!(["a", "b"]));
    reflector.remove().await;
}

/// The server and the tap both look for what is to be started.
#[tokio::test]
async fn of_several_who_start_a_route_at_once_one_makes_its_run() {
    let (reflector, world, id) = shadowed!();
    let both = (world.intake.clone(), world.intake.clone());
    let (one, other) = tokio::join!(both.0.start_runs(), both.1.start_runs());
    one.unwrap();
    other.unwrap();
    let run = world.route(&id).await.run_id.expect("it is noted");
    let store = &world.intake.store;
    let runs = store.recent_runs(9).await.unwrap();
    let runs: Vec<_> = runs.into_iter().map(|run| run.id).collect();
    assert_eq!(runs, [run]);
    assert_eq!(world.engine.started().len(), 1);
    reflector.remove().await;
}

#[tokio::test]
async fn a_second_arrival_starts_nothing() {
    let (reflector, world, id) = shadowed!();
    world.ask("again", &id, Wish::Once).await;
    world.intake.start_runs().await.unwrap();
    world.ask("and again", &id, Wish::Again).await;
    assert_eq!(world.intake.start_runs().await.unwrap(), 0);
    assert_eq!(world.engine.started().len(), 1);
    reflector.remove().await;
}

#[tokio::test]
async fn an_engine_that_is_gone_leaves_one_run_that_is_noted() {
    let (reflector, mut world, id) = shadowed!();
    let living = world.intake.client.clone();
    let gone = loopback().await.local_addr().unwrap();
    world.intake.client = client(&format!("http://{gone}/api"));
    world.intake.start_runs().await.unwrap();
    let first = world.route(&id).await.run_id.expect("its row is there");
    world.intake.client = living;
    assert_eq!(world.intake.start_runs().await.unwrap(), 0);
    assert_eq!(world.route(&id).await.run_id, Some(first));
    reflector.remove().await;
}

#[tokio::test]
async fn a_reprocessing_is_a_run_of_its_own() {
    let (reflector, world, id) = shadowed!();
    world.intake.start_runs().await.unwrap();
    let first = world.route(&id).await;
    let now = (world.intake.clock)();
    let ended = world.intake.store.end_route(&first, None, now);
    assert!(ended.await.unwrap());
    world.pass(60);
    world.ask("wanted", &id, Wish::Again).await;
    assert_eq!(world.intake.start_runs().await.unwrap(), 1);
    let second = world.route(&id).await;
    assert_eq!(second.generation, 2);
    assert_ne!(second.run_id, first.run_id);
    reflector.remove().await;
}

#[tokio::test]
async fn a_recording_that_is_gone_is_not_waited_for() {
    let (mut reflector, world, id) = shadowed!();
    // As where Reflector did not tell at arrival.
    let path = "update routes set subject = null";
    let mut tx = world.intake.store.begin().await.unwrap();
    sqlx::query(path).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    reflector
        .change("update transcript set recording_id = null")
        .await;
    assert_eq!(world.intake.start_runs().await.unwrap(), 0);
    let route = world.route(&id).await;
    assert_eq!(route.beside, Beside::None);
    assert!(route.reason.contains("gone"), "{}", route.reason);
    reflector.remove().await;
}
