//! What is open, in the order in which somebody goes through it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::book::{Book, Standing};
use super::item::{Item, ItemKind};
use super::obligations::{OF_EACH_STRATUM, RANDOM, SIDE_BY_SIDES};
use crate::compare::{Field, Severity};

/// What of the queue somebody wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// Items that ask this.
    pub kind: Option<ItemKind>,
    /// Differences of this field.
    pub field: Option<Field>,
    /// Differences so bad.
    pub severity: Option<Severity>,
    /// Differences of this cluster, by signature.
    pub cluster: Option<String>,
    /// In which order.
    pub order: Order,
}

/// The order of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The gravest first, by how many have it.
    #[default]
    Gravest,
    /// What has waited longest first.
    Oldest,
}

impl Order {
    /// The name on the command line and in addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gravest => "gravest",
            Self::Oldest => "oldest",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Gravest, Self::Oldest]
            .into_iter()
            .find(|order| order.as_str() == name)
    }
}

impl Sought {
    fn has(&self, item: &Item) -> bool {
        let about = item.about.as_ref();
        self.kind.is_none_or(|kind| item.kind == kind)
            && self
                .field
                .is_none_or(|field| about.is_some_and(|about| about.field == field))
            && self
                .severity
                .is_none_or(|severity| about.is_some_and(|about| about.severity == severity))
            && self
                .cluster
                .as_ref()
                .is_none_or(|cluster| about.is_some_and(|about| about.signature == *cluster))
    }
}

impl Book {
    /// What is sought of the queue, in the order that is wanted.
    pub fn sought(
        &self,
        by: Option<&str>,
        sought: &Sought,
        now: DateTime<Utc>,
    ) -> Vec<(&Item, Standing)> {
        let mut queue = self.queue(by, now);
        queue.retain(|(item, _)| sought.has(item));
        match sought.order {
            Order::Gravest => {}
            // Of what came at the same time, what is looked at blind comes first: the differences of a
            // recording show whose text is whose.
            Order::Oldest => queue.sort_by_key(|(item, _)| (item.made_at, !item.kind.is_blind())),
        }
        queue
    }

    /// Everything open that somebody is asked about: differences, then the sample, then
    /// side-by-sides `by` has not answered. The gravest first.
    pub fn queue(&self, by: Option<&str>, now: DateTime<Utc>) -> Vec<(&Item, Standing)> {
        let mut standings = self.standings(now);
        let sampled = self.sampled(RANDOM, OF_EACH_STRATUM);
        let ranks: BTreeMap<String, u64> = self
            .clusters(now)
            .into_iter()
            .map(|cluster| (cluster.signature.clone(), cluster.rank()))
            .collect();
        let asked: BTreeSet<&str> = [ItemKind::Title, ItemKind::Summary]
            .into_iter()
            .flat_map(|kind| self.asked(kind, SIDE_BY_SIDES))
            .map(|item| item.id.as_str())
            .collect();
        let answered = |id: &str| {
            self.choices
                .iter()
                .any(|chosen| chosen.item == id && by.is_none_or(|by| chosen.by == by))
        };
        let mut queue: Vec<_> = self
            .items
            .iter()
            .filter(|item| match item.kind {
                ItemKind::Difference => true,
                ItemKind::Sample => sampled.contains(item.id.as_str()),
                ItemKind::Title | ItemKind::Summary => {
                    asked.contains(item.id.as_str()) && !answered(&item.id)
                }
            })
            .filter_map(|item| Some((item, standings.remove(item.id.as_str())?)))
            .filter(|(_, standing)| !standing.is_settled())
            .collect();
        queue.sort_by_key(|(item, _)| {
            let about = item.about.as_ref();
            let rank = about.and_then(|about| ranks.get(&about.signature));
            (
                item.kind,
                about.map(|about| about.severity),
                std::cmp::Reverse(rank.copied()),
                item.id.clone(),
            )
        });
        queue
    }
}
