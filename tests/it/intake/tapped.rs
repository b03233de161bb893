//! Messages through the tap, answered by the intake.

use switchyard::{
    rollout::{Beside, Owner, Percent, Position},
    store::Way,
};

use super::world::{World, by_state, message, reprocess};
use crate::{
    celery::fresh,
    reflector::world::{Columns, World as Reflector, rows_at_dispatch, transcript},
};

/// As a message is on the legacy queue.
fn handed_on(text: &str) -> String {
    text.replace(
        r#""routing_key": "switchyard""#,
        r#""routing_key": "celery""#,
    )
}

#[tokio::test]
async fn in_shadow_all_is_handed_on_and_one_run_is_started() {
    let redis = fresh!();
    let Some(mut reflector) = Reflector::fresh(Columns::All).await else {
        return;
    };
    reflector.fill(&rows_at_dispatch("base")).await;
    let id = transcript("base").to_string();
    let world = World::with_celery(&redis).await.reading(&reflector);
    let world = world.in_phase(Position::Shadow(Percent::ALL)).await;
    let before = reflector.everything().await;
    // Webhook and poller, a redelivery, and somebody who cannot wait.
    let first = message(&id);
    let messages = [&first, &message(&id), &first, &reprocess(&id)];
    for message in messages {
        redis.publish("switchyard", message.raw()).await;
    }
    let tick = world.tapping().tick().await.unwrap();
    assert_eq!((tick.forwarded, tick.withheld), (4, 0));
    let expected: Vec<_> = messages.map(|message| handed_on(message.raw())).into();
    assert_eq!(redis.texts("celery").await, expected);

    world.intake.start_runs().await.unwrap();
    assert_eq!(world.engine.started().len(), 1);
    let route = world.route(&id).await;
    assert_eq!(
        (route.owner, route.beside),
        (Owner::Control, Beside::Candidate)
    );
    assert_eq!((route.way, route.task_id.as_str()), (Way::Tap, first.id()));
    assert_eq!(reflector.everything().await, before);
    reflector.remove().await;
}

#[tokio::test]
async fn the_candidate_s_messages_are_withheld_every_time() {
    let redis = fresh!();
    let world = World::with_celery(&redis).await;
    let world = world.in_phase(Position::Draining).await;
    let first = message("t");
    for message in [&first, &message("t"), &first] {
        redis.publish("switchyard", message.raw()).await;
    }
    let tick = world.tapping().tick().await.unwrap();
    assert_eq!((tick.forwarded, tick.withheld), (0, 3));
    assert!(redis.texts("celery").await.is_empty());
    assert_eq!(by_state(&world.routes("t").await), [("open", 1)].into());
}

#[tokio::test]
async fn arguments_we_do_not_know_end_on_celery() {
    let redis = fresh!();
    let world = World::with_celery(&redis).await;
    let world = world.in_phase(Position::Draining).await;
    let odd = message("").raw().to_owned();
    redis.publish("switchyard", &odd).await;
    let tick = world.tapping().tick().await.unwrap();
    assert_eq!((tick.forwarded, tick.withheld), (1, 0));
    assert_eq!(redis.texts("celery").await, [handed_on(&odd)]);
}

#[tokio::test]
async fn a_database_that_is_gone_stops_nothing() {
    let redis = fresh!();
    let world = World::with_celery(&redis).await;
    let world = world.in_phase(Position::Draining).await;
    world.intake.store.close().await;
    redis.publish("switchyard", message("t").raw()).await;
    let tick = world.tapping().tick().await.unwrap();
    assert_eq!((tick.forwarded, tick.withheld), (1, 0));
}
