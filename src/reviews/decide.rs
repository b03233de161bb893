//! What may be said of an item or a cluster, by whom, and under which conditions.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::book::Book;
use super::item::{Item, ItemKind};
use crate::compare::Severity;

/// The most days a waiver or a rule lasts.
pub const LONGEST_DAYS: i64 = 30;

/// Items of a cluster somebody has to have opened before they speak for all of it.
pub const OPENED_FOR_A_CLUSTER: usize = 5;

/// The most items one waiver covers.
const COVERS_AT_MOST: i64 = 1000;

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// It is as good as the control's, or better.
    Accept,
    /// It is not; somebody has to mend it.
    Reject,
    /// It is not, and is borne for a while.
    Waive,
    /// More has to be known.
    NeedsInfo,
}

impl Says {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Accept, Self::Reject, Self::Waive, Self::NeedsInfo];

    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Waive => "waive",
            Self::NeedsInfo => "needs_info",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|says| says.as_str() == name)
    }
}

/// What it is said of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One item, by id.
    Item(String),
    /// All of one sort, by signature.
    Cluster(String),
}

impl Target {
    /// An item's id begins with `itm_`; anything else is a signature.
    pub fn parse(text: &str) -> Self {
        if text.starts_with("itm_") {
            Self::Item(text.to_owned())
        } else {
            Self::Cluster(text.to_owned())
        }
    }

    /// The id or the signature.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Item(id) => id,
            Self::Cluster(signature) => signature,
        }
    }
}

/// What somebody wants to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Of what.
    pub on: Target,
    /// What.
    pub says: Says,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Who is to mend it, or answers for the waiver.
    pub owner: String,
    /// How many days a waiver lasts.
    pub days: Option<i64>,
    /// How many items a waiver covers.
    pub at_most: Option<i64>,
}

/// Why something may not be said or done, and what would help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error, JsonSchema)]
#[error("{reason}; {remedy}")]
pub struct Refused {
    /// Why.
    pub reason: String,
    /// What would help.
    pub remedy: String,
}

impl Refused {
    /// A refusal.
    pub fn new(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }
}

/// Whether it may be said; the items it is about.
pub fn decide<'a>(book: &'a Book, wanted: &Wanted) -> Result<Vec<&'a Item>, Refused> {
    if wanted.by.trim().is_empty() {
        return Err(Refused::new("nobody is named", "say who gives the verdict"));
    }
    let items = targets(book, &wanted.on)?;
    if let Some(blind) = items.iter().find(|item| item.kind.is_blind()) {
        return Err(Refused::new(
            format!(
                "`{}` asks which side is better, not for a verdict",
                blind.id
            ),
            "choose left, right or tie",
        ));
    }
    if wanted.says != Says::Accept && wanted.reason.trim().is_empty() {
        return Err(Refused::new(
            "no reason is given",
            "write why; it goes on record",
        ));
    }
    if let Target::Cluster(_) = wanted.on {
        opened_enough(book, &items, &wanted.by)?;
    }
    match wanted.says {
        Says::Reject if wanted.owner.trim().is_empty() => {
            return Err(Refused::new(
                "a rejection blocks until it is mended, and nobody is to mend it",
                "name an owner",
            ));
        }
        Says::Accept | Says::NeedsInfo | Says::Reject => {}
        Says::Waive => may_waive(book, wanted, &items)?,
    }
    Ok(items)
}

fn targets<'a>(book: &'a Book, on: &Target) -> Result<Vec<&'a Item>, Refused> {
    let items: Vec<&Item> = match on {
        Target::Item(id) => book.item(id).into_iter().collect(),
        Target::Cluster(signature) => book
            .items
            .iter()
            .filter(|item| {
                let about = item.about.as_ref();
                about.is_some_and(|about| about.signature == *signature)
            })
            .collect(),
    };
    if items.is_empty() {
        let what = match on {
            Target::Item(_) => "item",
            Target::Cluster(_) => "cluster",
        };
        return Err(Refused::new(
            format!(
                "there is no {what} `{}` under the versions as they are",
                on.as_str()
            ),
            "list what there is with `switchyard review`",
        ));
    }
    Ok(items)
}

fn opened_enough(book: &Book, items: &[&Item], by: &str) -> Result<(), Refused> {
    let ids: BTreeSet<&str> = items.iter().map(|item| item.id.as_str()).collect();
    let opened: BTreeSet<&str> = book
        .opened
        .iter()
        .filter(|opened| opened.by == by && ids.contains(opened.item.as_str()))
        .map(|opened| opened.item.as_str())
        .collect();
    let needed = OPENED_FOR_A_CLUSTER.min(ids.len());
    if opened.len() < needed {
        return Err(Refused::new(
            format!(
                "{by} has opened {} of the {needed} items it takes to speak for all {}",
                opened.len(),
                ids.len()
            ),
            "open more of them with `switchyard review show ITEM --by NAME`",
        ));
    }
    Ok(())
}

fn may_waive(book: &Book, wanted: &Wanted, items: &[&Item]) -> Result<(), Refused> {
    if items.iter().any(|item| item.kind == ItemKind::Sample) {
        return Err(Refused::new(
            "a sampled recording is not waived",
            "accept or reject it; differences in it are waived one by one",
        ));
    }
    let worst = items
        .iter()
        .filter_map(|item| item.about.as_ref())
        .map(|about| about.severity)
        .min();
    if worst == Some(Severity::S0) {
        return Err(Refused::new(
            "S0 is never waived: data, consent or somebody else's inbox is at stake",
            "reject it, and have it mended",
        ));
    }
    if wanted.owner.trim().is_empty() {
        return Err(Refused::new(
            "a waiver has an owner, who answers for it",
            "name one",
        ));
    }
    if !wanted
        .days
        .is_some_and(|days| (1..=LONGEST_DAYS).contains(&days))
    {
        return Err(Refused::new(
            "a waiver lasts 1 to 30 days",
            "say how many; it can be given again",
        ));
    }
    let covers = |most: i64| (1..=COVERS_AT_MOST).contains(&most);
    if !wanted.at_most.is_some_and(covers) {
        return Err(Refused::new(
            "a waiver covers at most 1 to 1000 items",
            "say how many",
        ));
    }
    let has_signed =
        book.acts.iter().rev().any(|act| {
            act.on == wanted.on.as_str() && act.by == wanted.by && act.says == Says::Waive
        });
    let last_is_theirs = book
        .acts
        .iter()
        .rev()
        .find(|act| act.on == wanted.on.as_str())
        .is_some_and(|act| act.says == Says::Waive && act.by == wanted.by);
    if worst == Some(Severity::S1) && has_signed && last_is_theirs {
        return Err(Refused::new(
            "S1 takes two people, and this one has signed",
            "have somebody else waive it too",
        ));
    }
    Ok(())
}
