//! Replays of history, tick by tick, with Reflector's schema on a real PostgreSQL.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use switchyard::{
    compare::Policy,
    controller::{Driver, NewReplay, NoReplay, Replays, Shadow, Ticked, Wanted},
    cost::PriceTable,
    model::{Origin, Price, RunState, UsageKind},
    rollout::{Percent, Position},
    store::{Effects, ItemState, Replay, ReplayItem, ReplayState, Skipped, Store},
};
use tempfile::TempDir;

use crate::{
    intake::world::{client, noon},
    phases::{self, about},
    reflector::world::{UI, World as Reflector},
    standup::loopback,
    store::samples::usage,
};

/// An engine whose workflows run until a test ends them.
#[derive(Clone, Default)]
struct Engine {
    workflows: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl Engine {
    async fn serve(self) -> String {
        let routes = Router::new()
            .route("/api/workflow", post(start))
            .route("/api/workflow/{id}", get(read))
            .with_state(self);
        let listener = loopback().await;
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move { axum::serve(listener, routes).await });
        format!("http://{address}/api")
    }

    /// The transcripts of what was started, in order.
    fn started(&self) -> Vec<String> {
        let workflows = self.workflows.lock().expect("nobody died");
        let input = |workflow: &Value| {
            workflow["input"]["transcript_id"]
                .as_str()
                .map(str::to_owned)
        };
        workflows.values().filter_map(input).collect()
    }

    fn end_all(&self, status: &str) {
        for workflow in self.workflows.lock().expect("nobody died").values_mut() {
            if workflow["status"] == "RUNNING" {
                workflow["status"] = status.into();
            }
        }
    }
}

async fn start(State(engine): State<Engine>, Json(request): Json<Value>) -> String {
    let mut workflows = engine.workflows.lock().expect("nobody died");
    let id = format!("workflow-{:02}", workflows.len() + 1);
    let workflow = json!({ "workflowId": id, "status": "RUNNING", "input": request["input"] });
    workflows.insert(id.clone(), workflow);
    id
}

async fn read(State(engine): State<Engine>, Path(id): Path<String>) -> Json<Value> {
    let workflows = engine.workflows.lock().expect("nobody died");
    Json(workflows[&id].clone())
}

struct World {
    reflector: Reflector,
    engine: Engine,
    replays: Replays,
    clock: Arc<Mutex<DateTime<Utc>>>,
    folder: TempDir,
}

