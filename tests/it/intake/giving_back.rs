//! A live run's recording is given back to Celery only while Celery is there.

use std::sync::Arc;

use switchyard::{
    controller::{Again, GiveBack, Refusal, Wanted, dispatch},
    model::Origin,
    rollout::{Owner, Position},
    store::Effects,
};

use super::world::{World, queue};
use crate::{celery::fresh, store::samples::subject};

#[tokio::test]
async fn once_celery_is_removed_a_recording_stays_the_candidate_s() {
    let redis = fresh!();
    let world = World::with_celery(&redis).await;
    let intake = &world.intake;
    let wanted = Wanted {
        environment: intake.environment.clone(),
        flag: intake.flag.clone(),
        subject: subject("recording"),
        control_id: None,
        again: Again::Resume,
        effects: Effects::Live,
        origin: Origin::Arrival,
    };
    let now = (intake.clock)();
    let dispatched = dispatch(&intake.store, &intake.client, &wanted, now).await;
    let run = intake.store.run(dispatched.unwrap().run()).await;
    let run = run.unwrap().unwrap();
    let giving = GiveBack {
        store: intake.store.clone(),
        client: intake.client.clone(),
        broker: redis.broker(),
        queue: queue("celery"),
        publisher: None,
        clock: Arc::clone(&intake.clock),
    };
    world.flip(Position::Removed).await;
    let refused = giving.give_back(&run, "a test").await.unwrap();
    let refusal = refused.expect_err("Celery is removed");
    assert_eq!(refusal, Refusal::NoCelery(intake.environment.clone()));
    assert!(
        refusal
            .to_string()
            .contains("`switchyard phase set archived`"),
        "{refusal}"
    );
    let owned = intake
        .store
        .ownership(&run.environment, &run.flag, &run.recording_id)
        .await;
    let (ownership, _) = owned.unwrap().unwrap();
    assert_eq!((ownership.owner, ownership.epoch), (Owner::Candidate, 1));
    assert!(redis.texts("celery").await.is_empty());

    world.flip(Position::Archived).await;
    let gave = giving.give_back(&run, "a test").await.unwrap();
    assert!(gave.expect("Celery is there again").published);
    assert_eq!(redis.texts("celery").await.len(), 1);
}
