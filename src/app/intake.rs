//! The way in of one environment: answers, starts, controls, and the tap.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::App;
use crate::{
    audio::{self, source::Source},
    config::{Config, Legacy},
    controller::{
        GiveBack, Mending,
        intake::{Budget, Celery, Intake, Mixes, Standing, Tapping},
    },
    legacy::{
        celery::{Broker, Limits, Queue, RedisLocation, Results, Tap, TapSettings},
        reflector::{WatchLimits, Watcher},
    },
    model::{AudioFacts, TranscriptId},
    objects::{ErrorKind, Objects},
};

impl App {
    /// Answers requests and follows them up. Listens to Reflector's Redis from now on, where the
    /// settings name it, so it is to be made once in a process.
    pub fn intake(&self) -> anyhow::Result<Intake> {
        let base = self.environment.reflector.ui_base_url.as_str();
        let legacy = self.environment.legacy.as_ref();
        Ok(Intake {
            environment: self.name.clone(),
            flag: Config::flag(),
            store: self.store.clone(),
            client: self.client()?,
            reflector: legacy.map(|_| self.reflector()).transpose()?,
            ui_base_url: base.trim_end_matches('/').to_owned(),
            celery: legacy.map(celery).transpose()?.flatten(),
            watcher: legacy.map(watcher).transpose()?.flatten(),
            mixes: self.mixes()?,
            budget: Budget::of(Duration::from_millis(self.environment.routing.answer_ms)),
            clock: Arc::clone(&self.clock),
            news: Arc::new(Notify::new()),
            standing: Standing::default(),
        })
    }

    /// The tap; none where the settings have none.
    pub fn tapping(&self, intake: &Intake) -> anyhow::Result<Option<Tapping>> {
        let Some(settings) = self
            .environment
            .legacy
            .as_ref()
            .and_then(|legacy| legacy.tap.as_ref())
        else {
            return Ok(None);
        };
        let celery = intake.celery.as_ref().with_context(|| {
            format!("`environments.{0}.legacy.tap` is set and `environments.{0}.legacy.broker_url` is not; write Reflector's `CELERY_BROKER_URL` there", self.name)
        })?;
        let from = Queue::new(settings.from.as_str()).context("`legacy.tap.from`")?;
        let legacy = Queue::new(settings.legacy.as_str()).context("`legacy.tap.legacy`")?;
        info!("the tap takes from queue `{from}` and hands on to `{legacy}`");
        let tap = Tap::new(celery.broker.clone(), TapSettings::new(from, legacy))?;
        Ok(Some(Tapping::new(tap, intake.clone())))
    }

    /// What it takes to give the recording of a live run back to Celery.
    pub fn giving_back(&self) -> anyhow::Result<GiveBack> {
        let name = &self.name;
        let legacy = self.legacy()?;
        let celery = celery(legacy)?.with_context(|| {
            format!("recordings are given back through `environments.{name}.legacy.broker_url`, which is missing")
        })?;
        let queue = legacy
            .tap
            .as_ref()
            .map_or("celery", |tap| tap.legacy.as_str());
        Ok(GiveBack {
            store: self.store.clone(),
            client: self.client()?,
            broker: celery.broker,
            queue: Queue::new(queue).context("`legacy.tap.legacy`")?,
            publisher: self.publisher()?,
            clock: Arc::clone(&self.clock),
        })
    }

    /// What people do about runs.
    pub fn mending(&self) -> anyhow::Result<Mending> {
        let giving_back = self.giving_back();
        Ok(Mending {
            shadow: self.shadow()?,
            giving_back: giving_back.map_err(|missing| format!("{missing:#}")),
        })
    }

    /// Runs the tap and what follows from it until told to stop.
    pub async fn serve_tap(&self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let intake = self.intake()?;
        let tapping = self.tapping(&intake)?.with_context(|| {
            format!("the settings have no section `environments.{}.legacy.tap`, which says where the tap stands", self.name)
        })?;
        tokio::join!(tapping.run(shutdown.clone()), intake.run(shutdown));
        Ok(())
    }

    /// What the control's mix of a transcript holds, where it still lies in Reflector's bucket.
    pub(super) async fn mix_of(
        &self,
        transcript: &TranscriptId,
    ) -> anyhow::Result<Option<AudioFacts>> {
        let bucket = self.environment.objects.bucket.clone();
        mix_of(self.objects()?, bucket, transcript.clone()).await
    }

    pub(super) fn mixes(&self) -> anyhow::Result<Mixes> {
        let objects = self.objects()?;
        let bucket = self.environment.objects.bucket.clone();
        Ok(Arc::new(move |transcript| {
            Box::pin(mix_of(objects.clone(), bucket.clone(), transcript))
        }))
    }
}

/// What a control's mix holds, where it still lies in Reflector's bucket.
async fn mix_of(
    objects: Objects,
    bucket: String,
    transcript: TranscriptId,
) -> anyhow::Result<Option<AudioFacts>> {
    let key = format!("{transcript}/audio.mp3");
    let mix = match objects.get_to_file(&bucket, &key).await {
        Ok(mix) => mix.file,
        Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("reading the control's mix"),
    };
    let facts = tokio::task::spawn_blocking(|| audio::decode::facts_of_mp3(Source::new(mix)));
    Ok(Some(facts.await.context("reading the control's mix")??))
}

pub(super) fn celery(legacy: &Legacy) -> anyhow::Result<Option<Celery>> {
    let Some(broker_url) = &legacy.broker_url else {
        return Ok(None);
    };
    let results_url = legacy.results_url.as_ref().unwrap_or(broker_url);
    let broker = RedisLocation::parse(broker_url.expose()).context("`legacy.broker_url`")?;
    let results = RedisLocation::parse(results_url.expose()).context("`legacy.results_url`")?;
    let prefix = &legacy.key_prefix;
    let from = legacy.tap.as_ref().map_or("celery", |tap| &tap.from);
    Ok(Some(Celery {
        broker: Broker::new(&broker, prefix.as_str(), Limits::default())?,
        results: Results::new(&results, prefix, Limits::default())?,
        from: Queue::new(from).context("`legacy.tap.from`")?,
    }))
}

fn watcher(legacy: &Legacy) -> anyhow::Result<Option<Watcher>> {
    let Some(url) = &legacy.redis_url else {
        return Ok(None);
    };
    let location = RedisLocation::parse(url.expose()).context("`legacy.redis_url`")?;
    Ok(Some(Watcher::start(&location, WatchLimits::default())?))
}
