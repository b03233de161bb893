//! What routing costs: `cargo bench --bench routing`.
//!
//! How long a decision takes, rules read and route pinned, beside an empty store and beside 100,000 open
//! routes with a run each; how long until several routers see a flip; and how often a second flags are
//! evaluated over loopback. On SQLite, and on PostgreSQL where `SWITCHYARD_TEST_POSTGRES` names a server.

#[allow(dead_code, reason = "tests use the rest")]
#[path = "../tests/support/database.rs"]
mod database;
#[allow(dead_code, reason = "other benchmarks use the rest")]
mod parts;
#[allow(dead_code, reason = "tests use the rest")]
#[path = "../tests/it/phases.rs"]
mod phases;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::Executor;
use switchyard::{
    compare::Policy,
    conductor::{Client, ClientConfig},
    controller::{
        Mending, Mover, Notices, Recent, Retention, Reviews, Shadow, Sound,
        access::Access,
        intake::{Budget, Intake, Standing},
    },
    cost::PriceTable,
    http,
    model::{Bounds, EnvironmentName, FlagName, HealthLimits, RetentionDays},
    rollout::{
        Keys, Known, Percent, Position, Says, Surroundings, Whose,
        rules::{Change, Signed},
        salt,
    },
    store::{About, Arrival, Store, Way, Wish},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use parts::{ms, quantile};

use database::{Database, Kind};

const ENVIRONMENT: &str = "bench";
const DECISIONS: usize = 2000;
const OPEN: usize = 100_000;
const ROUTERS: usize = 8;
const FLIPS: usize = 50;
const EVALUATIONS: usize = 10_000;
const AT_ONCE: usize = 16;

#[tokio::main]
async fn main() {
    switchyard::app::prepare();
    for (name, kind) in [("SQLite", Kind::Sqlite), ("PostgreSQL", Kind::Postgres)] {
        let Some(database) = Database::fresh(kind).await else {
            continue;
        };
        let store = database.store().await;
        println!("routing on {name}:");
        let half = Percent::from_hundredths(5000).expect("it is below 100");
        phases::put(&store, ENVIRONMENT, Position::Cutover(half), now()).await;
        write_rules(&store).await;
        let empty = decide(&store, "empty").await;
        told("a decision beside an empty store", &empty);
        fill(&database, kind).await;
        let full = decide(&store, "full").await;
        told(
            &format!("a decision beside {OPEN} open routes and runs"),
            &full,
        );
        let [p50, p99] = [0.5, 0.99].map(|share| {
            let [empty, full] = [&empty, &full].map(|all| quantile(all, share));
            ms(full) / ms(empty)
        });
        println!("  {p50:.2} times as long at p50, {p99:.2} times at p99");
        flip(&database).await;
        evaluate(&store).await;
        store.close().await;
        database.remove().await;
    }
}

/// Twenty rules and two cohorts of fifty rooms, as far as the second of which cutover reaches.
async fn write_rules(store: &Store) {
    let rooms = |from: usize| (from..from + 50).map(|number| format!("room-{number}"));
    let cohort =
        |name: &str, from: usize| json!({ "name": name, "rooms": rooms(from).collect::<Vec<_>>() });
    let cohorts = json!([cohort("internal", 0), cohort("friends", 50)]);
    let cohorts = serde_json::from_value(cohorts).expect("cohorts");
    let mut changes = vec![
        Change::Cohorts(cohorts),
        Change::Reach("friends".to_owned()),
    ];
    changes.extend((0..20).map(|number| Change::Say {
        whose: Whose::Room,
        key: format!("room-{}", number * 7),
        says: Says::Exclude,
    }));
    let signed = Signed {
        by: "bench".to_owned(),
        reason: "to measure".to_owned(),
        at: now(),
    };
    for change in changes {
        let about = phases::about(ENVIRONMENT);
        let made = store.change_rules(&about, &change, &signed, None).await;
        made.expect("the store answers").expect("it is made");
    }
}

/// How long decisions take, sorted.
async fn decide(store: &Store, name: &str) -> Vec<Duration> {
    let (environment, flag) = (environment(), flag());
    let salt = salt(&environment, &flag);
    let mut all = Vec::with_capacity(DECISIONS);
    for number in 0..DECISIONS {
        let arrival = Arrival {
            environment: environment.clone(),
            flag: flag.clone(),
            task_id: format!("{name}-{number}"),
            transcript: format!("{name}-{number}").as_str().into(),
            bucket_name: "daily-recordings".to_owned(),
            track_keys: vec!["a".to_owned(), "b".to_owned()],
            wish: Wish::Once,
            way: Way::Http,
        };
        let keys = Keys::Known(Known {
            recording: format!("{name}-{number}").as_str().into(),
            room: Some(format!("room-{}", number % 150).as_str().into()),
            without_webhook: false,
        });
        let began = Instant::now();
        let pinned = store.arrive(&arrival, &keys, None, &salt, now()).await;
        all.push(began.elapsed());
        assert!(pinned.expect("it is pinned").is_new, "it is a new one");
    }
    all.sort();
    all
}

/// Open routes with a run each.
async fn fill(database: &Database, kind: Kind) {
    let began = Instant::now();
    let mut connection = database.connect().await;
    let numbers =
        format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {OPEN})");
    let runs = format!(
        "insert into runs (id, environment, flag, recording_id, transcript_id, generation, pipeline,
            phase, subject, cache_scope, state, started_at, start_tried_at)
         {numbers} select 'run_' || i, '{ENVIRONMENT}', '{flag}', 'open-' || i, 'open-' || i, 1,
            'candidate', 'shadow', '{{}}', '', 'running', 1760954400000 + i, 1760954400000 from n",
        flag = flag()
    );
    let routes = format!(
        "insert into routes (environment, flag, transcript_id, generation, recording_id, room_id,
            bucket_name, track_keys, owner, beside, phase, percent, bucket, drawn, reason, way,
            task_id, state, arrived_at, run_id)
         {numbers} select '{ENVIRONMENT}', '{flag}', 'open-' || i, 1, 'open-' || i, 'room-' || i, 'b',
            '[]', 'control', 'candidate', 'shadow', 10000, 1, 1, 'bench', 'tap', 'open-' || i, 'open',
            1760954400000 + i, 'run_' || i from n",
        flag = flag()
    );
    for sql in [runs, routes] {
        let filled = connection.execute(sqlx::AssertSqlSafe(sql)).await;
        filled.expect("rows are written");
    }
    if kind == Kind::Postgres {
        connection.execute("analyze").await.expect("it is analysed");
    }
    println!(
        "  {OPEN} open routes and runs written in {:.1} s",
        began.elapsed().as_secs_f64()
    );
}

