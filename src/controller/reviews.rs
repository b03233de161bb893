//! Reviews: one set of acts behind the command line, the API and the console.

use std::sync::Arc;

use anyhow::Context;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    moving::MANY,
    recent::{Recent, Weighty},
    shadow::Clock,
};
use crate::{
    compare::{Difference, TextDifference},
    model::Outcome,
    report::ReportData,
    reviews::{
        Act, Book, Choice, ClusterStanding, Foreseen, Item, ItemKind, NewRule, Preview, Refused,
        Side, Sought, Standing, Summary, Wanted, foresee, preview,
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
    /// The book as it was read last, for whoever only looks.
    pub recent: Recent<Book>,
}

impl Weighty for Book {
    fn is_weighty(&self) -> bool {
        i64::try_from(self.items.len()).is_ok_and(|items| items >= MANY)
    }
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

/// An item with everything that is known of it, and its place in the queue.
pub struct Opened {
    /// The item.
    pub listed: Listed,
    /// What was said of it and of its cluster, oldest first.
    pub acts: Vec<Act>,
    /// Whose side they found better, of a side-by-side that they have answered.
    pub chose: Option<Choice>,
    /// The report on its run.
    pub report: ReportData,
    /// Its cluster.
    pub cluster: Option<ClusterStanding>,
    /// Its place in the queue as it is sought, from 1; none where it is not in it.
    pub place: Option<usize>,
    /// How many are in it.
    pub of: usize,
    /// The item before it.
    pub before: Option<String>,
    /// The item after it; of one that is not in the queue, the first.
    pub after: Option<String>,
}

/// A cluster with its items.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ClusterDetail {
    /// How it stands.
    #[serde(flatten)]
    pub cluster: ClusterStanding,
    /// Its items, in the order they were made.
    pub members: Vec<Listed>,
    /// What was said of all of it, oldest first.
    pub acts: Vec<Act>,
    /// How many of them whoever asks has opened.
    pub opened: usize,
}

/// Two texts beside each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sides {
    /// One.
    pub left: String,
    /// The other.
    pub right: String,
}

impl Sides {
    /// The texts of a side-by-side; nothing of another item.
    pub fn of(item: &Item, report: &ReportData) -> Option<Self> {
        let text = |outcome: &Outcome| {
            let text = match item.kind {
                ItemKind::Title => outcome.title.as_ref(),
                ItemKind::Summary => outcome.long_summary.as_ref(),
                ItemKind::Difference | ItemKind::Sample => return None,
            };
            Some(text.cloned().unwrap_or_default())
        };
        let (control, candidate) = (text(&report.control)?, text(&report.candidate)?);
        Some(if item.candidate_left {
            Self {
                left: candidate,
                right: control,
            }
        } else {
            Self {
                left: control,
                right: candidate,
            }
        })
    }
}

impl Reviews {
    /// Makes items of comparisons that have none yet.
    pub async fn refresh(&self) -> anyhow::Result<usize> {
        let now = (self.clock)();
        self.store
            .make_review_items(&self.about, &self.salt, now)
            .await
    }

    /// Everything, or as it was a moment ago where it is much: for whoever looks. Whatever is said or chosen
    /// is decided on everything, in a transaction.
    async fn book(&self) -> anyhow::Result<Arc<Book>> {
        let reviews = self.clone();
        let read = async move || {
            reviews.refresh().await?;
            let now = (reviews.clock)();
            reviews.store.review_book(&reviews.about, now).await
        };
        self.recent.look(read).await
    }

    /// Notes that somebody opened an item.
    async fn note_opened(&self, id: &str, by: &str) -> anyhow::Result<()> {
        let is_first = self.store.open_review_item(id, by, (self.clock)()).await?;
        if is_first {
            self.recent.forget().await;
        }
        Ok(())
    }

    /// How the reviews stand.
    pub async fn summary(&self) -> anyhow::Result<Summary> {
        Ok(self.book().await?.summary((self.clock)()))
    }

    /// What is open, the gravest first; side-by-sides only where `by` has not chosen yet.
    pub async fn queue(&self, by: Option<&str>) -> anyhow::Result<Vec<Listed>> {
        self.sought(by, &Sought::default()).await
    }

    /// What is sought of the queue.
    pub async fn sought(&self, by: Option<&str>, sought: &Sought) -> anyhow::Result<Vec<Listed>> {
        let book = self.book().await?;
        let queue = book.sought(by, sought, (self.clock)());
        let listed = queue.into_iter().map(|(item, standing)| Listed {
            item: item.clone(),
            standing,
        });
        Ok(listed.collect())
    }

    /// How the reviews stand and what is sought of the queue, as they are at one moment.
    pub async fn overview(
        &self,
        by: Option<&str>,
        sought: &Sought,
    ) -> anyhow::Result<(Summary, Vec<Listed>)> {
        let (book, now) = (self.book().await?, (self.clock)());
        let queue = book.sought(by, sought, now);
        let listed = queue.into_iter().map(|(item, standing)| Listed {
            item: item.clone(),
            standing,
        });
        let listed = listed.collect();
        Ok((book.summary(now), listed))
    }