impl World {
    /// So many past recordings, a minute apart.
    async fn of(recordings: u32) -> Option<Self> {
        let mut reflector = Reflector::after("base").await?;
        let copies = format!(
            "insert into recording (id, bucket_name, object_key, recorded_at, status, meeting_id, track_keys)
                 select 'r' || n, bucket_name, object_key, recorded_at, status, meeting_id, track_keys
                 from recording, generate_series(1, {recordings}) n;
             insert into transcript (id, status, created_at, duration, source_kind, recording_id,
                     topics, events, participants, webvtt, title, room_id, meeting_id, source_language, target_language)
                 select 't' || n, status, '2026-01-01'::timestamptz + n * interval '1 minute',
                     duration, source_kind, 'r' || n, topics, events, participants, webvtt, title,
                     room_id, meeting_id, source_language, target_language
                 from transcript, generate_series(1, {recordings}) n"
        );
        reflector.change(&copies).await;
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("switchyard.db").display());
        let store = Store::open(&url).await.expect("it opens");
        let engine = Engine::default();
        let clock = Arc::new(Mutex::new(noon()));
        let time = Arc::clone(&clock);
        let price = Price {
            kind: UsageKind::GpuSeconds,
            of: None,
            usd: 1.0,
            per: 1.0,
            why: "a test".to_owned(),
        };
        let replays = Replays {
            about: about("staging"),
            shadow: Shadow {
                environment: "staging".into(),
                store,
                client: client(&engine.clone().serve().await),
                policy: Arc::new(Policy::shipped()),
                prices: Arc::new(PriceTable {
                    prices: vec![price],
                }),
                meaning: None,
                telling: None,
                versions: "versions".into(),
                clock: Arc::new(move || *time.lock().expect("nobody died")),
            },
            reflector: reflector.reflector.clone(),
            ui_base_url: UI.to_owned(),
            mixes: Arc::new(|_| Box::pin(async { Ok(None) })),
            tracks: Arc::new(|subject| {
                let gone = subject.recording.id.as_str() == "r-without-tracks";
                Box::pin(async move { Ok(!gone) })
            }),
            holder: "one".to_owned(),
        };
        let world = Self {
            reflector,
            engine,
            replays,
            clock,
            folder,
        };
        world.flip(Position::Parallel).await;
        Some(world)
    }

    async fn flip(&self, position: Position) {
        let (store, now) = (&self.replays.shadow.store, self.now());
        phases::put(store, "staging", position, now).await;
    }

    fn now(&self) -> DateTime<Utc> {
        *self.clock.lock().expect("nobody died")
    }

    fn pass(&self, seconds: i64) {
        *self.clock.lock().expect("nobody died") += TimeDelta::seconds(seconds);
    }

    fn wanted() -> NewReplay {
        NewReplay {
            from: "2026-01-01T00:00:00Z".parse().expect("a time"),
            to: None,
            room: None,
            at_most: 100,
            per_hour: 60,
            budget_usd: None,
            anew: false,
            driver: Driver::Command,
            by: "ana".to_owned(),
        }
    }

    async fn begin(&self, new: &NewReplay) -> Replay {
        let begun = self.replays.begin(new).await.expect("it is asked");
        begun.expect("it begins")
    }

    async fn tick(&self, replay: &Replay) -> Ticked {
        self.replays.tick(&replay.id).await.expect("it ticks")
    }

    async fn items(&self, replay: &Replay) -> Vec<ReplayItem> {
        let items = self.replays.shadow.store.replay_items(&replay.id).await;
        items.expect("a list")
    }

    async fn row(&self, replay: &Replay) -> Replay {
        let found = self.replays.find(&replay.id).await.expect("a read");
        found.expect("it is there")
    }

    /// Ends what runs, and lets a minute pass, until nothing more happens.
    async fn to_the_end(&self, replay: &Replay) {
        for _ in 0..50 {
            if self.tick(replay).await == Ticked::Over {
                return;
            }
            self.engine.end_all("COMPLETED");
            self.pass(60);
        }
        panic!("it never ends");
    }

    async fn leave(self) {
        self.replays.shadow.store.close().await;
        self.reflector.remove().await;
        drop(self.folder);
    }
}

fn states(items: &[ReplayItem]) -> Vec<ItemState> {
    items.iter().map(|item| item.state).collect()
}

#[tokio::test]
async fn past_recordings_are_run_and_compared_so_many_an_hour() {
    let Some(world) = World::of(3).await else {
        return;
    };
    let replay = world.begin(&World::wanted()).await;
    assert_eq!(world.tick(&replay).await, Ticked::Going);
    assert_eq!(world.items(&replay).await.len(), 3, "they are found");
    world.tick(&replay).await;
    world.tick(&replay).await;
    assert_eq!(world.engine.started(), ["t1"], "the next is not due");
    let tally = world.replays.tally(&replay).await.expect("a tally");
    assert_eq!((tally.waiting, tally.open), (2, 1));
    world.pass(60);
    world.tick(&replay).await;
    assert_eq!(world.engine.started(), ["t1", "t2"]);
    world.to_the_end(&replay).await;

    let items = world.items(&replay).await;
    assert_eq!(states(&items), [ItemState::Ended; 3]);
    let row = world.row(&replay).await;
    assert_eq!((row.state, row.reason.as_str()), (ReplayState::Ended, ""));
    let tally = world.replays.tally(&row).await.expect("a tally");
    assert_eq!((tally.compared, tally.percent()), (3, 100));
    let store = &world.replays.shadow.store;
    for item in &items {
        let run = store.run(item.run.as_ref().expect("a run")).await;
        let run = run.expect("a read").expect("it is there");
        assert_eq!((run.origin, run.epoch), (Origin::Replay, None));
        assert_eq!(run.state, RunState::Completed);
        assert_eq!(run.control_id, item.control_id);
        assert_eq!(run.subject.transcript.title, None, "as before the control");
        let verdict = store.newest_verdict(&run.id).await.expect("a read");
        assert_eq!(verdict.map(|(verdict, _)| verdict), item.verdict);
    }
    world.leave().await;
}

