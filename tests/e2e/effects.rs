//! Effects under failure: each happens once, or is known not to have happened; and a run that lost
//! its recording does nothing any more.

use std::time::Duration;

use serde_json::Value;
use switchyard::{
    controller::{Again, GiveBack, Refusal},
    gateway::GatewayError,
    legacy::{
        celery::{Envelope, Limits, Queue},
        reflector::Publisher,
    },
    model::{EnvironmentName, FlagName, Object, Published, RunState},
    rollout::Live,
    sandbox::{Fault, FaultKind, Service},
    store::{Effects, Intent, IntentKind, Run, Stage},
};

use crate::{
    reflector::Side,
    world::{PATIENCE, Setup, World, clock, short_tracks},
};

/// A short meeting with Reflector's side.
async fn short(patience: Duration) -> Option<(World, Side)> {
    let side = Side::arrived("base").await?;
    let setup = Setup {
        tracks: Some(short_tracks()),
        patience,
        ..Setup::default()
    };
    let world = World::start_with(setup, Some(&side)).await;
    Some((world, side))
}

async fn end(world: World, side: Side) {
    world.end().await;
    side.remove().await;
}

async fn live_run(world: &World) -> Run {
    let dispatched = world.dispatch_as(Effects::Live, Again::Resume).await;
    world.ended(dispatched.run()).await
}

fn header<'a>(call: &'a switchyard::sandbox::Recorded, name: &str) -> &'a str {
    call.header(name).unwrap_or_default()
}

fn event_id(call: &switchyard::sandbox::Recorded) -> String {
    let body: Value = serde_json::from_slice(&call.body).expect("it is JSON");
    body["event_id"].as_str().expect("it has one").to_owned()
}

/// The states of all effects of a run.
async fn states(world: &World, run: &Run) -> Vec<String> {
    let ledger = world.store.ledger(&run.id).await.expect("a read");
    ledger.into_iter().map(|(state, _)| state).collect()
}

