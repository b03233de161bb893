//! The embedded engine behind a proxy that fails as it is told.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use switchyard::{
    conductor::{Client, ClientConfig, RetryPolicy},
    controller::{
        health::{Health, Neighbour, Round},
        register,
    },
    model::{HealthLimits, TaskName},
    rollout::Layer,
    store::Store,
};

use crate::{
    engine::harness::{Server, own_store},
    faulty::{Fault, Faulty},
    intake::world::noon,
    phases,
};

/// An engine, what is between it and us, and who looks at it.
pub struct Between {
    pub store: Store,
    pub server: Server,
    pub health: Health,
    pub neighbour_is_down: Arc<AtomicBool>,
    proxy: Faulty,
    clock: Arc<Mutex<DateTime<Utc>>>,
    url: String,
    _folder: tempfile::TempDir,
}

pub fn limits() -> HealthLimits {
    HealthLimits {
        timeout_s: 1,
        canary_s: 2,
        ..HealthLimits::default()
    }
}

impl Between {
    /// With workers for every task kind, in cutover.
    pub async fn new() -> Self {
        let server = Server::embedded().await;
        let (store, folder) = own_store().await;
        let mut target = server.client.base_url().clone();
        target.set_path("");
        let (proxy, root) = Faulty::before(target.as_str()).await;
        let url = format!("{root}/api");
        let clock = Arc::new(Mutex::new(noon()));
        let neighbour_is_down = Arc::new(AtomicBool::new(false));
        let health = health(&store, &url, &clock, &neighbour_is_down);
        register(&server.client).await.unwrap();
        for kind in TaskName::ALL {
            let polled = server.client.poll(kind.as_str(), "a worker", None).await;
            assert!(polled.unwrap().is_none());
        }
        Self {
            store,
            server,
            health,
            neighbour_is_down,
            proxy,
            clock,
            url,
            _folder: folder,
        }
    }

    /// Another controller's.
    pub fn another(&self) -> Health {
        health(&self.store, &self.url, &self.clock, &self.neighbour_is_down)
    }

    pub fn fails(&self, fault: Fault) {
        self.proxy.fails(fault);
    }

    pub fn pass(&self, seconds: i64) {
        *self.clock.lock().unwrap() += TimeDelta::seconds(seconds);
    }

    pub fn now(&self) -> DateTime<Utc> {
        *self.clock.lock().unwrap()
    }

    /// Looks once, and lets the time until the next look pass.
    pub async fn look(&mut self) -> Round {
        let round = self
            .health
            .tick()
            .await
            .unwrap()
            .expect("nobody else looks");
        self.pass(limits().every_s);
        round
    }

    /// What is bad, by name.
    pub async fn bad(&self) -> HashMap<String, String> {
        let about = phases::about("staging");
        let probes = self.store.probes(&about.environment).await.unwrap();
        let bad = probes.into_iter().filter(|probe| !probe.ok);
        bad.map(|probe| (probe.name, probe.found)).collect()
    }
}

fn health(
    store: &Store,
    url: &str,
    clock: &Arc<Mutex<DateTime<Utc>>>,
    neighbour_is_down: &Arc<AtomicBool>,
) -> Health {
    let mut config = ClientConfig::new(url.parse().unwrap());
    config.request_timeout = Duration::from_secs(1);
    config.poll_margin = Duration::from_secs(1);
    config.retry = RetryPolicy {
        attempts: 1,
        ..RetryPolicy::default()
    };
    let (time, down) = (Arc::clone(clock), Arc::clone(neighbour_is_down));
    let neighbour = Neighbour {
        name: "language model",
        layer: Layer::Shared,
        reach: Arc::new(move || {
            let is_down = down.load(Ordering::Relaxed);
            Box::pin(async move {
                anyhow::ensure!(!is_down, "it answers 503");
                Ok("it answers".to_owned())
            })
        }),
    };
    Health::new(
        phases::about("staging"),
        store.clone(),
        Client::new(config).unwrap(),
        vec![neighbour],
        limits(),
        Arc::new(move || *time.lock().unwrap()),
    )
}
