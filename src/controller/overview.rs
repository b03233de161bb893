//! How every migration of our database stands, at a glance.

use chrono::{DateTime, Utc};

use super::{Mover, health, moving::Looked};
use crate::{
    access::Reach,
    model::{GateVerdict, HealthLimits},
    rollout::Hold,
    store::{About, OpenRuns, PhaseRow},
};

/// Looks at all migrations. Cheap to clone.
#[derive(Clone)]
pub struct Overview {
    mover: Mover,
    limits: HealthLimits,
}

/// What the gate said.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// What it came to.
    pub verdict: GateVerdict,
    /// The same in one line.
    pub line: String,
    /// When it was asked.
    pub at: DateTime<Utc>,
}

impl From<&Looked> for Told {
    fn from(looked: &Looked) -> Self {
        Self {
            verdict: looked.decision.verdict,
            line: looked.decision.line.clone(),
            at: looked.at,
        }
    }
}

/// How one migration stands in one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Glimpse {
    /// Where, which, how far, and who changed that last.
    pub row: PhaseRow,
    /// Whether the program that looks can move it.
    pub is_own: bool,
    /// What the gate says; none of others' migrations, whose settings say what it asks for.
    pub gate: Option<Told>,
    /// Whether Conductor is relied on.
    pub breaker: health::Standing,
    /// Holds in force, oldest first.
    pub holds: Vec<Hold>,
    /// Moves that wait for approval.
    pub requests: usize,
    /// Runs under way.
    pub open: i64,
    /// Of these, those that serve users.
    pub live: i64,
}

impl Overview {
    /// Of the database that `mover` writes to.
    pub fn new(mover: Mover, limits: HealthLimits) -> Self {
        Self { mover, limits }
    }

    /// Every migration in these environments, by flag and environment; our own is always one of them.
    pub async fn look(&self, reach: &Reach) -> anyhow::Result<Vec<Glimpse>> {
        let own = self.mover.stands().await?;
        let is_own = |row: &PhaseRow| row.environment == own.environment && row.flag == own.flag;
        let mut rows = self.mover.store.phases().await?;
        if !rows.iter().any(is_own) {
            rows.push(own.clone());
        }
        rows.retain(|row| reach.has(&row.environment));
        rows.sort_by(|one, other| {
            (&one.flag, &one.environment).cmp(&(&other.flag, &other.environment))
        });
        let counts = self.mover.store.open_counts().await?;
        let mut glimpses = Vec::with_capacity(rows.len());
        for row in rows {
            let gate = if is_own(&row) {
                Some(Told::from(&*self.mover.looked().await?))
            } else {
                None
            };
            glimpses.push(self.glimpse(row, gate, &counts).await?);
        }
        Ok(glimpses)
    }

    /// Our own migration, where somebody has read how it stands and asked the gate.
    pub async fn own(&self, stands: PhaseRow, told: Told) -> anyhow::Result<Glimpse> {
        let counts = self.mover.store.open_counts().await?;
        self.glimpse(stands, Some(told), &counts).await
    }

    async fn glimpse(
        &self,
        row: PhaseRow,
        gate: Option<Told>,
        counts: &[OpenRuns],
    ) -> anyhow::Result<Glimpse> {
        let store = &self.mover.store;
        let now = (self.mover.clock)();
        let about = About {
            environment: row.environment.clone(),
            flag: row.flag.clone(),
            ..self.mover.about.clone()
        };
        let count = counts
            .iter()
            .find(|count| count.environment == row.environment && count.flag == row.flag);
        Ok(Glimpse {
            is_own: gate.is_some(),
            gate,
            breaker: health::standing(store, &row.environment, &self.limits, now).await?,
            holds: store.holds(&about).await?,
            requests: store.open_requests(&about).await?.len(),
            open: count.map_or(0, |count| count.open),
            live: count.map_or(0, |count| count.live),
            row,
        })
    }
}