#[tokio::test]
async fn the_controller_drives_what_was_begun_with_it_and_leaves_commands_their_own() {
    let Some(world) = World::of(2).await else {
        return;
    };
    let own = world.begin(&World::wanted()).await;
    assert_eq!(world.replays.drive().await.expect("it drives"), 0);
    assert!(world.items(&own).await.is_empty(), "a command drives it");
    let cancelled = world.replays.cancel(&own.id, "ana").await;
    cancelled.expect("it is asked").expect("it is cancelled");

    let mut new = World::wanted();
    new.driver = Driver::Controller;
    let replay = world.begin(&new).await;
    let nothing = world
        .replays
        .pause(&replay.id, "bo")
        .await
        .expect("it is asked");
    let refused = nothing
        .expect_err("it still looks for recordings")
        .to_string();
    assert!(
        refused.contains("only one under way is paused"),
        "{refused}"
    );
    for _ in 0..2 {
        assert_eq!(world.replays.drive().await.expect("it drives"), 1);
    }
    assert_eq!(world.engine.started(), ["t1"]);
    let paused = world
        .replays
        .pause(&replay.id, "bo")
        .await
        .expect("it is asked");
    assert_eq!(paused.expect("it is paused").reason, "bo paused it");
    world.pass(60);
    assert_eq!(
        world.replays.drive().await.expect("it drives"),
        1,
        "what is under way"
    );
    world.engine.end_all("COMPLETED");
    world.replays.drive().await.expect("it drives");
    assert_eq!(world.replays.drive().await.expect("it drives"), 0);
    assert_eq!(world.engine.started(), ["t1"], "nothing more is started");
    let by = ("bo", Driver::Controller);
    let resumed = world.replays.resume(&replay.id, (None, None), by).await;
    resumed.expect("it is asked").expect("it goes on");
    for _ in 0..5 {
        world.pass(60);
        world.replays.drive().await.expect("it drives");
        world.engine.end_all("COMPLETED");
    }
    assert_eq!(world.row(&replay).await.state, ReplayState::Ended);
    assert_eq!(world.engine.started(), ["t1", "t2"], "none twice");
    world.leave().await;
}

#[tokio::test]
async fn what_cannot_be_compared_is_skipped_and_says_why() {
    let Some(mut world) = World::of(6).await else {
        return;
    };
    world
        .reflector
        .change(
            r#"update transcript set topics = replace(topics::text, '"speaker":0', '"speaker":7')::json where id = 't1';
               update transcript set audio_deleted = true where id = 't2';
               update recording set id = 'r-without-tracks' where id = 'r4';
               update transcript set recording_id = 'r-without-tracks' where id = 't4';
               insert into meeting (id, room_name, room_url, host_room_url, start_date, end_date)
                   select 'denied', room_name, room_url, host_room_url, start_date, end_date from meeting limit 1;
               insert into meeting_consent (id, meeting_id, consent_given, consent_timestamp)
                   values ('no', 'denied', false, now());
               update recording set meeting_id = 'denied' where id = 'r3'"#,
        )
        .await;
    let replay = world.begin(&World::wanted()).await;
    world.tick(&replay).await;
    // Processed again since it was found, and gone since.
    world
        .reflector
        .change(
            "update transcript set status = 'processing' where id = 't5';
             delete from transcript where id = 't6'",
        )
        .await;
    world.to_the_end(&replay).await;
    let why: Vec<_> = world
        .items(&replay)
        .await
        .iter()
        .map(|item| item.skipped)
        .collect();
    let expected = [
        Skipped::Edited,
        Skipped::AudioDeleted,
        Skipped::ConsentDenied,
        Skipped::TracksGone,
        Skipped::NotFinished,
        Skipped::Gone,
    ];
    assert_eq!(why, expected.map(Some));
    assert!(world.engine.started().is_empty());
    world.leave().await;
}

