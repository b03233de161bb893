//! What the tap costs: `cargo bench --bench tap`.
//!
//! 10,000 messages at full speed through taking, deciding (a routing row each) and handing on: none
//! may be lost, none overtake another. Then one message at a time, with a tap and without one in
//! the same run: what a message takes from its publisher to whom it is for. On SQLite, and on
//! PostgreSQL where `SWITCHYARD_TEST_POSTGRES` names a server; a `redis-server` has to be installed.

#[allow(dead_code, reason = "tests use the rest")]
#[path = "../tests/support/database.rs"]
mod database;
mod parts;
#[allow(dead_code, reason = "tests use the rest")]
#[path = "../tests/support/redis.rs"]
mod redis;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::redis::{AsyncConnectionConfig, aio::MultiplexedConnection};
use chrono::{DateTime, Utc};
use switchyard::{
    conductor::{Client, ClientConfig},
    controller::intake::{Budget, Celery, Intake, Standing, Tapping},
    legacy::celery::{Limits, Results, Tap, TapSettings},
    model::{EnvironmentName, FlagName},
    store::Store,
};
use tokio_util::sync::CancellationToken;

use database::{Database, Kind};
use parts::{message, ms, quantile, queue};
use redis::Redis;

const MESSAGES: usize = 10_000;
const SAMPLES: usize = 1000;

/// How long Redis may take, a message waited for included.
const PATIENCE: Duration = Duration::from_mins(2);

#[tokio::main]
async fn main() {
    switchyard::app::prepare();
    for (name, kind) in [("SQLite", Kind::Sqlite), ("PostgreSQL", Kind::Postgres)] {
        let (Some(redis), Some(database)) = (Redis::fresh().await, Database::fresh(kind).await)
        else {
            continue;
        };
        let store = database.store().await;
        println!("routing rows on {name}:");
        full_speed(&redis, &store).await;
        one_by_one(&redis, &store).await;
        store.close().await;
        database.remove().await;
    }
}

async fn full_speed(redis: &Redis, store: &Store) {
    let texts: Vec<String> = (0..MESSAGES)
        .map(|number| message(&format!("t{number}"), "switchyard"))
        .collect();
    for chunk in texts.chunks(1000) {
        let chunk: Vec<&[u8]> = chunk.iter().map(String::as_bytes).collect();
        let _: u64 = redis.ask("LPUSH", "switchyard", &chunk).await;
    }
    let mut tapping = tapping(redis, store);
    let began = Instant::now();
    while !tapping.tick().await.expect("the tap works").is_idle() {}
    let took = began.elapsed();
    let arrived = redis.texts("celery").await;
    assert_eq!(arrived.len(), MESSAGES, "messages were lost");
    let expected = texts.iter().map(|text| handed_on(text));
    assert!(
        arrived.iter().cloned().eq(expected),
        "messages changed places"
    );
    let _: u64 = redis.ask("DEL", "celery", &[]).await;
    let environment = EnvironmentName::new("bench");
    let pinned = store.recent_routes(&environment, i64::MAX).await;
    let in_doubt = MESSAGES - pinned.expect("routes are read").len();
    println!(
        "  {MESSAGES} messages in {:.1} s, {:.0} a second; none lost, none reordered, {in_doubt} handed on in doubt",
        took.as_secs_f64(),
        MESSAGES as f64 / took.as_secs_f64()
    );
}

async fn one_by_one(redis: &Redis, store: &Store) {
    let client = ::redis::Client::open(&*redis.url).expect("a URL");
    let mut connections = Vec::new();
    for _ in 0..2 {
        let patient = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let connection = client.get_multiplexed_async_connection_with_config(&patient);
        connections.push(connection.await.expect("a connection"));
    }
    let [publisher, worker] = &mut connections[..] else {
        unreachable!("there are two");
    };
    let direct = samples(publisher, worker, &redis.key("celery"), redis).await;

    let stop = CancellationToken::new();
    let running = tokio::spawn(tapping(redis, store).run(stop.clone()));
    let tapped = samples(publisher, worker, &redis.key("switchyard"), redis).await;
    stop.cancel();
    running.await.expect("the tap stops");

    for (what, share) in [("p50", 0.5), ("p99", 0.99)] {
        let [direct, tapped] = [&direct, &tapped].map(|all| quantile(all, share));
        println!(
            "  {what}: {:.2} ms without a tap, {:.2} ms with: {:.2} ms added, {:.1} times as long",
            ms(direct),
            ms(tapped),
            ms(tapped.saturating_sub(direct)),
            ms(tapped) / ms(direct)
        );
    }
}

/// How long messages pushed on `list` take to come off the legacy queue, sorted.
async fn samples(
    publisher: &mut MultiplexedConnection,
    worker: &mut MultiplexedConnection,
    list: &str,
    redis: &Redis,
) -> Vec<Duration> {
    let legacy = redis.key("celery");
    let mut all = Vec::with_capacity(SAMPLES);
    for number in 0..SAMPLES {
        let text = message(&format!("{list}-{number}"), "switchyard");
        let mut push = ::redis::cmd("LPUSH");
        push.arg(list).arg(&text);
        let mut pop = ::redis::cmd("BRPOP");
        pop.arg(&legacy).arg(10);
        let began = Instant::now();
        let popped = pop.query_async::<Option<(String, String)>>(worker);
        let pushed = push.query_async::<u64>(publisher);
        let (popped, pushed) = tokio::join!(popped, pushed);
        all.push(began.elapsed());
        pushed.expect("it is published");
        let (_, arrived) = popped.expect("Redis answers").expect("it arrives");
        assert!(
            arrived == text || arrived == handed_on(&text),
            "it is another"
        );
    }
    all.sort();
    all
}

fn tapping(redis: &Redis, store: &Store) -> Tapping {
    let settings = TapSettings::new(queue("switchyard"), queue("celery"));
    let tap = Tap::new(redis.broker(), settings).expect("two queues");
    Tapping::new(tap, intake(redis, store))
}

fn intake(redis: &Redis, store: &Store) -> Intake {
    let now: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().expect("a time");
    let nowhere = "http://127.0.0.1:1/api".parse().expect("a URL");
    let results = Results::new(&redis.location(), &redis.prefix, Limits::default());
    Intake {
        environment: EnvironmentName::new("bench"),
        flag: FlagName::new("daily_diarization_pipeline"),
        store: store.clone(),
        client: Client::new(ClientConfig::new(nowhere)).expect("a client"),
        reflector: None,
        ui_base_url: String::new(),
        celery: Some(Celery {
            broker: redis.broker(),
            results: results.expect("it is not connected yet"),
            from: queue("switchyard"),
        }),
        watcher: None,
        mixes: Arc::new(|_| Box::pin(async { Ok(None) })),
        budget: Budget::default(),
        clock: Arc::new(move || now),
        news: Arc::default(),
        standing: Standing::default(),
    }
}

/// The message as the tap hands it on.
fn handed_on(text: &str) -> String {
    text.replace(
        r#""routing_key": "switchyard""#,
        r#""routing_key": "celery""#,
    )
}
