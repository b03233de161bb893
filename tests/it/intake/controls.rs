//! What the control made, taken when it is over.

use serde_json::json;
use switchyard::{
    controller::{FROM_ROWS, FROM_ROWS_AND_MESSAGES, intake::Controls},
    legacy::reflector::{WatchLimits, Watcher},
    model::OutcomeStatus,
    rollout::{Percent, Position},
    store::{RouteState, Wish},
};

use super::world::{World, end_task};
use crate::{
    celery::fresh,
    reflector::world::{Columns, World as Reflector, rows, rows_at_dispatch, transcript},
};

/// A transcript in shadow whose run was started.
macro_rules! running {
    ($redis:expr, $case:literal) => {{
        let Some(mut reflector) = Reflector::fresh(Columns::All).await else {
            return;
        };
        reflector.fill(&rows_at_dispatch($case)).await;
        let id = transcript($case).to_string();
        let world = World::with_celery($redis).await.reading(&reflector);
        let world = world.in_phase(Position::Shadow(Percent::ALL)).await;
        world.ask("task", &id, Wish::Once).await;
        world.intake.start_runs().await.unwrap();
        (reflector, world, id)
    }};
}

/// The rows as the control leaves them.
async fn end_rows(reflector: &mut Reflector, case: &str) {
    reflector
        .change("delete from transcript; delete from recording; delete from meeting_consent; delete from meeting; delete from calendar_event; delete from room")
        .await;
    reflector.fill(&rows(case, "db_after")).await;
}

#[tokio::test]
async fn a_control_is_taken_after_its_post_tasks_and_given_to_its_run() {
    let redis = fresh!();
    let (mut reflector, world, id) = running!(&redis, "base");
    let controls = Controls::new(world.intake.clone());
    assert_eq!(controls.tick().await.unwrap(), 0);
    end_rows(&mut reflector, "base").await;
    end_task(&redis, "task", "SUCCESS", &["consent"]).await;
    assert_eq!(controls.tick().await.unwrap(), 0);
    assert_eq!(world.route(&id).await.state, RouteState::Open);
    // The first link deletes the recording, which the row tells only now.
    reflector
        .change("update transcript set audio_deleted = true, title = 'edited'")
        .await;
    end_task(&redis, "consent", "SUCCESS", &["zulip"]).await;
    end_task(&redis, "zulip", "FAILURE", &[]).await;
    assert_eq!(controls.tick().await.unwrap(), 1);

    let route = world.route(&id).await;
    assert_eq!(route.state, RouteState::Over);
    let store = &world.intake.store;
    let run = store.run(&route.run_id.unwrap()).await.unwrap().unwrap();
    assert_eq!(run.control_id, route.control_id);
    let control = store.control(&run.control_id.unwrap()).await.unwrap();
    let control = control.unwrap();
    assert_eq!(control.source, FROM_ROWS);
    assert_eq!(control.outcome.status, OutcomeStatus::Ended);
    assert!(control.outcome.audio_deleted);
    assert!(!control.outcome.words.is_empty());
    assert_eq!(controls.tick().await.unwrap(), 0);
    reflector.remove().await;
}

#[tokio::test]
async fn a_chain_that_never_ends_is_waited_for_two_minutes() {
    let redis = fresh!();
    let (mut reflector, world, id) = running!(&redis, "base");
    let controls = Controls::new(world.intake.clone());
    end_rows(&mut reflector, "base").await;
    end_task(&redis, "task", "SUCCESS", &["consent"]).await;
    for (seconds, taken) in [(0, 0), (119, 0), (1, 1)] {
        world.pass(seconds);
        assert_eq!(controls.tick().await.unwrap(), taken);
    }
    assert!(world.route(&id).await.control_id.is_some());
    reflector.remove().await;
}

#[tokio::test]
async fn a_control_that_failed_is_a_control() {
    let redis = fresh!();
    let (reflector, world, id) = running!(&redis, "base");
    let controls = Controls::new(world.intake.clone());
    end_task(&redis, "task", "FAILURE", &[]).await;
    assert_eq!(controls.tick().await.unwrap(), 1);
    let control = world.route(&id).await.control_id.unwrap();
    let control = world.intake.store.control(&control).await.unwrap().unwrap();
    assert_eq!(control.outcome.status, OutcomeStatus::Error);
    let failure = control.outcome.failure.unwrap();
    assert!(failure.contains("HTTPError") && !failure.contains("hush"));
    reflector.remove().await;
}

