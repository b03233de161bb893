//! What the control's users notice in `shadow` when Conductor swallows everything: `cargo bench --bench
//! black_hole`.
//!
//! 500 pairs of recordings arrive, one where Conductor answers and one where it takes connections and
//! never says a word, in changing order. Measured is what a message takes from its publisher to Celery's
//! queue, while runs beside are being started. The breaker is kept closed: it is the time before anybody
//! has noticed. Reflector's rows are read from PostgreSQL, so `SWITCHYARD_TEST_POSTGRES` has to name a
//! server, and a `redis-server` has to be installed.

#[allow(dead_code, reason = "tests use the rest")]
#[path = "../tests/support/database.rs"]
mod database;
mod parts;
#[allow(dead_code, reason = "tests use the rest")]
#[path = "../tests/it/phases.rs"]
mod phases;
#[allow(dead_code, reason = "tests use the rest")]
#[path = "../tests/support/redis.rs"]
mod redis;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ::redis::{AsyncConnectionConfig, aio::MultiplexedConnection};
use axum::{Router, routing::any};
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use switchyard::{
    conductor::{Client, ClientConfig},
    controller::intake::{Budget, Celery, Intake, Standing, Tapping},
    legacy::{
        celery::{Limits, Results, Tap, TapSettings},
        reflector::Reflector,
    },
    model::{EnvironmentName, FlagName},
    rollout::{Beside, Percent, Position},
    store::Store,
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use database::{Database, Kind};
use parts::{message, ms, quantile, queue};
use redis::Redis;

const PAIRS: usize = 500;

/// How long Redis may take, a message waited for included.
const PATIENCE: Duration = Duration::from_mins(2);

/// One environment in shadow, with its way in.
struct Side {
    name: &'static str,
    publisher: MultiplexedConnection,
    worker: MultiplexedConnection,
    took: Vec<Duration>,
}

#[tokio::main]
async fn main() {
    switchyard::app::prepare();
    let (Some(redis), Some(ours), Some(theirs)) = (
        Redis::fresh().await,
        Database::fresh(Kind::Postgres).await,
        Database::fresh(Kind::Postgres).await,
    ) else {
        return;
    };
    arrive(&theirs.url).await;
    let store = ours.store().await;
    let (stop, mut running) = (CancellationToken::new(), JoinSet::new());
    let started = Arc::new(AtomicU64::new(0));
    let (well, hole) = (well(Arc::clone(&started)).await, black_hole().await);
    let mut sides = Vec::new();
    for (name, conductor) in [("well", well), ("hole", hole)] {
        let now = now();
        let position = Position::Shadow(Percent::ALL);
        phases::put(&store, name, position, now).await;
        let intake = intake(name, &conductor, &redis, &store, &theirs.url);
        let settings = TapSettings::new(queue(name), queue(&format!("celery-{name}")));
        let tap = Tap::new(redis.broker(), settings).expect("two queues");
        running.spawn(Tapping::new(tap, intake.clone()).run(stop.clone()));
        running.spawn(intake.run(stop.clone()));
        sides.push(Side {
            name,
            publisher: connection(&redis).await,
            worker: connection(&redis).await,
            took: Vec::with_capacity(PAIRS),
        });
    }
    for number in 0..PAIRS {
        let mut order = [0, 1];
        order.rotate_left(number % 2);
        for at in order {
            sides[at].arrives(&redis, number).await;
        }
    }
    tell(&sides);
    let mut beside = [0; 2];
    for (count, side) in beside.iter_mut().zip(&sides) {
        let routes = store
            .recent_routes(&EnvironmentName::new(side.name), i64::MAX)
            .await;
        let routes = routes.expect("routes are read");
        *count = routes
            .iter()
            .filter(|route| route.beside == Beside::Candidate)
            .count();
    }
    println!(
        "  a candidate was wanted beside {} and {} of {PAIRS}; Conductor started {} runs, the black hole took the others",
        beside[0],
        beside[1],
        started.load(Ordering::Relaxed)
    );
    stop.cancel();
    running.join_all().await;
    store.close().await;
    ours.remove().await;
    theirs.remove().await;
}

impl Side {
    /// A recording is dispatched; waits until it is Celery's.
    async fn arrives(&mut self, redis: &Redis, number: usize) {
        let text = message(&format!("{}-{number}", self.name), self.name);
        let mut push = ::redis::cmd("LPUSH");
        push.arg(redis.key(self.name)).arg(&text);
        let mut pop = ::redis::cmd("BRPOP");
        pop.arg(redis.key(&format!("celery-{}", self.name))).arg(60);
        let began = Instant::now();
        let popped = pop.query_async::<Option<(String, String)>>(&mut self.worker);
        let pushed = push.query_async::<u64>(&mut self.publisher);
        let (popped, pushed) = tokio::join!(popped, pushed);
        self.took.push(began.elapsed());
        pushed.expect("it is published");
        popped.expect("Redis answers").expect("it arrives");
    }
}

fn tell(sides: &[Side]) {
    let [well, hole] = sides else {
        unreachable!("there are two");
    };
    println!("{PAIRS} pairs of starts in shadow, Conductor well and black-holed:");
    let sorted = |side: &Side| {
        let mut took = side.took.clone();
        took.sort();
        took
    };
    let (with, without) = (sorted(hole), sorted(well));
    for (what, share) in [("p50", 0.5), ("p99", 0.99)] {
        let (with, without) = (quantile(&with, share), quantile(&without, share));
        println!(
            "  {what}: {:.2} ms where it is well, {:.2} ms where it is black-holed: {:.2} times as long",
            ms(without),
            ms(with),
            ms(with) / ms(without)
        );
    }
    let pairs = hole.took.iter().zip(&well.took);
    let mut ratios: Vec<_> = pairs.map(|(hole, well)| ms(*hole) / ms(*well)).collect();
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    // The bounds of the median by order statistics, at 95 %: 250 and 22 to either side of 500.
    println!(
        "  median of the pairs' ratios {median:.3}, with 95 % between {:.3} and {:.3}",
        ratios[PAIRS / 2 - 23],
        ratios[PAIRS / 2 + 22]
    );
}

async fn connection(redis: &Redis) -> MultiplexedConnection {
    let client = ::redis::Client::open(&*redis.url).expect("a URL");
    let patient = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    let connection = client.get_multiplexed_async_connection_with_config(&patient);
    connection.await.expect("a connection")
}

/// A Conductor that starts what it is asked to, and knows of nothing else.
async fn well(started: Arc<AtomicU64>) -> String {
    let (listener, url) = listen().await;
    let start = any(async move || format!("workflow-{}", started.fetch_add(1, Ordering::Relaxed)));
    let routes = Router::new().route("/api/workflow", start);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

/// A Conductor that takes connections, and never says a word.
async fn black_hole() -> String {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            taken.push(connection);
        }
    });
    url
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/api", listener.local_addr().expect("an address"));
    (listener, url)
}