/// How long it takes from a flip's beginning until every router decides by it.
async fn flip(database: &Database) {
    let mut routers = Vec::new();
    for _ in 0..ROUTERS {
        routers.push(database.store().await);
    }
    let mut all = Vec::with_capacity(FLIPS);
    for number in 0..FLIPS {
        let percent = Percent::from_hundredths(5001 + u16::try_from(number).expect("some"));
        let position = Position::Cutover(percent.expect("it is below 100"));
        let watching: Vec<_> = routers
            .iter()
            .map(|router| tokio::spawn(until(router.clone(), position)))
            .collect();
        let began = Instant::now();
        phases::put(&routers[0], ENVIRONMENT, position, now()).await;
        for seen in watching {
            let seen = seen.await.expect("it sees it");
            all.push(seen.duration_since(began));
        }
    }
    all.sort();
    told(
        &format!("a flip until {ROUTERS} routers decide by it"),
        &all,
    );
    for router in routers {
        router.close().await;
    }
}

async fn until(router: Store, position: Position) -> Instant {
    loop {
        let standing = router.standing(&environment(), &flag(), now()).await;
        if standing.expect("it is read").phase.position == position {
            return Instant::now();
        }
    }
}

async fn evaluate(store: &Store) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let router = http::router(state(store, stop.clone()));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let url = format!("http://{address}/ofrep/v1/evaluate/flags/{}", flag());
    let client = reqwest::Client::new();
    let began = Instant::now();
    let asking: Vec<_> = (0..AT_ONCE)
        .map(|asker| tokio::spawn(ask(client.clone(), url.clone(), asker)))
        .collect();
    let mut all = Vec::with_capacity(EVALUATIONS);
    let mut in_doubt = 0;
    for asked in asking {
        let (took, doubts) = asked.await.expect("it asks");
        all.extend(took);
        in_doubt += doubts;
    }
    let took = began.elapsed().as_secs_f64();
    all.sort();
    println!(
        "  {:.0} flags a second, {AT_ONCE} at once, {in_doubt} in doubt",
        all.len() as f64 / took
    );
    told("a flag over loopback", &all);
    stop.cancel();
    serving.abort();
}

