//! What metrics tell of a migration: read from our database when somebody asks, and kept for a moment,
//! so that asking often costs no more.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;
use tracing::warn;

use super::Mover;
use crate::{
    gate::{Decision, LineState},
    meters::{
        self, Sheet,
        catalogue::{
            BREAKER, BREAKER_CHECKED, BREAKER_SINCE, EVIDENCE, GATE, GATE_ALARM, GATE_LINES, PHASE,
            PHASE_CHANGED, PHASE_PERCENT, SHARED_DOWN, SHED, SPENDING_CAP, SPENT, STORE_READ,
            STORE_SECONDS, STORE_UP, SUB_PHASE,
        },
    },
    model::{Caps, GateVerdict},
    rollout::{BreakerState, Phase},
};

/// What was read is kept so long at least …
const KEPT: Duration = Duration::from_secs(5);

/// … and so many times as long as reading it took: asking takes a twentieth of one connection.
const TIMES: u32 = 20;

/// Prometheus gives up after ten seconds.
const PATIENCE: Duration = Duration::from_secs(8);

const SUBS: [&str; 4] = ["soak", "draining", "archived", "removed"];

/// Reads what metrics tell of one migration.
#[derive(Clone)]
pub struct Metrics {
    mover: Mover,
    caps: Caps,
    /// What was read last. Whoever asks meanwhile waits for whoever reads.
    text: Arc<Mutex<Option<Fresh<String>>>>,
}

/// Something that was read, and what that cost.
struct Fresh<T> {
    what: T,
    at: Instant,
    took: Duration,
}

impl<T> Fresh<T> {
    fn since(began: Instant, what: T) -> Self {
        Self {
            what,
            at: Instant::now(),
            took: began.elapsed(),
        }
    }

    fn is_kept(&self) -> bool {
        self.at.elapsed() < KEPT.max(self.took * TIMES)
    }
}

impl Metrics {
    /// Of the migration that `mover` moves.
    pub fn new(mover: Mover, caps: Caps) -> Self {
        Self {
            mover,
            caps,
            text: Arc::default(),
        }
    }

