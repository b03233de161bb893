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

#[tokio::test]
async fn once_celery_is_removed_nothing_is_handed_on_in_doubt() {
    let redis = fresh!();
    let world = World::with_celery(&redis).await;
    let world = world.in_phase(Position::Removed).await;
    let odd = message("").raw().to_owned();
    let ours = message("t");
    for text in [odd.as_str(), ours.raw()] {
        redis.publish("switchyard", text).await;
    }
    let mut tapping = world.tapping();
    let tick = tapping.tick().await.unwrap();
    assert_eq!((tick.forwarded, tick.withheld, tick.left), (0, 1, 1));
    assert_eq!(redis.texts("switchyard").await, [odd.as_str()]);
    // What cannot be answered since our database is gone waits for it.
    world.intake.store.close().await;
    let another = message("u");
    redis.publish("switchyard", another.raw()).await;
    let tick = tapping.tick().await.unwrap();
    assert_eq!((tick.forwarded, tick.withheld, tick.left), (0, 0, 2));
    assert_eq!(
        redis.texts("switchyard").await,
        [odd.as_str(), another.raw()]
    );
    assert!(redis.texts("celery").await.is_empty());
}

#[tokio::test]
async fn once_celery_is_removed_what_was_its_own_is_processed_anew_by_the_candidate() {
    let redis = fresh!();
    let world = World::with_celery(&redis).await;
    let first = message("t");
    redis.publish("switchyard", first.raw()).await;
    assert_eq!(world.tapping().tick().await.unwrap().forwarded, 1);
    world.flip(Position::Removed).await;
    // The same message once more, and another on the same transcript.
    for message in [&first, &message("t")] {
        redis.publish("switchyard", message.raw()).await;
    }
    let tick = world.tapping().tick().await.unwrap();
    assert_eq!((tick.forwarded, tick.withheld), (0, 2));
    let routes = world.routes("t").await;
    let owners: Vec<_> = routes
        .iter()
        .map(|route| (route.generation, route.owner))
        .collect();
    assert_eq!(owners, [(2, Owner::Candidate), (1, Owner::Control)]);
    assert_eq!(
        routes[0].state.as_str(),
        "open",
        "it is the candidate's for certain"
    );
    assert_eq!(redis.texts("celery").await.len(), 1);
}

#[tokio::test]
async fn once_celery_is_removed_a_transcript_of_no_recording_is_refused_aloud() {
    let redis = fresh!();
    let Some(reflector) = Reflector::fresh(Columns::All).await else {
        return;
    };
    let world = World::with_celery(&redis).await.reading(&reflector);
    let world = world.in_phase(Position::Removed).await;
    redis.publish("switchyard", message("t").raw()).await;
    let tick = world.tapping().tick().await.unwrap();
    assert_eq!((tick.forwarded, tick.withheld, tick.left), (0, 1, 0));
    assert!(world.routes("t").await.is_empty());
    let intake = &world.intake;
    let notices = intake.store.new_notices(&intake.environment);
    let notices = notices.await.unwrap();
    let refused = notices
        .iter()
        .find(|notice| notice.kind.as_str() == "refused")
        .unwrap();
    assert!(
        refused.text.contains("is of no recording"),
        "{}",
        refused.text
    );
    assert_eq!(refused.document["transcript"], "t");
    reflector.remove().await;
}
