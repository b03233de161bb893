//! Mirrors by themselves: the controller runs the control a second time on a share of recordings, one at
//! a time, within what the settings allow a day.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use chrono::{NaiveTime, TimeDelta};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{MirrorLimits, Mirrors, NoMirror, planning::Original};
use crate::{
    app::App,
    config::Config,
    model::Mirroring,
    rollout::{Direction, is_drawn, paused, salt},
    store::{Mirror, Mirrored, Run, Unmirrored},
};

/// How often there is looked for something to mirror.
const EVERY: Duration = Duration::from_mins(1);

/// A recording whose mirror could not be begun is left alone for so long.
const AGAIN_AFTER: TimeDelta = TimeDelta::hours(1);

/// After so many tries it is passed over.
const TRIES: i64 = 5;

/// What one look came to.
#[derive(Clone, Debug, PartialEq)]
pub enum ByItself {
    /// No mirror may begin, and why.
    Paused(String),
    /// Nothing is there to be mirrored.
    Nothing,
    /// A mirror was taken to its end.
    Ended(Box<Mirror>),
}

impl App {
    /// Runs mirrors by itself until told to stop, where the settings have `mirrors`. What fails is told and
    /// tried again.
    pub async fn mirror_by_itself(&self, shutdown: CancellationToken) {
        let Some(settings) = self.environment.mirrors.clone() else {
            return;
        };
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut said = String::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let looked = async {
                let mirrors = self.mirrors(MirrorLimits::default(), Arc::new(|_| {}))?;
                mirrors.by_itself(&settings, &shutdown).await
            };
            match looked.await {
                Ok(ByItself::Paused(why)) if why != said => {
                    info!("no mirror begins by itself: {why}");
                    said = why;
                }
                Ok(ByItself::Ended(mirror)) => {
                    let id = &mirror.transcript;
                    info!(mirror.id = %id, "mirror `{id}` began by itself and has ended");
                }
                Ok(ByItself::Paused(_) | ByItself::Nothing) => {}
                Err(_) if shutdown.is_cancelled() => return,
                Err(error) => warn!("cannot run a mirror, trying again: {error:#}"),
            }
        }
    }

    /// Why no mirror begins by itself now; none where one may.
    pub async fn mirrors_paused(&self, settings: &Mirroring) -> anyhow::Result<Option<String>> {
        let (store, now, flag) = (&self.store, (self.clock)(), Config::flag());
        let position = store.phase(&self.name, &flag).await?.position;
        let midnight = now.date_naive().and_time(NaiveTime::MIN).and_utc();
        let today = store.mirrors_since(&self.name, midnight).await?;
        let standing = store.standing(&self.name, &flag, now).await?;
        let shed = standing.spent.and_then(|spent| spent.shed);
        Ok(paused(position, settings, today, shed.as_deref(), now))
    }
}

impl Mirrors<'_> {
    /// Looks once: finishes what was interrupted, or mirrors one recording where one may be.
    pub async fn by_itself(
        &self,
        settings: &Mirroring,
        stop: &CancellationToken,
    ) -> anyhow::Result<ByItself> {
        let store = &self.app.store;
        if let Some(mirror) = store.unfinished_mirror(&self.app.name).await? {
            if !self.try_hold(&mirror).await? {
                let why = format!("mirror `{}` is under way", mirror.transcript);
                return Ok(ByItself::Paused(why));
            }
            return self.ended(mirror, stop).await;
        }
        if let Some(why) = self.app.mirrors_paused(settings).await? {
            return Ok(ByItself::Paused(why));
        }
        let about = self.app.about()?;
        let salt = salt(&about.environment, &about.flag);
        // What was served tells of what people get now.
        for direction in [Direction::Reverse, Direction::Noise] {
            let tried_before = self.now() - AGAIN_AFTER;
            for of in store.unmirrored(&about, direction, tried_before).await? {
                let run = store.run(&of.run).await?;
                let run = run.with_context(|| format!("run `{}` is not in the store", of.run))?;
                if !is_drawn(direction, settings, &salt, &run.recording_id) {
                    continue;
                }
                match self.begin(&of, &run, settings).await? {
                    Begun::Mirror(mirror) => return self.ended(*mirror, stop).await,
                    Begun::Not => {}
                    Begun::NotNow(why) => return Ok(ByItself::Paused(why)),
                }
            }
        }
        Ok(ByItself::Nothing)
    }

    async fn ended(&self, mirror: Mirror, stop: &CancellationToken) -> anyhow::Result<ByItself> {
        let ended = self.finish(mirror, stop).await?;
        Ok(ByItself::Ended(Box::new(ended)))
    }

    async fn begin(
        &self,
        of: &Unmirrored,
        run: &Run,
        settings: &Mirroring,
    ) -> anyhow::Result<Begun> {
        self.ensure_celery().await?;
        let wanted = Original {
            transcript: &run.transcript_id,
            served_by: match of.direction {
                Direction::Noise => None,
                Direction::Reverse => Some(run),
            },
            unanswered: settings.unanswered,
        };
        let (came_of_it, reason, begun) = match self.plan_of(&wanted).await {
            Ok(mirror) => (Mirrored::Begun, None, Begun::Mirror(Box::new(mirror))),
            Err(error) => match error.downcast_ref::<NoMirror>() {
                Some(NoMirror::Disturbed(_, why)) => return Ok(Begun::NotNow(why.clone())),
                Some(NoMirror::Unfit(why)) => (Mirrored::PassedOver, Some(why.clone()), Begun::Not),
                None => {
                    let why = format!("{error:#}");
                    (Mirrored::Tried, Some(why.clone()), Begun::NotNow(why))
                }
            },
        };
        let (store, environment, now) = (&self.app.store, &self.app.name, self.now());
        let usd = self.cost_of(run).await?;
        let note = |came_of_it| {
            store.note_mirroring(environment, of, (came_of_it, reason.as_deref()), usd, now)
        };
        let tries = note(came_of_it).await?;
        if came_of_it == Mirrored::Tried && tries >= TRIES {
            note(Mirrored::PassedOver).await?;
        }
        if let Some(reason) = &reason {
            info!(run.id = %run.id, "the recording of run `{}` is not mirrored: {reason}", run.id);
        }
        Ok(begun)
    }

    /// What the candidate's run cost, of what has a price; none where nothing has.
    async fn cost_of(&self, run: &Run) -> anyhow::Result<Option<f64>> {
        let prices = self.app.prices()?;
        let used = self.app.store.usages(&run.id).await?;
        let each = used
            .iter()
            .filter_map(|metered| prices.cost(&metered.usage));
        Ok(each.reduce(|sum, usd| sum + usd))
    }
}

/// What setting out to mirror a recording came to.
enum Begun {
    /// Its mirror.
    Mirror(Box<Mirror>),
    /// It will not be.
    Not,
    /// None may begin for now.
    NotNow(String),
}
