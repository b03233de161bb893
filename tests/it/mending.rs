//! What people do about runs: done once however many press, refused where it makes no sense, on record.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use switchyard::{
    compare::Policy,
    conductor::{Client, definitions, wire::WorkflowStatus},
    controller::{GiveBack, Mended, Mending, NotMended, Shadow, Signature, register},
    cost::PriceTable,
    model::{HealthLimits, RunId, RunState, WorkflowId},
    rollout::{Breaker, BreakerState, Live, Mend, Owner, Position, Signals, Unmendable},
    store::{Effects, Run, Stage, Store},
};

use crate::{
    celery::fresh,
    engine::harness::{Server, own_store},
    intake::world::{client, noon, queue},
    phases,
    redis::Redis,
    standup::loopback,
    store::samples::{flag, new_run, staging},
};

struct World {
    store: Store,
    engine: Server,
    mending: Mending,
    clock: Arc<Mutex<DateTime<Utc>>>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let engine = Server::embedded().await;
        register(&engine.client).await.unwrap();
        let (store, folder) = own_store().await;
        let clock = Arc::new(Mutex::new(noon()));
        let time = Arc::clone(&clock);
        let shadow = Shadow {
            environment: staging(),
            store: store.clone(),
            client: engine.client.clone(),
            policy: Arc::new(Policy::shipped()),
            prices: Arc::new(PriceTable::default()),
            telling: None,
            meaning: None,
            versions: "versions".into(),
            clock: Arc::new(move || *time.lock().unwrap()),
        };
        let mending = Mending {
            shadow,
            giving_back: Err("the settings name no broker".to_owned()),
        };
        Self {
            store,
            engine,
            mending,
            clock,
            _folder: folder,
        }
    }

    fn with_celery(mut self, redis: &Redis) -> Self {
        self.mending.giving_back = Ok(GiveBack {
            store: self.store.clone(),
            client: self.engine.client.clone(),
            broker: redis.broker(),
            queue: queue("celery"),
            publisher: None,
            clock: Arc::clone(&self.mending.shadow.clock),
        });
        self
    }

    fn now(&self) -> DateTime<Utc> {
        *self.clock.lock().unwrap()
    }

    fn pass(&self, seconds: i64) {
        *self.clock.lock().unwrap() += TimeDelta::seconds(seconds);
    }

    /// A run that the engine has.
    async fn running(&self, id: &str, effects: Effects) -> RunId {
        let mut new = new_run(id, &format!("recording-of-{id}"));
        new.effects = effects;
        assert!(self.store.insert_run(&new, self.now()).await.unwrap());
        let input = serde_json::json!({ "run_id": id, "track_keys": [] });
        let name = &definitions::workflow().name;
        let workflow = self.engine.start(name, input).await;
        self.store.mark_running(&new.id, &workflow).await.unwrap();
        new.id
    }

    /// The same, whose workflow was terminated and that has failed.
    async fn failed(&self, id: &str, effects: Effects) -> RunId {
        let id = self.running(id, effects).await;
        let run = self.run(&id).await;
        let workflow = run.workflow_id.unwrap();
        self.engine
            .client
            .terminate(&workflow, "a test")
            .await
            .unwrap();
        let failure = Some("generate_summary, attempt 4: the model answers 500");
        let ended = self
            .store
            .finish_run(&id, RunState::Failed, failure, self.now());
        assert!(ended.await.unwrap());
        id
    }

    async fn run(&self, id: &RunId) -> Run {
        self.store.run(id).await.unwrap().unwrap()
    }

    async fn mend(&self, mend: Mend, id: &RunId, by: &str) -> Result<Mended, NotMended> {
        let mended = self.mending.mend(mend, id, signed(by)).await;
        mended.unwrap()
    }

    /// Workflows under way.
    async fn open(&self) -> Vec<WorkflowId> {
        let name = &definitions::workflow().name;
        self.engine.client.running(name, None).await.unwrap()
    }

    /// What was done, and by whom.
    async fn trail(&self) -> Vec<(String, String)> {
        let trail = self.store.recent_audit(&staging(), &flag(), 99).await;
        let trail = trail.unwrap().into_iter().rev();
        trail
            .map(|sealed| (sealed.entry.action, sealed.entry.actor))
            .filter(|(action, _)| Mend::ALL.iter().any(|mend| mend.as_str() == action))
            .collect()
    }
}

fn signed(by: &str) -> Signature {
    Signature {
        by: by.to_owned(),
        reason: "the model is back".to_owned(),
        seen: None,
    }
}

