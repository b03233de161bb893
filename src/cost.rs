//! What a run cost: metered usage times a price table. A thing without a price costs an *unknown*
//! amount, which is never shown as nothing.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Price, Usage, UsageKind};

/// What things cost. Any format serde reads will do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceTable {
    /// One entry per kind and model or bucket.
    #[serde(default)]
    pub prices: Vec<Price>,
}

/// An entry of a price table cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Money is not paid out, and units are not nothing.
    #[error("the price of {}{}: `usd` must not be negative and `per` must be above 0", kind.as_str(), for_what(of.as_deref()))]
    NotAPrice {
        /// The entry's kind.
        kind: UsageKind,
        /// The entry's model or bucket.
        of: Option<String>,
    },
    /// Which of the two counts?
    #[error("{}{} has two prices: remove one", kind.as_str(), for_what(of.as_deref()))]
    Twice {
        /// The entries' kind.
        kind: UsageKind,
        /// The entries' model or bucket.
        of: Option<String>,
    },
}

fn for_what(of: Option<&str>) -> String {
    of.map_or_else(String::new, |of| format!(" of `{of}`"))
}

impl PriceTable {
    /// Finds the first entry that cannot be used.
    pub fn check(&self) -> Result<(), PriceError> {
        for (index, price) in self.prices.iter().enumerate() {
            let (kind, of) = (price.kind, price.of.clone());
            if !(price.usd.is_finite() && price.usd >= 0.0 && price.per.is_finite())
                || price.per <= 0.0
            {
                return Err(PriceError::NotAPrice { kind, of });
            }
            let known = &self.prices[..index];
            if known.iter().any(|one| one.kind == kind && one.of == of) {
                return Err(PriceError::Twice { kind, of });
            }
        }
        Ok(())
    }

    /// What an amount costs; none when its price is unknown.
    pub fn cost(&self, usage: &Usage) -> Option<f64> {
        let of_kind = || self.prices.iter().filter(|price| price.kind == usage.kind);
        let own = of_kind().find(|price| price.of.as_deref() == Some(usage.of.as_str()));
        let price = own.or_else(|| of_kind().find(|price| price.of.is_none()))?;
        Some(usage.amount * price.usd / price.per)
    }
}

/// Usage and who used it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metered {
    /// The task kind, or the legacy's own name for a step.
    pub task: String,
    /// What it used.
    pub usage: Usage,
}

/// A sum of money, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sum {
    /// US dollars of everything that has a price.
    pub usd: f64,
    /// What has none: kind and model or bucket, with amounts added up.
    pub unpriced: Vec<Usage>,
}

impl Sum {
    /// Whether everything in it has a price.
    pub fn is_whole(&self) -> bool {
        self.unpriced.is_empty()
    }

    fn add(&mut self, usage: &Usage, usd: Option<f64>) {
        if let Some(usd) = usd {
            self.usd += usd;
            return;
        }
        let known = self
            .unpriced
            .iter_mut()
            .find(|known| known.kind == usage.kind && known.of == usage.of);
        match known {
            Some(known) => known.amount += usage.amount,
            None => self.unpriced.push(usage.clone()),
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_whole() {
            return write!(f, "${:.4}", self.usd);
        }
        if self.usd > 0.0 {
            write!(f, "${:.4} and ", self.usd)?;
        }
        let things: Vec<String> = self
            .unpriced
            .iter()
            .map(|usage| format!("{} of {}", usage.kind.as_str(), usage.of))
            .collect();
        write!(f, "unknown (no price for {})", things.join(", "))
    }
}

/// One thing that one task used, and what it cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Who used it.
    pub task: String,
    /// What was used, all the task's amounts added up.
    pub usage: Usage,
    /// US dollars; none when the price is unknown.
    pub usd: Option<f64>,
}

/// What a run cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Per task and thing used, in the order of first use.
    pub lines: Vec<Line>,
    /// Per task, by name.
    pub tasks: BTreeMap<String, Sum>,
    /// All of it.
    pub total: Sum,
}

