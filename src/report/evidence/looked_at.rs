//! What people looked at and put up with, one by one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{ClassCount, sentences};

/// Everything that is known of it beside the counts that the gate takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct LookedAt {
    /// Differences of each field by kind, by the field's name.
    pub mix: BTreeMap<String, Vec<ClassCount>>,
    /// Waivers in force.
    pub waivers: Vec<Waiver>,
    /// Rules in force.
    pub rules: Vec<Hides>,
    /// What people prefer who are not told whose is which.
    pub blind: Vec<Blind>,
}

/// A waiver in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Waiver {
    /// The item or the cluster.
    pub on: String,
    /// Who signed.
    pub by: Vec<String>,
    /// Who owns it.
    pub owner: String,
    /// Until when, as it is to be shown.
    pub until: String,
}

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Hides {
    /// Its id.
    pub id: String,
    /// What it hides, and on which condition.
    pub what: String,
    /// Who made it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when, as it is to be shown.
    pub until: String,
    /// Differences it hides now.
    pub hidden: u64,
    /// The most it may hide.
    pub at_most: i64,
}

/// Blind side-by-sides of one text.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Blind {
    /// Of what.
    pub what: String,
    /// The candidate's was better.
    pub better: u64,
    /// Neither was.
    pub equal: u64,
    /// The control's was better.
    pub worse: u64,
    /// The share of better and equal is at least this, with 95 % confidence.
    pub at_least: Option<f64>,
}

impl LookedAt {
    /// Kinds of a field's differences, the most frequent first; empty where none are known.
    pub(super) fn mix_of(&self, field: &str) -> String {
        let Some(classes) = self.mix.get(field) else {
            return String::new();
        };
        let mut classes: Vec<&ClassCount> = classes.iter().collect();
        classes.sort_by(|one, other| (other.count, &one.class).cmp(&(one.count, &other.class)));
        let told: Vec<String> = classes
            .iter()
            .map(|class| format!("{} {} ({:?})", class.count, class.class, class.severity))
            .collect();
        told.join(", ")
    }

    /// What is put up with: what, who, until when and why.
    pub(super) fn in_force(&self) -> Vec<[String; 4]> {
        let waivers = self.waivers.iter().map(|waiver| {
            [
                format!("waiver of {}", waiver.on),
                format!("{}; owned by {}", waiver.by.join(" and "), waiver.owner),
                waiver.until.clone(),
                String::new(),
            ]
        });
        let rules = self.rules.iter().map(|rule| {
            [
                format!(
                    "rule {}: {}, hides {} of at most {}",
                    rule.id, rule.what, rule.hidden, rule.at_most
                ),
                rule.by.clone(),
                rule.until.clone(),
                rule.reason.clone(),
            ]
        });
        waivers.chain(rules).collect()
    }

    /// Blind side-by-sides in words, of each text that anybody chose of.
    pub(super) fn preferred(&self) -> Vec<String> {
        let chosen = self
            .blind
            .iter()
            .filter(|blind| blind.better + blind.equal + blind.worse > 0);
        chosen
            .map(|blind| {
                let least = blind.at_least.map_or_else(String::new, |least| {
                    format!(
                        "; better or equal in at least {}, with 95 % confidence",
                        sentences::percent(least)
                    )
                });
                format!(
                    "{}, not told whose is which: candidate better {}, equal {}, control better {}{least}",
                    blind.what, blind.better, blind.equal, blind.worse
                )
            })
            .collect()
    }
}