    /// Everything, in Prometheus' text format: what our database knows, if it can be read, and what
    /// this process counted of itself.
    pub async fn text(&self) -> anyhow::Result<String> {
        let metrics = self.clone();
        // Whoever does not wait for it leaves it to whoever asks next.
        let reading = tokio::spawn(async move { metrics.of_store().await });
        let of_store = match tokio::time::timeout(PATIENCE, reading).await {
            Ok(Ok(Ok(text))) => text,
            Ok(Ok(Err(error))) => {
                warn!("metrics lack what our database knows: {error:#}");
                down()?
            }
            Ok(Err(ended)) => {
                warn!("metrics lack what our database knows: {ended}");
                down()?
            }
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                warn!("metrics lack what our database knows: no answer within {seconds} s");
                down()?
            }
        };
        Ok(of_store + &meters::of_this_process()?)
    }

    async fn of_store(&self) -> anyhow::Result<String> {
        let mut kept = self.text.lock().await;
        if let Some(text) = kept.as_ref().filter(|text| text.is_kept()) {
            return Ok(text.what.clone());
        }
        let mut sheet = self.of_gate(&self.mover.looked().await?.decision);
        let began = Instant::now();
        self.read(&mut sheet).await?;
        sheet.set(&STORE_UP, &[], 1.0);
        sheet.set(&STORE_SECONDS, &[], began.elapsed().as_secs_f64());
        let now = (self.mover.clock)();
        sheet.set(&STORE_READ, &[], seconds(now.timestamp_millis()));
        let text = sheet.render()?;
        *kept = Some(Fresh::since(began, text.clone()));
        Ok(text)
    }

    async fn read(&self, sheet: &mut Sheet) -> anyhow::Result<()> {
        let Mover { about, store, .. } = &self.mover;
        let now = (self.mover.clock)();
        let (environment, flag) = (about.environment.as_str(), about.flag.as_str());
        let both = [environment, flag];
        let standing = store.standing(&about.environment, &about.flag, now).await?;
        let position = standing.phase.position;
        let phases = Phase::ALL.iter().map(|phase| phase.as_str());
        sheet.set_one(&PHASE, &both, phases, Some(position.phase().as_str()));
        sheet.set_one(&SUB_PHASE, &both, SUBS, Some(position.sub()));
        let percent = f64::from(position.percent().hundredths()) / 100.0;
        sheet.set(&PHASE_PERCENT, &both, percent);
        if let Some(changed) = standing.phase.changed_at {
            sheet.set(&PHASE_CHANGED, &both, seconds(changed.timestamp_millis()));
        }
        let spent = standing.spent.as_ref();
        for (kind, used, cap) in [
            (
                "gpu_seconds",
                spent.map(|spent| spent.gpu_seconds),
                self.caps.max_gpu_seconds,
            ),
            (
                "tokens",
                spent.map(|spent| spent.tokens),
                self.caps.max_tokens,
            ),
            ("usd", spent.map(|spent| spent.usd), self.caps.max_usd),
        ] {
            let labels = [environment, flag, kind];
            sheet.set(&SPENT, &labels, used.unwrap_or(0.0));
            if let Some(cap) = cap {
                sheet.set(&SPENDING_CAP, &labels, cap);
            }
        }
        let is_shed = spent.is_some_and(|spent| spent.shed.is_some());
        sheet.set(&SHED, &both, f64::from(u8::from(is_shed)));
        if let Some(row) = store.breaker(&about.environment).await? {
            let states = BreakerState::ALL.iter().map(|state| state.as_str());
            let state = row.breaker.state.as_str();
            sheet.set_one(&BREAKER, &[environment], states, Some(state));
            for (family, at) in [
                (&BREAKER_SINCE, row.breaker.since),
                (&BREAKER_CHECKED, row.breaker.checked_at),
            ] {
                sheet.set(family, &[environment], seconds(at.timestamp_millis()));
            }
            let is_down = f64::from(u8::from(row.holding.is_some()));
            sheet.set(&SHARED_DOWN, &[environment], is_down);
        }
        sheet.extend(store.readings(about, now).await?);
        Ok(())
    }

    fn of_gate(&self, decision: &Decision) -> Sheet {
        let about = &self.mover.about;
        let (environment, flag) = (about.environment.as_str(), about.flag.as_str());
        let both = [environment, flag];
        let mut sheet = Sheet::default();
        let verdicts = [GateVerdict::Pass, GateVerdict::Fail, GateVerdict::NotYet];
        let verdicts = verdicts.map(GateVerdict::as_str);
        sheet.set_one(&GATE, &both, verdicts, Some(decision.verdict.as_str()));
        let is_alarmed = f64::from(u8::from(decision.alarm.is_some()));
        sheet.set(&GATE_ALARM, &both, is_alarmed);
        let counts = &decision.counts;
        for (count, number) in [
            ("compared", counts.recordings),
            ("counted", counts.counted),
            ("replayed", counts.replayed),
            ("failures", counts.failures),
            ("candidate_failed", counts.candidate_failed),
        ] {
            sheet.set(&EVIDENCE, &[environment, flag, count], number as f64);
        }
        for (state, name) in [
            (LineState::Pass, "pass"),
            (LineState::Fail, "fail"),
            (LineState::NotYet, "not_yet"),
            (LineState::NotLooked, "not_looked"),
        ] {
            let lines = decision.lines.iter().filter(|line| line.state == state);
            let labels = [environment, flag, name];
            sheet.set(&GATE_LINES, &labels, lines.count() as f64);
        }
        sheet
    }
}

/// What is told where our database cannot be read.
fn down() -> anyhow::Result<String> {
    let mut sheet = Sheet::default();
    sheet.set(&STORE_UP, &[], 0.0);
    sheet.render()
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