/// Prices a run's usage.
pub fn cost(metered: &[Metered], prices: &PriceTable) -> Cost {
    let mut lines: Vec<Line> = Vec::new();
    for Metered { task, usage } in metered {
        let known = lines.iter_mut().find(|line| {
            line.task == *task && line.usage.kind == usage.kind && line.usage.of == usage.of
        });
        match known {
            Some(line) => line.usage.amount += usage.amount,
            None => lines.push(Line {
                task: task.clone(),
                usage: usage.clone(),
                usd: None,
            }),
        }
    }
    let mut cost = Cost::default();
    for line in &mut lines {
        line.usd = prices.cost(&line.usage);
        let of_task = cost.tasks.entry(line.task.clone()).or_default();
        of_task.add(&line.usage, line.usd);
        cost.total.add(&line.usage, line.usd);
    }
    cost.lines = lines;
    cost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(task: &str, kind: UsageKind, of: &str, amount: f64) -> Metered {
        Metered {
            task: task.to_owned(),
            usage: Usage {
                kind,
                of: of.to_owned(),
                amount,
            },
        }
    }

    fn table() -> PriceTable {
        toml::from_str(
            r#"
            [[prices]]
            kind = "gpu_seconds"
            usd = 0.0003
            why = "list price of an L4"

            [[prices]]
            kind = "tokens_in"
            of = "small"
            usd = 0.15
            per = 1000000
            why = "list price"

            [[prices]]
            kind = "tokens_in"
            usd = 3.0
            per = 1000000
            why = "the dearest we use"
            "#,
        )
        .unwrap()
    }

    fn close(actual: f64, expected: f64) -> bool {
        (actual - expected).abs() < 1e-12
    }

    #[test]
    fn a_model_with_a_price_of_its_own_does_not_take_the_default() {
        let metered = [
            used("detect_topics", UsageKind::TokensIn, "small", 2_000_000.0),
            used("detect_topics", UsageKind::TokensIn, "other", 1_000_000.0),
        ];
        let cost = cost(&metered, &table());
        assert!(close(cost.lines[0].usd.unwrap(), 0.3));
        assert!(close(cost.lines[1].usd.unwrap(), 3.0));
        assert!(close(cost.total.usd, 3.3));
        assert_eq!(cost.total.to_string(), "$3.3000");
    }

    #[test]
    fn an_unknown_price_is_unknown_and_not_nothing() {
        let metered = [
            used("transcribe_track", UsageKind::GpuSeconds, "whisper", 30.0),
            used("transcribe_track", UsageKind::GpuSeconds, "whisper", 10.0),
            used("generate_title", UsageKind::TokensOut, "small", 12.0),
        ];
        let cost = cost(&metered, &table());
        assert_eq!(cost.lines.len(), 2);
        assert_eq!(cost.lines[1].usd, None);
        assert!(close(cost.total.usd, 0.012));
        assert!(!cost.total.is_whole());
        assert_eq!(
            cost.total.to_string(),
            "$0.0120 and unknown (no price for tokens_out of small)"
        );
        assert_eq!(
            cost.tasks["generate_title"].to_string(),
            "unknown (no price for tokens_out of small)"
        );
        assert!(cost.tasks["transcribe_track"].is_whole());
    }

    #[test]
    fn nothing_used_costs_nothing() {
        let cost = cost(&[], &PriceTable::default());
        assert_eq!(cost.total.to_string(), "$0.0000");
    }

    #[test]
    fn tasks_add_up_to_the_total() {
        let metered = [
            used("a", UsageKind::GpuSeconds, "x", 1.0),
            used("b", UsageKind::GpuSeconds, "x", 2.0),
            used("b", UsageKind::TokensIn, "small", 5.0),
        ];
        let cost = cost(&metered, &table());
        let sum: f64 = cost.tasks.values().map(|task| task.usd).sum();
        assert!(close(sum, cost.total.usd));
    }

    #[test]
    fn a_table_that_cannot_be_meant_is_refused() {
        let mut negative = table();
        negative.prices[0].usd = -1.0;
        assert_eq!(
            negative.check().unwrap_err().to_string(),
            "the price of gpu_seconds: `usd` must not be negative and `per` must be above 0"
        );
        let mut no_units = table();
        no_units.prices[1].per = 0.0;
        assert!(matches!(
            no_units.check(),
            Err(PriceError::NotAPrice { .. })
        ));
        let mut twice = table();
        twice.prices.push(twice.prices[1].clone());
        assert_eq!(
            twice.check().unwrap_err().to_string(),
            "tokens_in of `small` has two prices: remove one"
        );
        assert_eq!(table().check(), Ok(()));
    }
}