/// A moment ago, however long all this takes: the breaker counts as looked at just now.
fn now() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().expect("a time")
}

/// All recordings, as Reflector has them when they are dispatched.
async fn arrive(url: &str) {
    let mut theirs = PgConnection::connect(url).await.expect("the database");
    for sql in [
        include_str!("../tests/legacy/schema.sql"),
        include_str!("../tests/legacy/workflow_columns.sql"),
    ] {
        theirs.execute(sql).await.expect("the schema fits");
    }
    for name in ["well", "hole"] {
        let sql = format!(
            "insert into recording (id, bucket_name, object_key, recorded_at, status, track_keys)
             select 'recording-{name}-' || n, 'daily-recordings', 'example', now(), 'pending', '[]'
             from generate_series(0, {PAIRS} - 1) n;
             insert into transcript (id, name, status, locked, duration, created_at, topics, events,
                participants, source_language, target_language, audio_location, share_mode, reviewed,
                source_kind, recording_id)
             select '{name}-' || n, '', 'idle', false, 0, now(), '[]', '[]', '[]', 'en', 'en', 'local',
                'private', false, 'room', 'recording-{name}-' || n
             from generate_series(0, {PAIRS} - 1) n"
        );
        theirs
            .execute(AssertSqlSafe(sql))
            .await
            .expect("the rows fit");
    }
}

fn intake(name: &str, conductor: &str, redis: &Redis, store: &Store, theirs: &str) -> Intake {
    let now = now();
    let results = Results::new(&redis.location(), &redis.prefix, Limits::default());
    let conductor = conductor.parse().expect("a URL");
    Intake {
        environment: EnvironmentName::new(name),
        flag: FlagName::new("daily_diarization_pipeline"),
        store: store.clone(),
        client: Client::new(ClientConfig::new(conductor)).expect("a client"),
        reflector: Some(Reflector::open(theirs).expect("a URL")),
        ui_base_url: String::new(),
        celery: Some(Celery {
            broker: redis.broker(),
            results: results.expect("it is not connected yet"),
            from: queue(name),
        }),
        watcher: None,
        mixes: Arc::new(|_| Box::pin(async { Ok(None) })),
        budget: Budget::default(),
        clock: Arc::new(move || now),
        news: Arc::default(),
        standing: Standing::default(),
    }
}