    /// An item with its place in the queue as it is sought, noting that `by` opened it; none where there
    /// is no such item.
    pub async fn opened(
        &self,
        id: &str,
        by: &str,
        sought: &Sought,
    ) -> anyhow::Result<Option<Opened>> {
        let now = (self.clock)();
        let book = self.book().await?;
        let Some(item) = book.item(id) else {
            return Ok(None);
        };
        let report = self.report_on(item).await?;
        self.note_opened(id, by).await?;
        let queue = book.sought(Some(by), sought, now);
        let at = queue.iter().position(|(other, _)| other.id == id);
        let nth = |at: Option<usize>| Some(queue.get(at?)?.0.id.clone());
        let signature = item.about.as_ref().map(|about| about.signature.as_str());
        let clusters = book.clusters(now);
        let mut choices = book.choices.iter();
        Ok(Some(Opened {
            acts: book
                .acts
                .iter()
                .filter(|act| act.on == id || Some(act.on.as_str()) == signature)
                .cloned()
                .collect(),
            chose: choices
                .find(|chosen| chosen.item == id && chosen.by == by)
                .map(|chosen| chosen.choice),
            report,
            cluster: clusters
                .into_iter()
                .find(|cluster| Some(cluster.signature.as_str()) == signature),
            place: at.map(|at| at + 1),
            of: queue.len(),
            before: nth(at.and_then(|at| at.checked_sub(1))),
            after: nth(at.map_or(Some(0), |at| Some(at + 1))),
            listed: Listed {
                item: item.clone(),
                standing: book
                    .standings(now)
                    .get(id)
                    .cloned()
                    .unwrap_or(Standing::Open),
            },
        }))
    }

    /// An item with how it stands; none where there is no such item.
    pub async fn item(&self, id: &str) -> anyhow::Result<Option<Listed>> {
        let book = self.book().await?;
        let standings = book.standings((self.clock)());
        Ok(book.item(id).map(|item| Listed {
            item: item.clone(),
            standing: standings.get(id).cloned().unwrap_or(Standing::Open),
        }))
    }

    /// A cluster with its items; none where there is none of that signature.
    pub async fn cluster(
        &self,
        signature: &str,
        by: Option<&str>,
    ) -> anyhow::Result<Option<ClusterDetail>> {
        let (book, now) = (self.book().await?, (self.clock)());
        let clusters = book.clusters(now);
        let found = clusters
            .into_iter()
            .find(|cluster| cluster.signature == signature);
        let Some(cluster) = found else {
            return Ok(None);
        };
        let standings = book.standings(now);
        let members: Vec<Listed> = cluster
            .items
            .iter()
            .filter_map(|id| {
                Some(Listed {
                    item: book.item(id)?.clone(),
                    standing: standings.get(id.as_str())?.clone(),
                })
            })
            .collect();
        let has_opened = |id: &&String| {
            let mut opened = book.opened.iter();
            opened.any(|opened| opened.item == **id && Some(opened.by.as_str()) == by)
        };
        Ok(Some(ClusterDetail {
            opened: cluster.items.iter().filter(has_opened).count(),
            acts: book
                .acts
                .iter()
                .filter(|act| act.on == signature)
                .cloned()
                .collect(),
            members,
            cluster,
        }))
    }

    /// What a verdict would come to.
    pub async fn foresee(&self, wanted: &Wanted) -> anyhow::Result<Result<Foreseen, Refused>> {
        let book = self.book().await?;
        Ok(foresee(&book, wanted, (self.clock)()))
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
        let report = self.report_on(item).await?;
        self.note_opened(id, by).await?;
        Ok(Some(shown(item, standing, &report)))
    }

    async fn report_on(&self, item: &Item) -> anyhow::Result<ReportData> {
        let stored = self.store.newest_comparison(&item.run).await?;
        let stored = stored.with_context(|| format!("run `{}` has no comparison", item.run))?;
        // What lies below the message may quote the meeting.
        serde_json::from_value(stored.report).map_err(|_| {
            anyhow::anyhow!(
                "the report on run `{0}` cannot be read; `switchyard compare {0}` writes it anew",
                item.run
            )
        })
    }

    /// Says something of an item or a cluster.
    pub async fn say(&self, wanted: &Wanted) -> anyhow::Result<Result<String, Refused>> {
        self.refresh().await?;
        let said = self
            .store
            .say_in_review(&self.about, wanted, (self.clock)())
            .await;
        self.recent.forget().await;
        said
    }

    /// Chooses a side; whose it was is told only now.
    pub async fn choose(
        &self,
        item: &str,
        side: Side,
        by: &str,
    ) -> anyhow::Result<Result<Choice, Refused>> {
        let chosen = self
            .store
            .choose_in_review(&self.about, (item, side, by), (self.clock)())
            .await;
        self.recent.forget().await;
        chosen
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
        let made = self
            .store
            .make_review_rule(&self.about, rule, (self.clock)())
            .await;
        self.recent.forget().await;
        made
    }

    /// Removes a rule. False where there is none of that id.
    pub async fn remove_rule(&self, id: &str, by: &str, reason: &str) -> anyhow::Result<bool> {
        let removed = self
            .store
            .remove_review_rule(&self.about, id, (by, reason), (self.clock)())
            .await;
        self.recent.forget().await;
        removed
    }
}

fn shown(item: &Item, standing: Standing, report: &ReportData) -> Shown {
    let sides = Sides::of(item, report);
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
