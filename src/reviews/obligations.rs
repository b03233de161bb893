//! What has to have been looked at before a cutover, and how far that is.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::blind::{BLIND_LEAST, Choice, Tally, kappa, tally};
use super::book::{Book, Standing};
use super::item::{Item, ItemKind};
use super::rule::Rule;
use crate::compare::Severity;
use crate::model::{RunId, wilson};

/// Recordings looked at whatever their class, matches among them.
pub(super) const RANDOM: usize = 30;

/// Recordings looked at of each sort of meeting.
pub(super) const OF_EACH_STRATUM: usize = 5;

/// Side-by-sides of titles, and as many of summaries.
pub(super) const SIDE_BY_SIDES: usize = 20;

/// A cluster of so many recordings is looked at.
const LARGE_CLUSTER: usize = 3;

/// Something that has to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Obligation {
    /// What it is called.
    pub name: &'static str,
    /// What it asks, for people.
    pub what: String,
    /// How much is done.
    pub done: u64,
    /// How much has to be.
    pub needed: u64,
    /// Whether it is met; where a share has to be reached, counting alone does not tell.
    pub met: bool,
}

/// A waiver in force.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Waiver {
    /// The item or the cluster.
    pub on: String,
    /// Who signed.
    pub by: Vec<String>,
    /// Who owns it.
    pub owner: String,
    /// Until when.
    pub until: DateTime<Utc>,
}

/// How the reviews of a migration stand.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Summary {
    /// Recordings there are items of.
    pub recordings: u64,
    /// S0 and S1 that nobody has accepted or waived; any is NO-GO.
    pub open_severe: u64,
    /// Of these, S0.
    pub open_gravest: u64,
    /// Rejections, each a blocker with an owner.
    pub blockers: u64,
    /// What has to be done.
    pub obligations: Vec<Obligation>,
    /// Of recordings in the random sample so far, the share that was rejected is at most this, with
    /// 95 % confidence.
    pub missed_at_most: Option<f64>,
    /// How titles came out.
    pub titles: Tally,
    /// How summaries came out.
    pub summaries: Tally,
    /// How far reviewers agree beyond chance.
    pub kappa: Option<f64>,
    /// Waivers in force.
    pub waivers: Vec<Waiver>,
    /// Rules in force.
    pub rules: Vec<Rule>,
    /// How many differences each rule hides, in the order of `rules`.
    pub hidden: Vec<u64>,
}

impl Summary {
    /// Whether nothing is left to be done.
    pub fn is_done(&self) -> bool {
        self.open_severe == 0
            && self.blockers == 0
            && self.obligations.iter().all(|obligation| obligation.met)
    }
}

fn side_by_sides(name: &'static str, tally: &Tally) -> Obligation {
    let done = tally.win + tally.tie + tally.loss;
    let good = tally.at_least.is_some_and(|least| least >= BLIND_LEAST);
    Obligation {
        name,
        what: format!(
            "{SIDE_BY_SIDES} blind side-by-sides, the candidate as good or better in at least {:.0} %",
            BLIND_LEAST * 100.0
        ),
        done,
        needed: SIDE_BY_SIDES as u64,
        met: done >= SIDE_BY_SIDES as u64 && good,
    }
}

/// Whether an item is about a difference of severity S0.
fn is_gravest(item: &Item) -> bool {
    let about = item.about.as_ref();
    about.is_some_and(|about| about.severity == Severity::S0)
}

impl Book {
    /// Runs that people are asked to look at, and have not decided on: what is severe, what somebody began
    /// to decide, what was drawn, and what is to be chosen between.
    pub fn asked_for(&self, now: DateTime<Utc>) -> BTreeSet<RunId> {
        let standings = self.standings(now);
        let standing = |item: &Item| standings.get(item.id.as_str()).unwrap_or(&Standing::Open);
        let drawn = self.sampled(RANDOM, OF_EACH_STRATUM);
        let is_asked = |item: &&Item| match item.kind {
            ItemKind::Difference => {
                let blocks = item
                    .about
                    .as_ref()
                    .is_some_and(|about| about.severity.blocks());
                match standing(item) {
                    Standing::Open => blocks,
                    Standing::NeedsInfo { .. }
                    | Standing::HalfWaived { .. }
                    | Standing::Reaffirm { .. } => true,
                    Standing::Accepted { .. }
                    | Standing::Rejected { .. }
                    | Standing::Waived { .. }
                    | Standing::Hidden { .. } => false,
                }
            }
            ItemKind::Sample => {
                let is_open = matches!(standing(item), Standing::Open | Standing::NeedsInfo { .. });
                is_open && drawn.contains(item.id.as_str())
            }
            ItemKind::Title | ItemKind::Summary => false,
        };
        let unchosen = |item: &&Item| !self.choices.iter().any(|chosen| chosen.item == item.id);
        let titles = self.asked(ItemKind::Title, SIDE_BY_SIDES);
        let summaries = self.asked(ItemKind::Summary, SIDE_BY_SIDES);
        let to_choose = titles.into_iter().chain(summaries).filter(unchosen);
        let to_decide = self.items.iter().filter(is_asked);
        to_decide
            .chain(to_choose)
            .map(|item| item.run.clone())
            .collect()
    }

