//! Everything there is about the reviews of one migration under one digest of versions, and how each
//! item stands by it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::blind::Chosen;
use super::decide::Says;
use super::item::{Item, ItemKind};
use super::rule::{Rule, may_hide};
use crate::compare::{Class, Field, Severity};

/// What somebody said of an item or a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Act {
    /// Its id.
    pub id: String,
    /// The item, or the cluster's signature.
    pub on: String,
    /// Whether it is on a cluster.
    pub on_cluster: bool,
    /// What was said.
    pub says: Says,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Who owns the blocker or the waiver.
    pub owner: String,
    /// Until when a waiver counts.
    pub until: Option<DateTime<Utc>>,
    /// How many items a waiver covers.
    pub at_most: Option<i64>,
    /// How many recordings the cluster had.
    pub size: i64,
    /// When.
    pub at: DateTime<Utc>,
}

/// The last word on a cluster under an earlier digest of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The cluster.
    pub signature: String,
    /// What was said.
    pub says: Says,
    /// Who.
    pub by: String,
    /// How many recordings the cluster had then.
    pub size: i64,
}

/// Somebody opened an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The item.
    pub item: String,
    /// Who.
    pub by: String,
}

/// All there is.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Everything to look at.
    pub items: Vec<Item>,
    /// Everything said, oldest first.
    pub acts: Vec<Act>,
    /// Who opened what.
    pub opened: Vec<Opened>,
    /// Choices in side-by-sides, oldest first.
    pub choices: Vec<Chosen>,
    /// What was said of clusters under the versions before.
    pub earlier: Vec<Earlier>,
    /// Rules in force.
    pub rules: Vec<Rule>,
}

/// How an item stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Standing {
    /// Nobody said anything that counts.
    Open,
    /// Somebody asked for more.
    NeedsInfo {
        /// Who.
        by: String,
        /// For what.
        reason: String,
    },
    /// It is as good or better.
    Accepted {
        /// Who said so.
        by: String,
        /// Whether that was under earlier versions, of the same cluster.
        carried: bool,
    },
    /// It blocks.
    Rejected {
        /// Who said so.
        by: String,
        /// Who is to mend it.
        owner: String,
        /// Why.
        reason: String,
    },
    /// It is borne for a while.
    Waived {
        /// Who signed.
        by: Vec<String>,
        /// Who owns it.
        owner: String,
        /// Until when.
        until: DateTime<Utc>,
    },
    /// One person waived it, and it takes two.
    HalfWaived {
        /// Who signed.
        by: String,
    },
    /// It was waived under earlier versions, and somebody has to say so again.
    Reaffirm {
        /// Who waived it.
        by: String,
    },
    /// A rule hides it.
    Hidden {
        /// The rule.
        rule: String,
    },
}

impl Standing {
    /// Whether nothing is left to be done.
    pub const fn is_settled(&self) -> bool {
        matches!(
            self,
            Self::Accepted { .. } | Self::Waived { .. } | Self::Hidden { .. }
        )
    }

    /// What people read.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::NeedsInfo { .. } => "needs info",
            Self::Accepted { carried: false, .. } => "accepted",
            Self::Accepted { carried: true, .. } => "accepted before",
            Self::Rejected { .. } => "rejected",
            Self::Waived { .. } => "waived",
            Self::HalfWaived { .. } => "waived by one of two",
            Self::Reaffirm { .. } => "to reaffirm",
            Self::Hidden { .. } => "hidden by a rule",
        }
    }
}

/// A cluster and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ClusterStanding {
    /// Digest of field, class and pattern.
    pub signature: String,
    /// The field.
    pub field: Field,
    /// What sort.
    pub class: Class,
    /// The worst of its members.
    pub severity: Severity,
    /// Place and shapes.
    pub pattern: String,
    /// How many recordings have it.
    pub size: usize,
    /// How many of these are settled.
    pub settled: usize,
    /// Its items, in the order they were made.
    pub items: Vec<String>,
}

impl ClusterStanding {
    /// What clusters are put in order by: how many, times how bad.
    pub fn rank(&self) -> u64 {
        self.size as u64 * self.severity.weight()
    }
}