/// How long each answer took, and how many were in doubt.
async fn ask(client: reqwest::Client, url: String, asker: usize) -> (Vec<Duration>, usize) {
    let mut in_doubt = 0;
    let mut all = Vec::with_capacity(EVALUATIONS / AT_ONCE);
    for number in 0..EVALUATIONS / AT_ONCE {
        let context = json!({ "targetingKey": format!("{asker}-{number}"),
            "room_id": format!("room-{}", number % 150) });
        let began = Instant::now();
        let answer = client.post(&url).json(&json!({ "context": context }));
        let answer = answer.send().await.expect("it answers");
        let told: serde_json::Value = answer.json().await.expect("JSON");
        all.push(began.elapsed());
        in_doubt += usize::from(told["reason"] == "ERROR");
    }
    (all, in_doubt)
}

fn mover(store: &Store) -> Mover {
    Mover {
        about: About {
            environment: environment(),
            flag: flag(),
            epoch: String::new(),
            after: None,
            gate: switchyard::gate::Rules::default(),
        },
        store: store.clone(),
        bounds: Bounds::default(),
        around: Arc::new(|| {
            Box::pin(async {
                Surroundings {
                    may_serve: Ok(()),
                    celery_waiting: None,
                }
            })
        }),
        prices: Arc::default(),
        clock: Arc::new(now),
        looked: Recent::default(),
    }
}

fn state(store: &Store, shutdown: CancellationToken) -> http::State {
    let nowhere = "http://127.0.0.1:1/api".parse().expect("a URL");
    let client = Client::new(ClientConfig::new(nowhere)).expect("a client");
    let shadow = Shadow {
        environment: environment(),
        store: store.clone(),
        client: client.clone(),
        policy: Arc::new(Policy::shipped()),
        prices: Arc::new(PriceTable::default()),
        meaning: None,
        telling: None,
        versions: "versions".into(),
        clock: Arc::new(now),
    };
    let intake = Intake {
        environment: environment(),
        flag: flag(),
        store: store.clone(),
        client,
        reflector: None,
        ui_base_url: String::new(),
        celery: None,
        watcher: None,
        mixes: Arc::new(|_| Box::pin(async { Ok(None) })),
        budget: Budget::default(),
        clock: Arc::new(now),
        news: Arc::default(),
        standing: Standing::default(),
    };
    let mover = mover(store);
    let reviews = Reviews {
        about: mover.about.clone(),
        store: store.clone(),
        salt: String::new(),
        clock: Arc::new(now),
        recent: Recent::default(),
    };
    // Nobody kept any sound.
    let sound = Sound {
        environment: environment(),
        store: store.clone(),
        consent: None,
        look: Arc::new(|_| Box::pin(async { Ok(None) })),
        read: Arc::new(|_, _| Box::pin(async { anyhow::bail!("there is nothing to read") })),
        patience: Duration::from_secs(10),
    };
    let notices = Notices {
        about: mover.about.clone(),
        store: store.clone(),
        targets: Vec::new(),
        console: String::new(),
        holder: String::new(),
        clock: Arc::new(now),
        left_alone: Arc::default(),
    };
    let retention = Retention {
        about: mover.about.clone(),
        store: store.clone(),
        days: RetentionDays::default(),
        holder: String::new(),
        clock: Arc::new(now),
    };
    http::State {
        notices,
        retention,
        access: Access::new(mover.about.clone(), store.clone(), Arc::new(now), None),
        mending: Mending {
            shadow: shadow.clone(),
            giving_back: Err("there is no Celery".to_owned()),
        },
        shadow,
        intake,
        mover,
        reviews,
        sound,
        health: HealthLimits::default(),
        replays: None,
        settings: Arc::new(json!({})),
        examine: Arc::new(|| Box::pin(async { anyhow::bail!("there is nothing to try") })),
        metering: http::Metering::new(None, None),
        patience: http::Patience::default(),
        shutdown,
    }
}

fn environment() -> EnvironmentName {
    EnvironmentName::new(ENVIRONMENT)
}

fn flag() -> FlagName {
    FlagName::new("daily_diarization_pipeline")
}

fn now() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().expect("a time")
}

fn told(what: &str, sorted: &[Duration]) {
    println!(
        "  {what}: p50 {:.2} ms, p99 {:.2} ms",
        ms(quantile(sorted, 0.5)),
        ms(quantile(sorted, 0.99))
    );
}