/// Promise 3: a post whose answer was lost is found, not sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zulip_post_whose_answer_was_lost_is_found_and_not_repeated() {
    let Some((world, mut side)) = short(PATIENCE).await else {
        return;
    };
    for (times, after_bytes) in [(1, 0), (2, 60)] {
        let fault = Fault::always(Service::Zulip, FaultKind::Cut { after_bytes });
        world.sandbox.fault(fault.about("post").times(times));
    }
    let run = live_run(&world).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    let posts = world.sandbox.requests_to(Service::Zulip);
    let posted = posts.iter().filter(|call| call.method == "POST").count();
    let looked = posts.iter().filter(|call| call.method == "GET").count();
    assert_eq!((posted, looked), (1, 1), "{posts:?}");
    assert_eq!(side.row("transcript").await["zulip_message_id"], 4242);
    assert_eq!(states(&world, &run).await, ["confirmed"]);
    end(world, side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zulip_that_was_too_busy_gets_the_post_once() {
    let Some((world, side)) = short(PATIENCE).await else {
        return;
    };
    let busy = FaultKind::Status {
        status: 429,
        retry_after: None,
        body: None,
    };
    let fault = Fault::always(Service::Zulip, busy).about("post");
    world.sandbox.fault(fault.times(2));
    let run = live_run(&world).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    let posts = world.sandbox.requests_to(Service::Zulip);
    let posted = posts.iter().filter(|call| call.method == "POST").count();
    assert_eq!(posted, 3, "two were turned away");
    end(world, side).await;
}

/// As in the legacy: a message that cannot be edited any more is posted anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_gone_is_posted_anew_and_noted() {
    let Some((mut world, mut side)) = short(PATIENCE).await else {
        return;
    };
    side.change("update transcript set zulip_message_id = 17")
        .await;
    world.subject.transcript.zulip_message_id = Some(17);
    let vary = world.sandbox.vary(Service::Zulip, Some("patch_invalid"));
    vary.expect("there is such an answer");
    let run = live_run(&world).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    let methods: Vec<_> = world.sandbox.requests_to(Service::Zulip);
    let methods: Vec<_> = methods.iter().map(|call| call.method.as_str()).collect();
    assert_eq!(methods, ["PATCH", "POST"]);
    assert_eq!(side.row("transcript").await["zulip_message_id"], 4242);
    end(world, side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_repeated_under_one_event_id_until_it_is_taken() {
    let Some((world, side)) = short(PATIENCE).await else {
        return;
    };
    for kind in [
        FaultKind::Cut { after_bytes: 0 },
        FaultKind::Status {
            status: 503,
            retry_after: None,
            body: None,
        },
        FaultKind::Status {
            status: 302,
            retry_after: None,
            body: None,
        },
    ] {
        world
            .sandbox
            .fault(Fault::always(Service::Webhook, kind).times(1));
    }
    let run = live_run(&world).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    let calls = world.sandbox.requests_to(Service::Webhook);
    let retries: Vec<_> = calls
        .iter()
        .map(|call| header(call, "x-webhook-retry"))
        .collect();
    assert_eq!(retries, ["0", "1", "2", "3"]);
    for call in &calls {
        assert_eq!(event_id(call), event_id(&calls[0]));
    }
    assert_eq!(states(&world, &run).await, ["confirmed"]);
    end(world, side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_who_refuses_is_not_asked_again() {
    let Some((world, side)) = short(PATIENCE).await else {
        return;
    };
    let vary = world.sandbox.vary(Service::Webhook, Some("gone"));
    vary.expect("there is such an answer");
    let run = live_run(&world).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    assert_eq!(world.requests_to(Service::Webhook), 1);
    end(world, side).await;
}

/// Reflector's users see that it failed, as with the legacy, and see it once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_run_that_fails_is_told_as_an_error_once() {
    let Some((world, mut side)) = short(PATIENCE).await else {
        return;
    };
    let broken = FaultKind::Status {
        status: 500,
        retry_after: None,
        body: None,
    };
    world.sandbox.fault(Fault::always(Service::Llm, broken));
    let run = live_run(&world).await;
    assert_eq!(run.state, RunState::Failed);
    let gateway = side.gateway(&world.store, &world.objects, &world.sandbox, clock());
    let environment = EnvironmentName::new("test");
    for _ in 0..3 {
        gateway
            .tell_failures_once(&environment)
            .await
            .expect("it looks");
    }
    assert_eq!(side.row("transcript").await["status"], "error");
    let told = |side: &Side| {
        let heard = side.heard().into_iter();
        heard
            .filter(|message| message.payload.contains("\"error\""))
            .count()
    };
    // On the transcript's channel and on its owner's.
    assert_eq!(told(&side), 2);
    assert_eq!(world.requests_to(Service::Zulip), 0);

    // Taken up again, it ends well, and pays for no transcription twice.
    world.sandbox.clear_faults();
    let paid = world.requests_to(Service::Transcription);
    let again = live_run(&world).await;
    assert_eq!(again.id, run.id);
    assert_eq!(again.state, RunState::Completed, "{:?}", again.failure);
    assert_eq!(world.requests_to(Service::Transcription), paid);
    assert_eq!(side.row("transcript").await["status"], "ended");
    assert_eq!(world.requests_to(Service::Webhook), 1);
    end(world, side).await;
}

/// Everything others can see.
#[derive(Debug, PartialEq)]
struct Seen {
    rows: Vec<Value>,
    heard: Vec<Published>,
    objects: Vec<Object>,
    calls: usize,
    waveform: Option<String>,
}

async fn seen(world: &World, side: &mut Side) -> Seen {
    let run_prefix = |object: &Object| object.key.starts_with("runs/");
    let mut objects = world.all_objects().await;
    // What a run keeps to itself is nobody's to see.
    objects.retain(|object| !run_prefix(object));
    Seen {
        rows: vec![side.row("transcript").await, side.row("recording").await],
        heard: side.heard(),
        objects,
        calls: world.requests_to(Service::Zulip) + world.requests_to(Service::Webhook),
        waveform: side.waveform(world.subject.transcript.id.as_str()),
    }
}

fn giving_back(world: &World, side: &Side) -> GiveBack {
    GiveBack {
        store: world.store.clone(),
        client: world.shadow.client.clone(),
        broker: side.redis.broker(),
        queue: Queue::new("legacy").expect("a name"),
        publisher: Some(Publisher::new(&side.redis.location(), Limits::default()).expect("it")),
        clock: clock(),
    }
}

async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        loop {
            looks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_mins(1), looking).await;
    found.expect("it comes to pass")
}

/// Fenced writer: a worker that was stalled while its recording was given back to Celery wakes up
/// and changes nothing: no row, no object, no message, no call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_worker_that_wakes_after_a_takeover_changes_nothing() {
    let Some((world, mut side)) = short(Duration::from_mins(1)).await else {
        return;
    };
    world
        .sandbox
        .fault(Fault::always(Service::Llm, FaultKind::Hang));
    let dispatched = world.dispatch_as(Effects::Live, Again::Resume).await;
    until(async || (world.requests_to(Service::Llm) > 0).then_some(())).await;
    let run = world
        .store
        .run(dispatched.run())
        .await
        .expect("a read")
        .expect("the run");

    let giving = giving_back(&world, &side);
    let gave = giving.give_back(&run, "Conductor is not well").await;
    let gave = gave.expect("it goes through").expect("it may");
    assert!(gave.published);
    let again = giving.give_back(&run, "Conductor is not well").await;
    let again = again.expect("it goes through").expect("it may");
    assert_eq!(
        (again.epoch, &again.task_id, again.published),
        (gave.epoch, &gave.task_id, false)
    );
    let messages = side.redis.texts("legacy").await;
    assert_eq!(
        messages.len(),
        1,
        "one task, however often it is given back"
    );
    let task = Envelope::parse(messages[0].as_str()).expect("a message");
    let body = task.body().expect("a body");
    assert_eq!(body.kwargs["transcript_id"], run.transcript_id.as_str());
    assert_eq!(
        body.kwargs["track_keys"],
        Value::from(run.subject.track_keys.clone())
    );

    let before = seen(&world, &mut side).await;
    world.sandbox.clear_faults();
    world.sandbox.release();
    until(async || {
        let attempts = world.attempts(&run.id).await;
        let is_over = attempts.iter().all(|attempt| attempt.status != "running");
        is_over.then_some(())
    })
    .await;
    assert_eq!(seen(&world, &mut side).await, before);
    let ended = world
        .store
        .run(&run.id)
        .await
        .expect("a read")
        .expect("the run");
    assert_eq!(ended.state, RunState::Terminated);
    end(world, side).await;
}

/// The same for each kind of effect, asked for with the proof the run held before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proof_of_an_earlier_epoch_opens_nothing() {
    let Some((world, mut side)) = short(Duration::from_mins(1)).await else {
        return;
    };
    world
        .sandbox
        .fault(Fault::always(Service::Llm, FaultKind::Hang));
    let dispatched = world.dispatch_as(Effects::Live, Again::Resume).await;
    until(async || (world.requests_to(Service::Llm) > 0).then_some(())).await;
    let store = &world.store;
    let run = store
        .run(dispatched.run())
        .await
        .expect("a read")
        .expect("the run");
    let (environment, flag) = (
        EnvironmentName::new("test"),
        FlagName::new("daily_diarization_pipeline"),
    );
    let owned = store
        .ownership(&environment, &flag, &run.recording_id)
        .await;
    let (ownership, stage) = owned.expect("a read").expect("it is owned");
    assert_eq!(stage, Stage::Open);
    let live = Live::of(&ownership, &run.id).expect("it is the owner");

    let transcript = run.transcript_id.as_str();
    let request = r#"{"method": "POST", "url": "https://zulip.example.test/api/v1/messages", "headers": [], "body": "to=x"}"#;
    let raw = &run.subject.recording.track_keys[0];
    let all = [
        (
            IntentKind::Column,
            "title".to_owned(),
            "\"Late\"".to_owned(),
        ),
        (IntentKind::Reset, "transcript".to_owned(), String::new()),
        (
            IntentKind::Message,
            format!("ts:{transcript}"),
            "{}".to_owned(),
        ),
        (IntentKind::Zulip, "zulip".to_owned(), request.to_owned()),
        (
            IntentKind::Webhook,
            "webhook".to_owned(),
            request.to_owned(),
        ),
        (
            IntentKind::PutObject,
            format!("reflector-transcripts/{transcript}/audio.mp3"),
            "1".to_owned(),
        ),
        (
            IntentKind::DeleteObject,
            format!("daily-recordings/{raw}"),
            String::new(),
        ),
        (
            IntentKind::PutFile,
            "audio.json".to_owned(),
            "[1.0]".to_owned(),
        ),
        (IntentKind::DeleteFile, "audio".to_owned(), String::new()),
    ];
    let named = |kind: IntentKind| format!("late_{}", kind.as_str());
    for (kind, target, content) in all.clone() {
        let intent = Intent {
            kind,
            target,
            content,
        };
        let reserved = store
            .reserve((&run, &live), &named(kind), &[intent], clock()())
            .await;
        reserved.expect("it is reserved while the run owns its recording");
    }
    let giving = giving_back(&world, &side);
    giving
        .give_back(&run, "taken over")
        .await
        .expect("it goes through")
        .expect("it may");
    let before = seen(&world, &mut side).await;

    let gateway = side.gateway(store, &world.objects, &world.sandbox, clock());
    for (kind, ..) in all {
        let delivered = gateway.deliver(&run, &live, &named(kind)).await;
        let is_fenced = matches!(delivered, Err(GatewayError::Fenced));
        assert!(is_fenced, "{}: {delivered:?}", kind.as_str());
    }
    assert_eq!(seen(&world, &mut side).await, before);
    end(world, side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ended_or_only_a_shadow_is_not_given_back() {
    let Some((world, side)) = short(PATIENCE).await else {
        return;
    };
    let giving = giving_back(&world, &side);
    let shadow = world.completed(Again::Resume).await;
    let refused = giving
        .give_back(&shadow, "no reason")
        .await
        .expect("it looks");
    assert_eq!(refused, Err(Refusal::Shadow(shadow.id.clone())));

    let dispatched = world.dispatch_as(Effects::Live, Again::Anew).await;
    let live = world.ended(dispatched.run()).await;
    assert_eq!(live.state, RunState::Completed, "{:?}", live.failure);
    let refused = giving
        .give_back(&live, "no reason")
        .await
        .expect("it looks");
    assert_eq!(refused, Err(Refusal::Finalized(live.id.clone())));
    assert!(side.redis.texts("legacy").await.is_empty());
    end(world, side).await;
}