impl Book {
    /// The item of that id.
    pub fn item(&self, id: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.id == id)
    }

    /// The members of each cluster by signature, in the order they were made.
    fn members(&self) -> BTreeMap<&str, Vec<&Item>> {
        let mut members: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
        for item in &self.items {
            if let Some(about) = &item.about {
                members.entry(&about.signature).or_default().push(item);
            }
        }
        for items in members.values_mut() {
            items.sort_by(|one, other| (one.made_at, &one.id).cmp(&(other.made_at, &other.id)));
        }
        members
    }

    /// How every item stands, by id.
    pub fn standings(&self, now: DateTime<Utc>) -> BTreeMap<&str, Standing> {
        let members = self.members();
        let places: BTreeMap<&str, usize> = members
            .values()
            .flat_map(|items| items.iter().enumerate())
            .map(|(place, item)| (item.id.as_str(), place))
            .collect();
        let mut by_target: BTreeMap<&str, Vec<&Act>> = BTreeMap::new();
        for act in &self.acts {
            by_target.entry(&act.on).or_default().push(act);
        }
        let mut hidden: BTreeMap<&str, i64> = BTreeMap::new();
        let mut in_order: Vec<&Item> = self.items.iter().collect();
        in_order.sort_by(|one, other| (one.made_at, &one.id).cmp(&(other.made_at, &other.id)));
        let mut standings = BTreeMap::new();
        for item in in_order {
            let cluster = item
                .about
                .as_ref()
                .and_then(|about| members.get(about.signature.as_str()));
            let place = places.get(item.id.as_str()).copied().unwrap_or(0);
            let said = said(item, &by_target, place, now);
            let standing = said.unwrap_or_else(|| {
                let carried = self.carried(item, cluster.map_or(0, Vec::len));
                carried
                    .or_else(|| self.hidden(item, &mut hidden))
                    .unwrap_or(Standing::Open)
            });
            standings.insert(item.id.as_str(), standing);
        }
        standings
    }

    /// What was said of the same cluster under the versions before: an acceptance counts where the
    /// cluster is as large as then, give or take a half; a waiver has to be given again.
    fn carried(&self, item: &Item, size: usize) -> Option<Standing> {
        let about = item.about.as_ref()?;
        let mut earlier = self.earlier.iter();
        let earlier = earlier.find(|earlier| earlier.signature == about.signature)?;
        let by = earlier.by.clone();
        match earlier.says {
            Says::Accept => {
                let now = i64::try_from(size).unwrap_or(i64::MAX);
                let persists = 2 * now >= earlier.size && 2 * now <= 3 * earlier.size;
                persists.then_some(Standing::Accepted { by, carried: true })
            }
            Says::Waive => Some(Standing::Reaffirm { by }),
            Says::Reject | Says::NeedsInfo => None,
        }
    }

    fn hidden<'a>(&'a self, item: &Item, so_far: &mut BTreeMap<&'a str, i64>) -> Option<Standing> {
        let about = item.about.as_ref().filter(|about| may_hide(about))?;
        for rule in self.rules.iter().filter(|rule| rule.fits(about)) {
            let hidden = so_far.entry(&rule.id).or_default();
            if *hidden < rule.at_most {
                *hidden += 1;
                let rule = rule.id.clone();
                return Some(Standing::Hidden { rule });
            }
        }
        None
    }

    /// The clusters, the highest rank first.
    pub fn clusters(&self, now: DateTime<Utc>) -> Vec<ClusterStanding> {
        let standings = self.standings(now);
        let settled = |item: &&&Item| {
            standings
                .get(item.id.as_str())
                .is_some_and(Standing::is_settled)
        };
        let mut clusters: Vec<ClusterStanding> = self
            .members()
            .into_iter()
            .filter_map(|(signature, items)| {
                let abouts = || items.iter().filter_map(|item| item.about.as_ref());
                let about = abouts().min_by_key(|about| about.severity)?;
                Some(ClusterStanding {
                    signature: signature.to_owned(),
                    field: about.field,
                    class: about.class,
                    severity: about.severity,
                    pattern: about.pattern.clone(),
                    size: items.len(),
                    settled: items.iter().filter(settled).count(),
                    items: items.iter().map(|item| item.id.clone()).collect(),
                })
            })
            .collect();
        clusters.sort_by(|one, other| {
            let rank = other.rank().cmp(&one.rank());
            rank.then_with(|| one.signature.cmp(&other.signature))
        });
        clusters
    }

    /// The recordings asked about whatever their class: those whose number was drawn lowest, `wanted`
    /// of all and `of_each` of each sort of meeting.
    pub fn sampled(&self, wanted: usize, of_each: usize) -> BTreeSet<&str> {
        let mut samples: Vec<&Item> = self.of_kind(ItemKind::Sample).collect();
        samples.sort_by(|one, other| (&one.draw, &one.id).cmp(&(&other.draw, &other.id)));
        let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
        let mut chosen = BTreeSet::new();
        for (at, item) in samples.into_iter().enumerate() {
            let of_sort = taken.entry(&item.stratum).or_default();
            if at < wanted || *of_sort < of_each {
                chosen.insert(item.id.as_str());
            }
            *of_sort += 1;
        }
        chosen
    }

    /// Side-by-sides asked about: those of different texts, of the recordings drawn lowest.
    pub fn asked(&self, kind: ItemKind, wanted: usize) -> Vec<&Item> {
        let mut items: Vec<&Item> = self.of_kind(kind).filter(|item| !item.same).collect();
        items.sort_by(|one, other| (&one.draw, &one.id).cmp(&(&other.draw, &other.id)));
        items.truncate(wanted);
        items
    }

    /// The items of a kind.
    pub fn of_kind(&self, kind: ItemKind) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.kind == kind)
    }
}

