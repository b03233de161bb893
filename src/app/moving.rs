//! What it takes to move the migration of one environment.

use std::sync::Arc;

use super::App;
use crate::{
    config::Config,
    controller::{self, Around, Mover, Recent, Routing, gate_rules, intake::Celery},
    legacy::celery::Queue,
    model::EnvironmentName,
    rollout::Surroundings,
    store::About,
};

impl App {
    /// What questions and moves of this environment's migration are about.
    pub fn about(&self) -> anyhow::Result<About> {
        let policy = self.policy()?;
        Ok(About {
            environment: self.name.clone(),
            flag: Config::flag(),
            epoch: controller::epoch(&self.versions()?, &policy),
            after: self
                .environment
                .rollout
                .after
                .as_deref()
                .map(EnvironmentName::new),
            gate: gate_rules(&policy, &self.environment.gate),
        })
    }

    /// Moves this environment's migration.
    pub fn mover(&self) -> anyhow::Result<Mover> {
        Ok(Mover {
            about: self.about()?,
            store: self.store.clone(),
            bounds: self.environment.rollout.clone(),
            around: self.around()?,
            prices: Arc::new(self.prices()?),
            clock: Arc::clone(&self.clock),
            looked: Recent::default(),
        })
    }

    /// Knows of this environment's routing.
    pub fn routing(&self) -> anyhow::Result<Routing> {
        Ok(Routing {
            about: self.about()?,
            store: self.store.clone(),
            prices: Arc::new(self.prices()?),
            caps: self.environment.shadow,
            clock: Arc::clone(&self.clock),
        })
    }

    /// What moves depend on that our database does not know.
    fn around(&self) -> anyhow::Result<Around> {
        let may_serve = self.may_serve().map_err(|error| format!("{error:#}"));
        let legacy = self.environment.legacy.as_ref();
        let celery = legacy.map(super::intake::celery).transpose()?.flatten();
        let workers = legacy.and_then(|legacy| legacy.tap.as_ref());
        let workers = workers.map_or("celery", |tap| tap.legacy.as_str());
        let queues = Queue::new(workers).ok().zip(celery);
        Ok(Arc::new(move || {
            let (may_serve, queues) = (may_serve.clone(), queues.clone());
            Box::pin(async move {
                Surroundings {
                    may_serve,
                    celery_waiting: match &queues {
                        Some((workers, celery)) => waiting(workers, celery).await,
                        None => None,
                    },
                }
            })
        }))
    }
}

/// How many messages wait in the queues of legacy workers and tap; none where that is not known.
async fn waiting(workers: &Queue, celery: &Celery) -> Option<u64> {
    let broker = &celery.broker;
    let mut waiting = broker.length(&celery.from).await.ok()?;
    if *workers != celery.from {
        waiting += broker.length(workers).await.ok()?;
    }
    Some(waiting + broker.held().await.ok()?)
}
