//! What waits for Conductor goes back to Celery, once.

use std::sync::Arc;

use serde_json::Value;
use switchyard::{
    controller::{Again, Dispatched, Fallback, FellBack, GiveBack, Wanted, dispatch},
    model::{HealthLimits, Origin, RunState, WorkflowId},
    rollout::{Breaker, BreakerState, Owner, Position, Signals},
    store::{Effects, Wish},
};

use crate::{
    intake::world::{World, queue},
    phases,
    redis::{Redis, Server},
    store::samples::{new_run, staging},
};

struct Falling {
    redis: Redis,
    world: World,
    fallback: Fallback,
}

impl Falling {
    async fn new() -> Option<Self> {
        let redis = Redis::fresh().await?;
        let world = World::with_celery(&redis)
            .await
            .in_phase(Position::Soak)
            .await;
        let intake = &world.intake;
        let fallback = Fallback {
            environment: staging(),
            store: intake.store.clone(),
            giving_back: GiveBack {
                store: intake.store.clone(),
                client: intake.client.clone(),
                broker: redis.broker(),
                queue: queue("celery"),
                publisher: None,
                clock: Arc::clone(&intake.clock),
            },
            limits: HealthLimits::default(),
            clock: Arc::clone(&intake.clock),
        };
        Some(Self {
            redis,
            world,
            fallback,
        })
    }

    async fn opens(&self) {
        let now = (self.world.intake.clock)();
        let mut breaker = Breaker::first(&Signals::default(), now, &HealthLimits::default());
        breaker.state = BreakerState::Open;
        breaker.opened_at = Some(now);
        "the canary does not end".clone_into(&mut breaker.reason);
        phases::set(&self.world.intake.store, "staging", breaker, now).await;
    }

    async fn published(&self) -> Vec<Value> {
        let texts = self.redis.texts("celery").await;
        let read = |text: &String| serde_json::from_str(text).expect("it is JSON");
        texts.iter().map(read).collect()
    }

    async fn falls_back(&self) -> FellBack {
        self.fallback.tick().await.unwrap()
    }
}

#[tokio::test]
async fn a_route_that_has_no_run_goes_back_once_the_breaker_is_open() {
    let Some(falling) = Falling::new().await else {
        return;
    };
    let world = &falling.world;
    world.ask("task", "t", Wish::Once).await;
    world.intake.accept("task").await.unwrap();
    assert_eq!(falling.falls_back().await, FellBack::default());
    falling.opens().await;
    assert_eq!(falling.falls_back().await, FellBack { routes: 1, runs: 0 });
    assert_eq!(falling.falls_back().await, FellBack::default());
    let route = world.route("t").await;
    assert_eq!(route.owner, Owner::Control);
    assert_eq!(route.reason, "the breaker is open: the canary does not end");
    let published = falling.published().await;
    assert_eq!(published.len(), 1);
    assert_eq!(published[0]["headers"]["id"], route.task_id.as_str());
    let store = &world.intake.store;
    let found = store.route_of_task(&route.environment, &route.flag, &route.task_id);
    assert_eq!(found.await.unwrap(), Some(route));
    // Its run is not started by somebody who read it before.
    assert_eq!(world.intake.start_runs().await.unwrap(), 0);
}

#[tokio::test]
async fn whoever_dies_between_the_row_and_the_broker_is_made_up_for() {
    let Some(falling) = Falling::new().await else {
        return;
    };
    let world = &falling.world;
    world.ask("task", "t", Wish::Once).await;
    world.intake.accept("task").await.unwrap();
    falling.opens().await;
    falling.falls_back().await;
    // As if it had not been published, nor noted there that it was.
    for key in falling.redis.keys().await {
        let _: u64 = falling.redis.ask("DEL", &key, &[]).await;
    }
    phases::watched(&world.intake.store, "staging", (world.intake.clock)()).await;
    assert_eq!(falling.falls_back().await, FellBack { routes: 1, runs: 0 });
    assert_eq!(falling.published().await.len(), 1);
}