/// What was said last of the item or its cluster, if it still counts.
fn said(
    item: &Item,
    by_target: &BTreeMap<&str, Vec<&Act>>,
    place: usize,
    now: DateTime<Utc>,
) -> Option<Standing> {
    let signature = item.about.as_ref().map(|about| about.signature.as_str());
    let own = by_target.get(item.id.as_str()).into_iter().flatten();
    let clusters = signature.and_then(|signature| by_target.get(signature));
    let mut acts: Vec<&&Act> = own.chain(clusters.into_iter().flatten()).collect();
    acts.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
    let last = acts.last()?;
    let by = last.by.clone();
    Some(match last.says {
        // What joined a cluster since, beyond half as many again, nobody has spoken for.
        Says::Accept if last.on_cluster => {
            let place = i64::try_from(place).unwrap_or(i64::MAX);
            let spoken_for = 2 * place < 3 * last.size;
            return spoken_for.then_some(Standing::Accepted { by, carried: false });
        }
        Says::Accept => Standing::Accepted { by, carried: false },
        Says::Reject => Standing::Rejected {
            by,
            owner: last.owner.clone(),
            reason: last.reason.clone(),
        },
        Says::NeedsInfo => Standing::NeedsInfo {
            by,
            reason: last.reason.clone(),
        },
        Says::Waive => return waived(item, &acts, place, now),
    })
}

/// How a waiver stands: it counts until its day, for so many items, and of S1 with two names.
fn waived(item: &Item, acts: &[&&Act], place: usize, now: DateTime<Utc>) -> Option<Standing> {
    let waivers = acts.iter().rev().take_while(|act| act.says == Says::Waive);
    let in_force: Vec<&&&Act> = waivers
        .filter(|act| act.until.is_some_and(|until| until > now))
        .filter(|act| {
            let place = i64::try_from(place).unwrap_or(i64::MAX);
            !act.on_cluster || act.at_most.is_some_and(|most| place < most)
        })
        .collect();
    let last = in_force.first()?;
    let severity = item
        .about
        .as_ref()
        .map_or(Severity::S1, |about| about.severity);
    let by: BTreeSet<String> = in_force.iter().map(|act| act.by.clone()).collect();
    match severity {
        Severity::S0 => None,
        Severity::S1 if by.len() < 2 => Some(Standing::HalfWaived {
            by: last.by.clone(),
        }),
        Severity::S1 | Severity::S2 | Severity::S3 => Some(Standing::Waived {
            by: by.into_iter().collect(),
            owner: last.owner.clone(),
            until: in_force.iter().filter_map(|act| act.until).min()?,
        }),
    }
}