const GOES_ON: Mended = Mended::GoesOn { waits: None };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_retry_at_once_one_does_and_one_workflow_begins() {
    let world = World::new().await;
    let id = world.failed("run_a", Effects::Shadow).await;
    let people = ["ana", "bo", "cy", "di", "ed", "fay"];
    let pressed = people.map(|by| world.mend(Mend::Retry, &id, by));
    let done = join_all(pressed).await;
    let won: Vec<_> = done.iter().filter(|done| done.is_ok()).collect();
    assert_eq!(won, [&Ok(GOES_ON)]);
    for refused in done.iter().filter_map(|done| done.as_ref().err()) {
        let told = refused.to_string();
        let is_told = matches!(
            refused,
            NotMended::Changed(_)
                | NotMended::Refused {
                    why: Unmendable::UnderWay,
                    ..
                }
        );
        assert!(is_told && told.contains("run_a"), "{told}");
    }
    assert_eq!(world.open().await.len(), 1);
    let trail = world.trail().await;
    assert_eq!(trail.len(), 1, "{trail:?}");
    assert_eq!(trail[0].0, "retry");
    let run = world.run(&id).await;
    assert_eq!((run.state, run.failure), (RunState::Running, None));
}

#[tokio::test]
async fn who_saw_one_failure_does_nothing_about_the_next() {
    let world = World::new().await;
    let id = world.failed("run_a", Effects::Shadow).await;
    let seen = world.run(&id).await.finished_at;
    assert_eq!(world.mend(Mend::Retry, &id, "ana").await, Ok(GOES_ON));
    world.pass(30);
    let ended = world
        .store
        .finish_run(&id, RunState::Failed, Some("again"), world.now());
    assert!(ended.await.unwrap());
    let late = Signature {
        seen,
        ..signed("bo")
    };
    let refused = world.mending.mend(Mend::Retry, &id, late.clone()).await;
    assert_eq!(refused.unwrap(), Err(NotMended::Changed(id.clone())));
    assert_eq!(world.trail().await.len(), 1);
    let fresh = Signature {
        seen: world.run(&id).await.finished_at,
        ..late
    };
    let done = world.mending.mend(Mend::Retry, &id, fresh).await;
    assert_eq!(done.unwrap(), Ok(GOES_ON));
}

#[tokio::test]
async fn what_an_earlier_start_came_to_says_nothing_of_a_run_that_is_starting() {
    let world = World::new().await;
    let id = world.failed("run_a", Effects::Shadow).await;
    let shadow = &world.mending.shadow;
    // Somebody took it up and has not started its workflow yet.
    let claimed = world
        .store
        .claim_start(&id, world.now(), world.now())
        .await
        .unwrap();
    assert!(claimed);
    shadow.tick().await.unwrap();
    assert_eq!(world.run(&id).await.state, RunState::Starting);
    assert_eq!(world.open().await.len(), 0);
    // They died: whoever follows runs starts it.
    world.pass(61);
    shadow.tick().await.unwrap();
    assert_eq!(world.run(&id).await.state, RunState::Running);
    assert_eq!(world.open().await.len(), 1);
}

