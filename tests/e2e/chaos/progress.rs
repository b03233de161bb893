//! What is known while it goes on: how many recordings are settled, what customers got; and the
//! operator, who dispatches again what failed for good.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use sqlx::{Executor, PgConnection, Row};
use switchyard::{
    config::Config,
    controller::{self, Again, Wanted, health},
    gate::Rules,
    legacy::celery::Envelope,
    model::{EnvironmentName, Origin, RunId},
    rollout::BreakerState,
    sandbox::{Recorded, Service},
    store::{About, Effects, Store},
};

use super::place::Place;
use crate::world::clock;

/// A delivery of a webhook as the stand-in saw it.
#[derive(Clone)]
pub struct Delivery {
    pub transcript: String,
    pub event_id: String,
    /// None where the answer was lost, or never given.
    pub status: Option<u16>,
}

#[derive(Default)]
pub struct Progress {
    /// Recordings that are served, one way or the other.
    pub settled: AtomicUsize,
    /// Runs that failed for good and were dispatched again.
    pub redispatched: AtomicU32,
    /// Every delivery, by the number of its request.
    deliveries: Mutex<BTreeMap<u64, Delivery>>,
    /// Deliveries known when the ledger had confirmed them already, by transcript.
    confirmed: Mutex<BTreeMap<String, usize>>,
}

const EVERY: Duration = Duration::from_millis(700);

/// A connection of old may hang with the server it was to.
const PATIENCE: Duration = Duration::from_secs(5);

impl Progress {
    /// Does not end.
    pub async fn follow(&self, place: &Place) {
        let store = place.store().await;
        let mut looks = tokio::time::interval(EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut ours = None;
        loop {
            looks.tick().await;
            let connection = match &mut ours {
                Some(connection) => connection,
                None => ours.insert(place.ours().await),
            };
            let looked = tokio::time::timeout(PATIENCE, self.look(place, connection, &store)).await;
            if !matches!(looked, Ok(Some(()))) {
                ours = None;
            }
        }
    }

    /// None where a server is away.
    async fn look(&self, place: &Place, ours: &mut PgConnection, store: &Store) -> Option<()> {
        let rows = ours
            .fetch_all("select transcript_id, id, state from runs")
            .await
            .ok()?;
        let mut settled = HashSet::new();
        for row in rows {
            let (transcript, id, state): (String, String, String) =
                (row.get(0), row.get(1), row.get(2));
            match state.as_str() {
                "completed" => drop(settled.insert(transcript)),
                "failed" | "terminated" => self.dispatch_again(place, store, &RunId::new(id)).await,
                _ => {}
            }
        }
        close_breaker(store).await;
        settled.extend(
            on_celery(place)
                .await?
                .into_iter()
                .map(|(transcript, _)| transcript),
        );
        self.settled.store(settled.len(), Ordering::Relaxed);

        // In this order: what comes after the ledger was read is one too many.
        let sql = "select r.transcript_id from effects e join runs r on r.id = e.run_id
            where e.kind = 'webhook' and e.state = 'confirmed'";
        let confirmed = ours.fetch_all(sql).await.ok()?;
        self.take_deliveries(place);
        let deliveries = self.deliveries();
        let mut known = self.confirmed.lock().expect("nobody panics with it");
        for row in confirmed {
            let transcript: String = row.get(0);
            let so_far = deliveries.iter().filter(|one| one.transcript == transcript);
            let count = so_far.count();
            known.entry(transcript).or_insert(count);
        }
        Some(())
    }

    async fn dispatch_again(&self, place: &Place, store: &Store, id: &RunId) {
        let Ok(Some(run)) = store.run(id).await else {
            return;
        };
        let wanted = Wanted {
            environment: run.environment,
            flag: run.flag,
            subject: run.subject,
            control_id: None,
            again: Again::Resume,
            effects: Effects::Live,
            origin: Origin::Arrival,
        };
        let dispatched = controller::dispatch(store, &place.client(), &wanted, clock()()).await;
        if let Ok(controller::Dispatched::Resumed(_)) = dispatched {
            self.redispatched.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The stand-in keeps the latest requests only.
    fn take_deliveries(&self, place: &Place) {
        let mut known = self.deliveries.lock().expect("nobody panics with it");
        for call in place.sandbox.requests_to(Service::Webhook) {
            known.insert(call.n, delivery(&call));
        }
    }

    /// Every delivery so far, in order of arrival.
    pub fn deliveries(&self) -> Vec<Delivery> {
        let known = self.deliveries.lock().expect("nobody panics with it");
        known.values().cloned().collect()
    }

    /// How many deliveries there were at most when the ledger was first seen to confirm one.
    pub fn confirmed_after(&self, transcript: &str) -> Option<usize> {
        let known = self.confirmed.lock().expect("nobody panics with it");
        known.get(transcript).copied()
    }
}

/// The operator closes a breaker that opened too often, once Conductor is seen to be well.
async fn close_breaker(store: &Store) {
    let about = About {
        environment: EnvironmentName::new("test"),
        flag: Config::flag(),
        epoch: String::new(),
        after: None,
        gate: Rules::default(),
    };
    let row = store.breaker(&about.environment).await;
    if let Ok(Some(row)) = row
        && row.breaker.state == BreakerState::Latched
    {
        let word = ("ops", "things break here all the time");
        // Refused while a look finds something wrong.
        drop(health::close(store, &about, word, clock()()).await);
    }
}

fn delivery(call: &Recorded) -> Delivery {
    let body: Value = serde_json::from_slice(&call.body).expect("it is JSON");
    let text = |value: &Value| value.as_str().expect("it is a text").to_owned();
    Delivery {
        transcript: text(&body["transcript"]["id"]),
        event_id: text(&body["event_id"]),
        status: call.status,
    }
}

/// The messages for Celery's workers: transcript and task of each. None where Redis is away.
pub async fn on_celery(place: &Place) -> Option<Vec<(String, String)>> {
    let client = redis::Client::open(place.redis.url()).ok()?;
    let mut link = client.get_multiplexed_async_connection().await.ok()?;
    let mut range = redis::cmd("LRANGE");
    range.arg("celery").arg(0).arg(-1);
    let found: Vec<String> = range.query_async(&mut link).await.ok()?;
    let read = |text: String| {
        let envelope = Envelope::parse(text).expect("a message");
        let body = envelope.body().expect("a body");
        let transcript = body.kwargs["transcript_id"].as_str().expect("a text");
        (transcript.to_owned(), envelope.id().to_owned())
    };
    Some(found.into_iter().map(read).collect())
}
