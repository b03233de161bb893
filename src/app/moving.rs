//! What it takes to move the migration of one environment.

use std::sync::Arc;

use super::App;
use crate::{
    config::Config,
    controller::{self, Mover, Routing},
    legacy::celery::Queue,
    model::EnvironmentName,
    rollout::Surroundings,
    store::About,
};

impl App {
    /// What questions and moves of this environment's migration are about.
    pub fn about(&self) -> anyhow::Result<About> {
        Ok(About {
            environment: self.name.clone(),
            flag: Config::flag(),
            epoch: controller::epoch(&self.versions()?, &self.policy()?),
            after: self
                .environment
                .rollout
                .after
                .as_deref()
                .map(EnvironmentName::new),
        })
    }

    /// Moves this environment's migration.
    pub fn mover(&self) -> anyhow::Result<Mover> {
        Ok(Mover {
            about: self.about()?,
            store: self.store.clone(),
            bounds: self.environment.rollout.clone(),
            clock: Arc::clone(&self.clock),
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
    pub async fn surroundings(&self) -> Surroundings {
        Surroundings {
            may_serve: self.may_serve().map_err(|error| format!("{error:#}")),
            celery_waiting: self.celery_waiting().await,
        }
    }

    /// How many messages wait in the queues of legacy workers and tap; none where that is not known.
    async fn celery_waiting(&self) -> Option<u64> {
        let legacy = self.environment.legacy.as_ref()?;
        let celery = super::intake::celery(legacy).ok()??;
        let workers = legacy
            .tap
            .as_ref()
            .map_or("celery", |tap| tap.legacy.as_str());
        let mut waiting = celery.broker.length(&celery.from).await.ok()?;
        let workers = Queue::new(workers).ok()?;
        if workers != celery.from {
            waiting += celery.broker.length(&workers).await.ok()?;
        }
        Some(waiting + celery.broker.held().await.ok()?)
    }
}