#[tokio::test]
async fn a_process_that_dies_anywhere_starts_nothing_twice() {
    let Some(world) = World::of(2).await else {
        return;
    };
    let replay = world.begin(&World::wanted()).await;
    world.tick(&replay).await;
    world.tick(&replay).await;
    // As if it had died between starting the run and noting it.
    let item = world.items(&replay).await.remove(0);
    let url = format!(
        "sqlite:{}",
        world.folder.path().join("switchyard.db").display()
    );
    let forget = "update replay_items set state = 'waiting', run_id = null, started_at = null";
    execute(&url, forget).await;

    let mut other = world.replays.clone();
    other.holder = "another".to_owned();
    let ticked = other.tick(&replay.id).await.expect("it ticks");
    assert_eq!(ticked, Ticked::Elsewhere, "the first may still live");
    world.pass(60);
    let ticked = other.tick(&replay.id).await.expect("it ticks");
    assert_eq!(ticked, Ticked::Going);
    let items = world.items(&replay).await;
    assert_eq!(items[0].run, item.run, "the run there was is taken up");
    assert_eq!(items[0].control_id, item.control_id);
    assert_eq!(world.engine.started(), ["t1"]);
    let ticked = world.tick(&replay).await;
    assert_eq!(ticked, Ticked::Elsewhere, "now the other one is at it");
    other.leave(&replay.id).await.expect("it leaves");
    world.to_the_end(&replay).await;
    assert_eq!(world.engine.started(), ["t1", "t2"]);
    world.leave().await;
}

async fn execute(url: &str, sql: &'static str) {
    use sqlx::Connection;
    let mut connection = sqlx::AnyConnection::connect(url)
        .await
        .expect("it is there");
    let executed = sqlx::query(sql).execute(&mut connection).await;
    executed.expect("it is SQL");
}

#[tokio::test]
async fn a_budget_stops_a_replay_and_a_greater_one_lets_it_go_on() {
    let Some(world) = World::of(4).await else {
        return;
    };
    let mut wanted = World::wanted();
    wanted.budget_usd = Some(2.5);
    let replay = world.begin(&wanted).await;
    let store = world.replays.shadow.store.clone();
    // Each costs a dollar.
    for _ in 0..20 {
        let ticked = world.tick(&replay).await;
        for item in world.items(&replay).await {
            if let (ItemState::Started, Some(run)) = (item.state, &item.run) {
                let used = [usage(UsageKind::GpuSeconds, "whisper", 1.0)];
                let noted = store.note_usage(run, "transcribe_track_0", run.as_str(), &used);
                noted.await.expect("it is noted");
            }
        }
        world.engine.end_all("COMPLETED");
        world.pass(60);
        if ticked == Ticked::Over {
            break;
        }
    }
    let row = world.row(&replay).await;
    assert_eq!(row.state, ReplayState::Stopped);
    assert!(
        row.reason.contains("its budget of 2.50 USD is spent"),
        "{}",
        row.reason
    );
    assert_eq!(
        world.engine.started(),
        ["t1", "t2"],
        "a third would be too much"
    );

    let bounds = (Some(3600), Some(10.0));
    let resumed = world
        .replays
        .resume(&replay.id, bounds, ("bo", Driver::Command))
        .await;
    assert_eq!(
        resumed.expect("an answer").expect("it goes on").per_hour,
        3600
    );
    world.to_the_end(&replay).await;
    assert_eq!(world.engine.started().len(), 4);
    assert_eq!(world.row(&replay).await.state, ReplayState::Ended);
    world.leave().await;
}

#[tokio::test]
async fn what_the_candidate_ran_on_before_is_left_alone_unless_wanted_anew() {
    let Some(world) = World::of(3).await else {
        return;
    };
    let shadow = &world.replays.shadow;
    for (transcript, effects) in [("t1", Effects::Shadow), ("t2", Effects::Live)] {
        let id = transcript.into();
        let subject = world.reflector.reflector.subject(&id, None, UI);
        let wanted = Wanted {
            environment: "staging".into(),
            flag: world.replays.about.flag.clone(),
            subject: subject.await.expect("a read").expect("it is there"),
            control_id: None,
            again: switchyard::controller::Again::Resume,
            effects,
            origin: Origin::Arrival,
        };
        let dispatched =
            switchyard::controller::dispatch(&shadow.store, &shadow.client, &wanted, world.now());
        dispatched.await.expect("it starts");
    }
    let replay = world.begin(&World::wanted()).await;
    world.to_the_end(&replay).await;
    let why =
        |items: Vec<ReplayItem>| -> Vec<_> { items.iter().map(|item| item.skipped).collect() };
    assert_eq!(
        why(world.items(&replay).await),
        [Some(Skipped::RanBefore), Some(Skipped::Served), None]
    );

    let mut anew = World::wanted();
    anew.anew = true;
    let replay = world.begin(&anew).await;
    world.to_the_end(&replay).await;
    assert_eq!(
        why(world.items(&replay).await),
        [None, Some(Skipped::Served), None]
    );
    assert_eq!(world.engine.started(), ["t1", "t2", "t3", "t1", "t3"]);
    world.leave().await;
}

