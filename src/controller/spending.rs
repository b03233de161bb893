//! What runs used and cost over a time, by what they were for: serving users, or proving that they
//! could.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    Shadow,
    shadow::{task_of, unit},
};

/// What a run was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// A shadow run: what it uses is extra.
    Shadow,
    /// A run that served users.
    Live,
}

impl Use {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Live => "live",
        }
    }
}

/// What one step of all those runs used of one thing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpendingLine {
    /// What the runs were for.
    pub used_for: Use,
    /// The task kind.
    pub step: String,
    /// What was used, e.g. `tokens in, microsoft/phi-4`.
    pub what: String,
    /// How much.
    pub amount: f64,
    /// The amount's unit.
    pub unit: String,
    /// US dollars; none where no price is known.
    pub usd: Option<f64>,
}

/// What all runs of a kind cost together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Total {
    /// What the runs were for.
    pub used_for: Use,
    /// How many used anything.
    pub runs: u32,
    /// US dollars, of what has a price; none where nothing has.
    pub usd: Option<f64>,
}

/// Everything that was spent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spending {
    /// Runs that began before are not counted.
    pub since: DateTime<Utc>,
    /// By use and step.
    pub lines: Vec<SpendingLine>,
    /// By use.
    pub totals: Vec<Total>,
}

impl Shadow {
    /// What the environment's runs used since then.
    pub async fn spending(&self, since: DateTime<Utc>) -> anyhow::Result<Spending> {
        let mut lines: BTreeMap<(Use, String, String), SpendingLine> = BTreeMap::new();
        let mut runs: BTreeMap<Use, std::collections::BTreeSet<String>> = BTreeMap::new();
        for used in self.store.usages_since(&self.environment, since).await? {
            let used_for = if used.is_live { Use::Live } else { Use::Shadow };
            runs.entry(used_for)
                .or_default()
                .insert(used.run.to_string());
            let (step, usage) = (
                task_of(&used.metered.task_ref).to_owned(),
                &used.metered.usage,
            );
            let what = format!("{}, {}", usage.kind.as_str().replace('_', " "), usage.of);
            let usd = self.prices.cost(usage);
            let line = lines
                .entry((used_for, step.clone(), what.clone()))
                .or_insert_with(|| SpendingLine {
                    used_for,
                    step,
                    what,
                    amount: 0.0,
                    unit: unit(usage.kind).to_owned(),
                    usd: None,
                });
            line.amount += usage.amount;
            if let Some(usd) = usd {
                *line.usd.get_or_insert(0.0) += usd;
            }
        }
        let lines: Vec<_> = lines.into_values().collect();
        let totals = runs
            .into_iter()
            .map(|(used_for, runs)| Total {
                used_for,
                runs: u32::try_from(runs.len()).unwrap_or(u32::MAX),
                usd: lines
                    .iter()
                    .filter(|line| line.used_for == used_for)
                    .filter_map(|line| line.usd)
                    .reduce(|sum, usd| sum + usd),
            })
            .collect();
        Ok(Spending {
            since,
            lines,
            totals,
        })
    }
}
