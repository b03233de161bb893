//! Reviews: one set of acts behind the command line, the API and the console.

use anyhow::Context;
use schemars::JsonSchema;
use serde::Serialize;

use super::shadow::Clock;
use crate::{
    compare::{Difference, TextDifference},
    report::ReportData,
    reviews::{
        Book, Choice, ClusterStanding, Item, ItemKind, NewRule, Preview, Refused, Side, Standing,
        Summary, Wanted, preview,
    },
    store::{About, Store},
};

/// Keeps the reviews of one environment.
#[derive(Clone)]
pub struct Reviews {
    /// What they are about.
    pub about: About,
    /// Our database.
    pub store: Store,
    /// Something nobody can guess: it decides which side of a side-by-side is whose.
    pub salt: String,
    /// The time.
    pub clock: Clock,
}

/// An item with how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Listed {
    /// The item.
    #[serde(flatten)]
    pub item: Item,
    /// How it stands.
    pub standing: Standing,
}

/// What somebody sees who opens an item.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Shown {
    /// The item.
    #[serde(flatten)]
    pub listed: Listed,
    /// Of a side-by-side, the two texts; nothing says whose they are.
    pub sides: Option<Sides>,
    /// Of a difference, the differences themselves.
    pub differences: Vec<Difference>,
    /// Of a difference, the texts around them.
    pub texts: Vec<TextDifference>,
}

/// Two texts beside each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sides {
    /// One.
    pub left: String,
    /// The other.
    pub right: String,
}

impl Reviews {
    /// Makes items of comparisons that have none yet.
    pub async fn refresh(&self) -> anyhow::Result<usize> {
        let now = (self.clock)();
        self.store
            .make_review_items(&self.about, &self.salt, now)
            .await
    }

    async fn book(&self) -> anyhow::Result<Book> {
        self.refresh().await?;
        self.store.review_book(&self.about, (self.clock)()).await
    }

    /// How the reviews stand.
    pub async fn summary(&self) -> anyhow::Result<Summary> {
        Ok(self.book().await?.summary((self.clock)()))
    }

    /// What is open, the gravest first; side-by-sides only where `by` has not chosen yet.
    pub async fn queue(&self, by: Option<&str>) -> anyhow::Result<Vec<Listed>> {
        let book = self.book().await?;
        let queue = book.queue(by, (self.clock)());
        let listed = queue.into_iter().map(|(item, standing)| Listed {
            item: item.clone(),
            standing,
        });
        Ok(listed.collect())
    }

    /// The clusters, the highest rank first.
    pub async fn clusters(&self) -> anyhow::Result<Vec<ClusterStanding>> {
        Ok(self.book().await?.clusters((self.clock)()))
    }

    /// Opens an item, and notes who did; none where there is no such item.
    pub async fn open(&self, id: &str, by: &str) -> anyhow::Result<Option<Shown>> {
        let now = (self.clock)();
        let book = self.book().await?;
        let Some(item) = book.item(id) else {
            return Ok(None);
        };
        let standings = book.standings(now);
        let standing = standings.get(id).cloned().unwrap_or(Standing::Open);
        let stored = self.store.newest_comparison(&item.run).await?;
        let stored = stored.with_context(|| format!("run `{}` has no comparison", item.run))?;
        let report: ReportData = serde_json::from_value(stored.report).map_err(|_| {
            anyhow::anyhow!(
                "the report on run `{0}` cannot be read; `switchyard compare {0}` writes it anew",
                item.run
            )
        })?;
        self.store.open_review_item(id, by, now).await?;
        Ok(Some(shown(item, standing, &report)))
    }

    /// Says something of an item or a cluster.
    pub async fn say(&self, wanted: &Wanted) -> anyhow::Result<Result<String, Refused>> {
        self.refresh().await?;
        self.store
            .say_in_review(&self.about, wanted, (self.clock)())
            .await
    }

    /// Chooses a side; whose it was is told only now.
    pub async fn choose(
        &self,
        item: &str,
        side: Side,
        by: &str,
    ) -> anyhow::Result<Result<Choice, Refused>> {
        self.store
            .choose_in_review(&self.about, (item, side, by), (self.clock)())
            .await
    }

    /// What a rule would have done in the last 30 days.
    pub async fn preview(&self, rule: &NewRule) -> anyhow::Result<Preview> {
        self.refresh().await?;
        let now = (self.clock)();
        let items = self.store.recent_review_items(&self.about, now).await?;
        Ok(preview(rule, &items, now))
    }

    /// Makes a rule.
    pub async fn make_rule(&self, rule: &NewRule) -> anyhow::Result<Result<String, Refused>> {
        self.store
            .make_review_rule(&self.about, rule, (self.clock)())
            .await
    }

    /// Removes a rule. False where there is none of that id.
    pub async fn remove_rule(&self, id: &str, by: &str, reason: &str) -> anyhow::Result<bool> {
        self.store
            .remove_review_rule(&self.about, id, (by, reason), (self.clock)())
            .await
    }
}

fn shown(item: &Item, standing: Standing, report: &ReportData) -> Shown {
    let text = |of: fn(&crate::model::Outcome) -> Option<&String>| {
        let side = |outcome| of(outcome).cloned().unwrap_or_default();
        let (control, candidate) = (side(&report.control), side(&report.candidate));
        if item.candidate_left {
            Sides {
                left: candidate,
                right: control,
            }
        } else {
            Sides {
                left: control,
                right: candidate,
            }
        }
    };
    let sides = match item.kind {
        ItemKind::Title => Some(text(|outcome| outcome.title.as_ref())),
        ItemKind::Summary => Some(text(|outcome| outcome.long_summary.as_ref())),
        ItemKind::Difference | ItemKind::Sample => None,
    };
    let result = item
        .about
        .as_ref()
        .and_then(|about| report.comparison.field(about.field));
    let found = result.zip(item.about.as_ref()).and_then(|(result, about)| {
        let mut found = result.found.iter();
        found.find(|found| found.signature == about.signature)
    });
    let differences = result.zip(found).map_or_else(Vec::new, |(result, found)| {
        let all = result.differences.iter();
        all.filter(|difference| found.pattern == crate::compare::pattern(difference))
            .cloned()
            .collect()
    });
    Shown {
        listed: Listed {
            item: item.clone(),
            standing,
        },
        sides,
        differences,
        texts: result.map_or_else(Vec::new, |result| result.texts.clone()),
    }
}