#[tokio::test]
async fn nothing_is_replayed_where_nothing_runs_beside_the_control() {
    let Some(world) = World::of(2).await else {
        return;
    };
    let refused = async |position: Position| {
        world.flip(position).await;
        let refused = world.replays.begin(&World::wanted()).await;
        refused
            .expect("an answer")
            .expect_err("it is refused")
            .to_string()
    };
    assert_eq!(
        refused(Position::Infrastructure).await,
        "staging is in infrastructure, where the candidate runs on no past recordings; go on with `switchyard phase set parallel` first"
    );
    assert!(
        refused(Position::Draining)
            .await
            .contains("Celery is being taken away")
    );

    world.flip(Position::Shadow(Percent::ALL)).await;
    let replay = world.begin(&World::wanted()).await;
    world.tick(&replay).await;
    world.tick(&replay).await;
    world.flip(Position::Infrastructure).await;
    world.pass(60);
    world.tick(&replay).await;
    let row = world.row(&replay).await;
    assert_eq!(
        row.state,
        ReplayState::Stopped,
        "nor where nothing runs any more"
    );
    assert_eq!(world.engine.started(), ["t1"]);
    let resumed = world
        .replays
        .resume(&replay.id, (None, None), ("", Driver::Command))
        .await;
    let refusal = resumed.expect("an answer").expect_err("it is refused");
    assert!(matches!(refusal, NoReplay::Position { .. }));
    world.leave().await;
}

#[tokio::test]
async fn a_cancelled_replay_starts_nothing_more() {
    let Some(world) = World::of(2).await else {
        return;
    };
    let replay = world.begin(&World::wanted()).await;
    world.tick(&replay).await;
    world.tick(&replay).await;
    let cancelled = world.replays.cancel(&replay.id, "bo").await;
    assert_eq!(
        cancelled
            .expect("an answer")
            .expect("it is cancelled")
            .reason,
        "bo cancelled it"
    );
    world.pass(60);
    assert_eq!(world.tick(&replay).await, Ticked::Going, "one is under way");
    world.engine.end_all("COMPLETED");
    assert_eq!(world.tick(&replay).await, Ticked::Over);
    assert_eq!(
        states(&world.items(&replay).await),
        [ItemState::Ended, ItemState::Waiting]
    );
    let again = world
        .replays
        .resume(&replay.id, (None, None), ("bo", Driver::Command))
        .await;
    let refusal = again.expect("an answer").expect_err("it is over");
    assert!(refusal.to_string().contains("is cancelled"));
    let unknown = world.replays.cancel("rpl_none", "bo").await;
    assert!(matches!(
        unknown.expect("an answer"),
        Err(NoReplay::Unknown(_))
    ));
    world.leave().await;
}

#[tokio::test]
async fn without_prices_there_is_no_budget() {
    let Some(mut world) = World::of(1).await else {
        return;
    };
    world.replays.shadow.prices = Arc::new(PriceTable { prices: Vec::new() });
    let mut wanted = World::wanted();
    wanted.budget_usd = Some(1.0);
    let refused = world.replays.begin(&wanted).await.expect("an answer");
    assert_eq!(refused, Err(NoReplay::NoPrices("staging".to_owned())));
    wanted.budget_usd = None;
    wanted.per_hour = 0;
    let refused = world.replays.begin(&wanted).await.expect("an answer");
    assert_eq!(refused, Err(NoReplay::Nothing("`--rate`")));
    world.leave().await;
}