#[tokio::test]
async fn a_live_run_that_conductor_never_took_goes_back_at_once_and_others_have_their_time() {
    let Some(falling) = Falling::new().await else {
        return;
    };
    let world = &falling.world;
    let (store, now) = (&world.intake.store, (world.intake.clock)());
    for id in ["run_starting", "run_running", "run_shadow"] {
        let mut run = new_run(id, &format!("recording-of-{id}"));
        if id != "run_shadow" {
            run.effects = Effects::Live;
        }
        assert!(store.insert_run(&run, now).await.unwrap());
        if id != "run_starting" {
            let workflow = WorkflowId::new(format!("workflow-of-{id}"));
            store.mark_running(&run.id, &workflow).await.unwrap();
        }
    }
    falling.opens().await;
    assert_eq!(falling.falls_back().await, FellBack { routes: 0, runs: 1 });
    world.pass(299);
    assert_eq!(falling.falls_back().await, FellBack::default());
    world.pass(1);
    assert_eq!(falling.falls_back().await, FellBack { routes: 0, runs: 1 });
    assert_eq!(falling.falls_back().await, FellBack::default());
    assert_eq!(falling.published().await.len(), 2);
    let open = store.open_runs(&staging()).await.unwrap();
    let open: Vec<_> = open.iter().map(|run| run.id.as_str()).collect();
    assert_eq!(open, ["run_shadow"]);
    let ended = store.run(&"run_running".into()).await.unwrap().unwrap();
    assert_eq!(ended.state, RunState::Terminated);
    assert_eq!(
        ended.failure.as_deref(),
        Some("the breaker is open: the canary does not end")
    );
}

#[tokio::test]
async fn once_it_is_well_again_nothing_is_given_back() {
    let Some(falling) = Falling::new().await else {
        return;
    };
    let world = &falling.world;
    let (store, now) = (&world.intake.store, (world.intake.clock)());
    let mut run = new_run("run_live", "recording");
    run.effects = Effects::Live;
    assert!(store.insert_run(&run, now).await.unwrap());
    let workflow = WorkflowId::new("workflow");
    store.mark_running(&run.id, &workflow).await.unwrap();
    falling.opens().await;
    world.pass(400);
    phases::watched(store, "staging", (world.intake.clock)()).await;
    assert_eq!(falling.falls_back().await, FellBack::default());
    assert!(falling.published().await.is_empty());
}

#[tokio::test]
async fn a_takeover_that_the_broker_s_absence_interrupted_ends_however_well_conductor_is_by_then() {
    let (Some(falling), Some(away)) = (Falling::new().await, Server::start()) else {
        return;
    };
    let world = &falling.world;
    let (store, now) = (&world.intake.store, (world.intake.clock)());
    let mut run = new_run("run_live", "recording");
    run.effects = Effects::Live;
    assert!(store.insert_run(&run, now).await.unwrap());
    falling.opens().await;
    let lost = Redis::open(away.url(), String::new()).await;
    drop(away);
    let mut interrupted = falling.fallback.clone();
    interrupted.giving_back.broker = lost.broker();
    assert_eq!(interrupted.tick().await.unwrap(), FellBack::default());
    // Nobody else starts it meanwhile, and nobody forgets it.
    let wanted = Wanted {
        environment: run.environment.clone(),
        flag: run.flag.clone(),
        subject: run.subject.clone(),
        control_id: None,
        again: Again::Resume,
        effects: Effects::Live,
        origin: Origin::Arrival,
    };
    world.pass(100);
    phases::watched(store, "staging", (world.intake.clock)()).await;
    let again = async || {
        let (client, now) = (&world.intake.client, (world.intake.clock)());
        dispatch(store, client, &wanted, now).await.unwrap()
    };
    assert_eq!(again().await, Dispatched::TakenOver(run.id.clone()));
    assert_eq!(falling.falls_back().await, FellBack { routes: 0, runs: 1 });
    assert_eq!(falling.falls_back().await, FellBack::default());
    assert_eq!(falling.published().await.len(), 1);
    let ended = store.run(&run.id).await.unwrap().unwrap();
    assert_eq!(ended.state, RunState::Terminated);
    assert_eq!(again().await, Dispatched::TakenOver(run.id));
}