    /// How the reviews stand.
    pub fn summary(&self, now: DateTime<Utc>) -> Summary {
        let standings = self.standings(now);
        let standing = |id: &str| standings.get(id).unwrap_or(&Standing::Open);
        let differences = || self.of_kind(ItemKind::Difference);
        let severe = || {
            differences().filter(|item| {
                let about = item.about.as_ref();
                about.is_some_and(|about| about.severity.blocks())
            })
        };
        let is_open = |id: &str| !standing(id).is_settled();
        let open = || severe().filter(|item| is_open(&item.id));
        let open_severe = open().count();
        let open_gravest = open().filter(|item| is_gravest(item)).count();
        let (titles, summaries) = (
            self.tally_of(ItemKind::Title),
            self.tally_of(ItemKind::Summary),
        );
        let clusters = self.clusters(now);
        let large = || {
            clusters
                .iter()
                .filter(|cluster| cluster.size >= LARGE_CLUSTER)
        };
        let seen = |item: &str| {
            matches!(
                standing(item),
                Standing::Accepted { .. } | Standing::Rejected { .. }
            )
        };
        let random = self.sampled(RANDOM, 0);
        let random_seen: Vec<&&str> = random.iter().filter(|item| seen(item)).collect();
        let rejected = random_seen
            .iter()
            .filter(|item| matches!(standing(item), Standing::Rejected { .. }));
        let rejected = rejected.count();
        let (strata_done, strata_needed) = self.strata(&seen);
        let count = |name, what: String, done: usize, needed: usize| Obligation {
            name,
            what,
            done: done as u64,
            needed: needed as u64,
            met: done >= needed,
        };
        let mut obligations = vec![
            count(
                "severe",
                "every S0 and S1 difference is accepted or waived".to_owned(),
                severe().count() - open_severe,
                severe().count(),
            ),
            count(
                "clusters",
                format!("every cluster of {LARGE_CLUSTER} recordings or more is settled"),
                large()
                    .filter(|cluster| cluster.settled == cluster.size)
                    .count(),
                large().count(),
            ),
            count(
                "random",
                format!("{RANDOM} recordings drawn at random are looked at, matches among them"),
                random_seen.len(),
                RANDOM,
            ),
            count(
                "strata",
                format!("{OF_EACH_STRATUM} recordings of each sort of meeting are looked at"),
                strata_done,
                strata_needed,
            ),
        ];
        obligations.push(side_by_sides("blind_titles", &titles));
        obligations.push(side_by_sides("blind_summaries", &summaries));
        let blockers: BTreeSet<&str> = standings
            .iter()
            .filter(|(_, standing)| matches!(standing, Standing::Rejected { .. }))
            .map(|(id, _)| *id)
            .collect();
        let hidden_by = |rule: &Rule| {
            let hides = |standing: &&Standing| matches!(standing, Standing::Hidden { rule: by } if *by == rule.id);
            standings.values().filter(hides).count() as u64
        };
        let looked_at = random_seen.len() as u64;
        Summary {
            recordings: self.of_kind(ItemKind::Sample).count() as u64,
            open_severe: open_severe as u64,
            open_gravest: open_gravest as u64,
            blockers: blockers.len() as u64,
            obligations,
            missed_at_most: (looked_at > 0).then(|| wilson::upper(rejected as u64, looked_at)),
            titles,
            summaries,
            kappa: self.agreement(),
            waivers: self.waivers(&standings),
            hidden: self.rules.iter().map(hidden_by).collect(),
            rules: self.rules.clone(),
        }
    }

    /// Of each sort of meeting, how many recordings were looked at, and how many have to be: there may
    /// be fewer than wanted.
    fn strata(&self, seen: &dyn Fn(&str) -> bool) -> (usize, usize) {
        let mut strata: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for item in self.of_kind(ItemKind::Sample) {
            let (done, all) = strata.entry(&item.stratum).or_default();
            *done += usize::from(seen(&item.id));
            *all += 1;
        }
        strata.values().fold((0, 0), |(done, needed), (of, all)| {
            let wanted = OF_EACH_STRATUM.min(*all);
            (done + wanted.min(*of), needed + wanted)
        })
    }

    /// The first choice made counts; texts that are equal are a tie nobody has to be asked about.
    fn tally_of(&self, kind: ItemKind) -> Tally {
        let same = self.of_kind(kind).filter(|item| item.same).count();
        let first = self
            .of_kind(kind)
            .filter(|item| !item.same)
            .filter_map(|item| self.choices.iter().find(|chosen| chosen.item == item.id));
        tally(first.map(|chosen| chosen.choice), same as u64)
    }

    /// Kappa over the first two reviewers of each side-by-side.
    fn agreement(&self) -> Option<f64> {
        let mut by_item: BTreeMap<&str, Vec<Choice>> = BTreeMap::new();
        for chosen in &self.choices {
            by_item.entry(&chosen.item).or_default().push(chosen.choice);
        }
        let pairs = by_item.values().filter_map(|choices| match choices[..] {
            [one, other, ..] => Some((one, other)),
            _ => None,
        });
        kappa(&pairs.collect::<Vec<_>>())
    }

    fn waivers(&self, standings: &BTreeMap<&str, Standing>) -> Vec<Waiver> {
        let mut waivers = BTreeSet::new();
        for item in &self.items {
            let Some(Standing::Waived { by, owner, until }) = standings.get(item.id.as_str())
            else {
                continue;
            };
            let by_cluster = item.about.as_ref().map(|about| about.signature.as_str());
            let acts = self.acts.iter().rev();
            let mut acts =
                acts.filter(|act| act.on == item.id || Some(act.on.as_str()) == by_cluster);
            let on = acts.next().map_or(item.id.as_str(), |act| act.on.as_str());
            waivers.insert(Waiver {
                on: on.to_owned(),
                by: by.clone(),
                owner: owner.clone(),
                until: *until,
            });
        }
        waivers.into_iter().collect()
    }
}