#[tokio::test]
async fn without_results_a_row_is_believed_once_it_has_changed() {
    let redis = fresh!();
    let (mut reflector, mut world, id) = running!(&redis, "base");
    world.intake.celery = None;
    end_rows(&mut reflector, "base").await;
    let controls = Controls::new(world.intake.clone());
    // Perhaps an earlier run left it so.
    assert_eq!(controls.tick().await.unwrap(), 0);
    reflector
        .change("update transcript set status = 'processing'")
        .await;
    assert_eq!(controls.tick().await.unwrap(), 0);
    reflector
        .change("update transcript set status = 'ended'")
        .await;
    assert_eq!(controls.tick().await.unwrap(), 0);
    world.pass(120);
    assert_eq!(controls.tick().await.unwrap(), 1);
    assert!(world.route(&id).await.control_id.is_some());
    reflector.remove().await;
}

#[tokio::test]
async fn a_control_that_never_ends_is_waited_for_half_a_day() {
    let redis = fresh!();
    let (reflector, world, id) = running!(&redis, "base");
    let controls = Controls::new(world.intake.clone());
    world.pass(12 * 3600 - 1);
    controls.tick().await.unwrap();
    assert_eq!(world.route(&id).await.state, RouteState::Open);
    world.pass(1);
    assert_eq!(controls.tick().await.unwrap(), 0);
    let route = world.route(&id).await;
    assert_eq!((route.state, route.control_id), (RouteState::Over, None));
    reflector.remove().await;
}

#[tokio::test]
async fn a_control_that_ends_before_its_run_began_is_given_to_it() {
    let redis = fresh!();
    let Some(mut reflector) = Reflector::fresh(Columns::All).await else {
        return;
    };
    reflector.fill(&rows_at_dispatch("base")).await;
    let id = transcript("base").to_string();
    let world = World::with_celery(&redis).await.reading(&reflector);
    let world = world.in_phase(Position::Shadow(Percent::ALL)).await;
    world.ask("task", &id, Wish::Once).await;
    end_task(&redis, "task", "FAILURE", &[]).await;
    let controls = Controls::new(world.intake.clone());
    assert_eq!(controls.tick().await.unwrap(), 1);
    assert_eq!(world.intake.start_runs().await.unwrap(), 1);
    let route = world.route(&id).await;
    let run = world.intake.store.run(&route.run_id.unwrap()).await;
    assert_eq!(run.unwrap().unwrap().control_id, route.control_id);
    assert!(route.control_id.is_some());
    reflector.remove().await;
}

#[tokio::test]
async fn messages_that_were_heard_whole_are_part_of_the_control() {
    let redis = fresh!();
    let Some(mut reflector) = Reflector::fresh(Columns::All).await else {
        return;
    };
    reflector.fill(&rows_at_dispatch("base")).await;
    let id = transcript("base").to_string();
    let mut world = World::with_celery(&redis).await.reading(&reflector);
    let limits = WatchLimits {
        grace: std::time::Duration::ZERO,
        ..WatchLimits::default()
    };
    let watcher = Watcher::start(&redis.location(), limits).unwrap();
    watcher.subscribed().await;
    world.intake.watcher = Some(watcher.clone());
    let world = world.in_phase(Position::Shadow(Percent::ALL)).await;
    world.ask("task", &id, Wish::Once).await;
    world.intake.start_runs().await.unwrap();

    end_rows(&mut reflector, "base").await;
    for status in ["processing", "ended"] {
        let payload = json!({ "event": "STATUS", "data": { "value": status } });
        let client = ::redis::Client::open(&*redis.url).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut publish = ::redis::cmd("PUBLISH");
        publish.arg(format!("ts:{id}")).arg(payload.to_string());
        let _: u64 = publish.query_async(&mut connection).await.unwrap();
    }
    while !watcher.is_over(&id.as_str().into()) {
        tokio::task::yield_now().await;
    }
    let controls = Controls::new(world.intake.clone());
    // The last message tells it before the result does.
    assert_eq!(controls.tick().await.unwrap(), 0);
    end_task(&redis, "task", "SUCCESS", &[]).await;
    assert_eq!(controls.tick().await.unwrap(), 1);
    let control = world.route(&id).await.control_id.unwrap();
    let control = world.intake.store.control(&control).await.unwrap().unwrap();
    assert_eq!(control.source, FROM_ROWS_AND_MESSAGES);
    assert_eq!(control.outcome.published.len(), 2);
    reflector.remove().await;
}
