//! Tells a collector what happened to recordings, one trace each, once they are over.
//!
//! Nothing waits for it: what cannot be told now is told later from the same rows, and after two days
//! not at all. A trace is told whole, and again where its run ended once more; comparisons that come
//! later follow by themselves.

use std::{pin::Pin, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::shadow::Clock;
use crate::{
    meters,
    store::{About, Store, Untold, Window},
    traces::{Material, Trace},
};

/// Sends traces to whoever collects them. They may have been sent before.
pub type Tell = Arc<dyn Fn(Vec<Trace>) -> Telling + Send + Sync>;

/// Whether they arrived.
pub type Telling = Pin<Box<dyn Future<Output = Result<(), NotTold>> + Send>>;

/// Why traces did not arrive.
#[derive(Debug)]
pub enum NotTold {
    /// They may later.
    Later(anyhow::Error),
    /// The collector does not take them, whenever they come.
    Never(anyhow::Error),
}

/// Tells of the recordings of one environment.
#[derive(Clone)]
pub struct Traces {
    /// What they are about.
    pub about: About,
    /// Our database.
    pub store: Store,
    /// Where they go.
    pub tell: Tell,
    /// The percentage that is told of.
    pub sample_percent: f64,
    /// How this process is told from others.
    pub holder: String,
    /// The time.
    pub clock: Clock,
}

/// How often there is looked for what is over.
const EVERY: Duration = Duration::from_secs(3);

/// So many of a sort are told at once.
const AT_ONCE: i64 = 20;

/// How long a process that fell silent is waited for; longer than one request takes.
const LEASE: TimeDelta = TimeDelta::seconds(90);

/// What arrived before is not told any more.
const GIVEN_UP: TimeDelta = TimeDelta::hours(48);

/// What ended before is not compared any more, as far as one can tell.
const SETTLED: TimeDelta = TimeDelta::minutes(10);

/// What arrived before is told as it is.
const PATIENT: TimeDelta = TimeDelta::hours(6);

/// The longest wait for a collector that does not take anything.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

impl Traces {
    /// Tells until told to stop.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut pause = EVERY;
        let mut is_well = true;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
            match self.tick().await {
                Ok(told) => {
                    if told > 0 && !is_well {
                        info!("traces of recordings arrive again");
                        is_well = true;
                    }
                    pause = EVERY;
                }
                Err(error) => {
                    // Once, however long it lasts: the metric tells the rest.
                    if is_well {
                        warn!(
                            "cannot tell traces of recordings, trying again for two days: {error:#}"
                        );
                    }
                    is_well = false;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        if let Err(error) = self.store.release_lease(&self.lease(), &self.holder).await {
            warn!("cannot leave the traces to others, they have to wait: {error:#}");
        }
    }

    /// Tells what is over, unless another process is at it; how many traces that were.
    pub async fn tick(&self) -> anyhow::Result<usize> {
        let now = (self.clock)();
        let held = self
            .store
            .hold_lease(&self.lease(), &self.holder, LEASE, now)
            .await?;
        if !held {
            return Ok(0);
        }
        let window = Window {
            since: now - GIVEN_UP,
            settled: now - SETTLED,
            patient: now - PATIENT,
        };
        let untold = self.store.untold(&self.about, window, AT_ONCE).await?;
        let mut told = Vec::new();
        for one in &untold {
            if let Some(material) = self.store.trace_material(&self.about, one).await? {
                told.push((material, one));
            }
        }
        let traces: Vec<Trace> = told
            .iter()
            .map(|(material, one)| trace(material, one))
            .filter(|trace| trace.id.is_sampled(self.sample_percent))
            .collect();
        let count = traces.len();
        meters::traces("not_sampled", told.len() - count);
        if !traces.is_empty() {
            match (self.tell)(traces).await {
                Ok(()) => meters::traces("sent", count),
                Err(NotTold::Never(error)) => {
                    meters::traces("refused", count);
                    warn!("the collector refused {count} traces, they are not told: {error:#}");
                }
                Err(NotTold::Later(error)) => {
                    meters::traces("failed", count);
                    return Err(error);
                }
            }
        }
        self.note(&told, now).await?;
        Ok(count)
    }

    async fn note(&self, told: &[(Material, &Untold)], now: DateTime<Utc>) -> anyhow::Result<()> {
        for (material, _) in told {
            self.store.note_told(&self.about, material, now).await?;
        }
        Ok(())
    }

    fn lease(&self) -> String {
        format!("traces/{}", self.about.environment)
    }
}

fn trace(material: &Material, untold: &Untold) -> Trace {
    let trace = Trace::of(material);
    match untold {
        Untold::Route(..) | Untold::Run(_) => trace,
        Untold::Comparisons(_, comparisons) => trace.only_comparisons(comparisons),
    }
}