#[tokio::test]
async fn a_retry_waits_for_an_engine_that_does_not_answer_and_is_not_lost() {
    let mut world = World::new().await;
    let id = world.failed("run_a", Effects::Shadow).await;
    let gone = loopback().await.local_addr().unwrap();
    let there: Client = world.mending.shadow.client.clone();
    world.mending.shadow.client = client(&format!("http://{gone}/api"));
    let done = world.mend(Mend::Retry, &id, "ana").await;
    assert!(
        matches!(done, Ok(Mended::GoesOn { waits: Some(_) })),
        "{done:?}"
    );
    assert_eq!(world.run(&id).await.state, RunState::Starting);
    assert_eq!(world.trail().await.len(), 1);
    let early = world.mend(Mend::Resume, &id, "bo").await;
    assert!(matches!(
        early,
        Err(NotMended::Refused {
            why: Unmendable::Starting,
            ..
        })
    ));
    world.mending.shadow.client = there;
    world.pass(61);
    // Nobody follows runs: a person may.
    assert_eq!(world.mend(Mend::Resume, &id, "bo").await, Ok(GOES_ON));
    assert_eq!(world.open().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_that_somebody_made_in_the_engine_is_ended_once() {
    let world = World::new().await;
    let id = world.running("run_a", Effects::Shadow).await;
    let early = world.mend(Mend::Resume, &id, "ana").await;
    assert!(matches!(
        early,
        Err(NotMended::Refused {
            why: Unmendable::UnderWay,
            ..
        })
    ));
    let workflow = world.run(&id).await.workflow_id.unwrap();
    world.engine.client.pause(&workflow).await.unwrap();
    let run = world.run(&id).await;
    assert!(world.mending.shadow.is_paused(&run).await);
    let possible = world.mending.possible(&id, true).await.unwrap();
    let may: Vec<_> = possible
        .iter()
        .filter(|one| one.refusal.is_none())
        .map(|one| one.mend)
        .collect();
    assert_eq!(may, [Mend::Resume]);
    let pressed = ["ana", "bo", "cy"].map(|by| world.mend(Mend::Resume, &id, by));
    let done = join_all(pressed).await;
    assert_eq!(
        done.iter().filter(|done| done.is_ok()).count(),
        1,
        "{done:?}"
    );
    let found = world.engine.client.workflow(&workflow, false).await;
    assert_eq!(found.unwrap().status, WorkflowStatus::Running);
    assert_eq!(world.trail().await.len(), 1);
}

#[tokio::test]
async fn while_conductor_is_not_well_nothing_is_taken_up() {
    let world = World::new().await;
    let id = world.failed("run_a", Effects::Shadow).await;
    let mut breaker = Breaker::first(&Signals::default(), world.now(), &HealthLimits::default());
    breaker.state = BreakerState::Open;
    "the canary does not end".clone_into(&mut breaker.reason);
    phases::set(&world.store, "staging", breaker, world.now()).await;
    let refused = world.mend(Mend::Retry, &id, "ana").await.unwrap_err();
    let told = refused.to_string();
    assert!(
        told.contains("the breaker is open: the canary does not end"),
        "{told}"
    );
    assert_eq!(world.run(&id).await.state, RunState::Failed);
    assert!(world.trail().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_take_over_at_once_celery_is_given_it_once() {
    let redis = fresh!();
    let world = World::new().await.with_celery(&redis);
    phases::put(&world.store, "staging", Position::Soak, world.now()).await;
    let id = world.running("run_live", Effects::Live).await;
    let pressed = ["ana", "bo", "cy", "di"].map(|by| world.mend(Mend::Takeover, &id, by));
    let done = join_all(pressed).await;
    let mut published = 0;
    for done in &done {
        match done {
            Ok(Mended::GaveBack {
                epoch,
                published: is_first,
                ..
            }) => {
                assert_eq!(*epoch, 2);
                published += usize::from(*is_first);
            }
            Err(NotMended::Refused {
                why: Unmendable::Given,
                ..
            }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(published, 1, "{done:?}");
    assert_eq!(redis.texts("celery").await.len(), 1);
    let trail = world.trail().await;
    assert_eq!(trail.len(), 1, "{trail:?}");
    assert_eq!(trail[0].0, "takeover");
    let run = world.run(&id).await;
    assert_eq!(run.state, RunState::Terminated);
    let again = world.mend(Mend::Resume, &id, "ana").await.unwrap_err();
    assert!(again.to_string().contains("never goes on"), "{again}");
    assert!(world.open().await.is_empty());
}

#[tokio::test]
async fn a_takeover_pressed_as_the_run_ends_its_transcript_does_nothing() {
    let redis = fresh!();
    let world = World::new().await.with_celery(&redis);
    phases::put(&world.store, "staging", Position::Soak, world.now()).await;
    let id = world.running("run_live", Effects::Live).await;
    let run = world.run(&id).await;
    let owned = world
        .store
        .ownership(&run.environment, &run.flag, &run.recording_id);
    let (ownership, _) = owned.await.unwrap().unwrap();
    let live = Live::of(&ownership, &id).unwrap();
    let reached = world.store.reach(&live, Stage::Finalized, world.now());
    reached.await.unwrap();
    let refused = world.mend(Mend::Takeover, &id, "ana").await.unwrap_err();
    assert!(
        refused.to_string().contains("must not make it again"),
        "{refused}"
    );
    let owned = world
        .store
        .ownership(&run.environment, &run.flag, &run.recording_id);
    let (ownership, _) = owned.await.unwrap().unwrap();
    assert_eq!((ownership.owner, ownership.epoch), (Owner::Candidate, 1));
    assert!(redis.texts("celery").await.is_empty());
    assert!(world.trail().await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_done_says_why_and_changes_nothing() {
    let world = World::new().await;
    let shadow = world.running("run_shadow", Effects::Shadow).await;
    let live = world.running("run_live", Effects::Live).await;
    for (mend, id, told) in [
        (Mend::Retry, &shadow, "the run is under way"),
        (
            Mend::Takeover,
            &shadow,
            "Celery serves its recording already",
        ),
        (Mend::Takeover, &live, "the settings name no broker"),
        (Mend::Compare, &shadow, "the run has not ended"),
    ] {
        let refused = world.mend(mend, id, "ana").await.unwrap_err();
        assert!(refused.to_string().contains(told), "{mend}: {refused}");
    }
    let nobody = RunId::new("run_none");
    let refused = world.mend(Mend::Retry, &nobody, "ana").await.unwrap_err();
    assert!(refused.to_string().contains("there is no run `run_none`"));
    let mut elsewhere = new_run("run_elsewhere", "elsewhere");
    elsewhere.environment = "production".into();
    let now = world.now();
    assert!(world.store.insert_run(&elsewhere, now).await.unwrap());
    let refused = world.mend(Mend::Retry, &elsewhere.id, "ana").await;
    assert!(matches!(refused, Err(NotMended::NoRun { .. })));
    assert!(world.trail().await.is_empty());
    assert_eq!(world.open().await.len(), 2);
}
