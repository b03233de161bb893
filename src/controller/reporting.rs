//! Reports: on one run, and on all the evidence of an environment and flag.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Mover, Shadow};
use crate::{
    compare::Class,
    gate::{Ended, Rules},
    model::{FlagName, RunId},
    report::evidence::{
        self, Beside, Blind, ClassCount, Earlier, EvidenceReport, Hides, LastRehearsal, LookedAt,
        Material, NewSort, REACH, SPENT_DAYS, Spent, StepsOfRun, Timeline, Waiver,
    },
    report::{Borne, BorneHow, ReportData},
    reviews::{Act, Book, ClusterStanding, Item, Says, Standing, Tally},
    store::{About, gate_severity},
};

/// Recordings whose reports are read for the time of their steps: they hold whole transcripts.
const STEPS_OF: usize = 25;

impl Shadow {
    /// The newest report on a run, with the step its differences come from where that is
    /// known, and what of it people bear.
    pub async fn report(&self, run: &RunId) -> anyhow::Result<Option<ReportData>> {
        let Some(stored) = self.store.newest_comparison(run).await? else {
            return Ok(None);
        };
        let mut report: ReportData =
            serde_json::from_value(stored.report).context("reading a report")?;
        let pinning = self.store.pinning(run).await?;
        // One of an earlier comparison explains that one.
        if let Some(pinning) = pinning.filter(|known| known.compared_at >= stored.compared_at) {
            report.pinned =
                serde_json::from_value(pinning.report).context("reading a pinning's report")?;
        }
        let about = About {
            environment: self.environment.clone(),
            flag: FlagName::new(report.flag.as_str()),
            epoch: stored.epoch,
            after: None,
            gate: Rules::default(),
        };
        let now = (self.clock)();
        let book = self.store.review_book(&about, now).await?;
        report.borne = borne(&book, run, now);
        Ok(Some(report))
    }
}

impl Mover {
    /// Reads the evidence, asks the gate, and makes the report; with a time, also of what changed
    /// since then.
    pub async fn evidence_report(
        &self,
        since: Option<DateTime<Utc>>,
    ) -> anyhow::Result<EvidenceReport> {
        let now = (self.clock)();
        let read = self.store.gate_with_facts(&self.about, now).await?;
        let (read, decision, facts) = read;
        let newest: Vec<RunId> = facts
            .pairs
            .iter()
            .rev()
            .filter(|pair| pair.candidate == Ended::Well)
            .take(STEPS_OF)
            .map(|pair| pair.run.clone())
            .collect();
        let reports = self.store.newest_reports(&newest).await?;
        let about = evidence::About {
            environment: self.about.environment.to_string(),
            flag: self.about.flag.to_string(),
            at: shown(now),
            versions: read.epoch,
            digest: read.digest,
        };
        let book = self.store.review_book(&self.about, now).await?;
        let clusters = book.clusters(now);
        let looked_at = looked_at(&book, &clusters, now);
        let classes = classes(clusters.iter());
        let earlier = match since {
            Some(since) => Some(self.earlier(since, &clusters).await?),
            None => None,
        };
        let history = self.store.history(&self.about, now - REACH).await?;
        let beside = self.beside(now).await?;
        let rules = self.about.gate.clone();
        tokio::task::spawn_blocking(move || {
            // One that cannot be read tells of no steps; its comparison counts all the same.
            let steps: Vec<StepsOfRun> = reports
                .iter()
                .filter_map(|report| serde_json::from_str(report).ok())
                .collect();
            EvidenceReport::of(Material {
                about: &about,
                rules: &rules,
                facts: &facts,
                decision: &decision,
                steps: &steps,
                classes: &classes,
                looked_at: &looked_at,
                timeline: &Timeline::of(&history, now),
                beside: &beside,
                earlier: earlier.as_ref(),
            })
        })
        .await
        .context("making the report on the evidence")
    }

    /// The last rehearsal, and what shadow runs cost.
    async fn beside(&self, now: DateTime<Utc>) -> anyhow::Result<Beside> {
        let About {
            environment, flag, ..
        } = &self.about;
        let mut rehearsals = self.store.rehearsals(&self.about, 1).await?;
        let since = now - TimeDelta::days(SPENT_DAYS);
        let used = self.store.shadow_usage(environment, flag, (since, now));
        let costs: Vec<Option<f64>> = used
            .await?
            .iter()
            .map(|usage| self.prices.cost(usage))
            .collect();
        Ok(Beside {
            rehearsal: rehearsals.pop().map(|last| LastRehearsal {
                at: shown(last.started_at),
                id: last.id,
                passed: last.passed,
            }),
            spent: Spent {
                usd: costs.iter().flatten().copied().reduce(|sum, usd| sum + usd),
                kinds: costs.len(),
                unpriced: costs.iter().filter(|cost| cost.is_none()).count(),
            },
        })
    }

    /// How the evidence stood then, and which sorts of differences were seen first after that.
    async fn earlier(
        &self,
        since: DateTime<Utc>,
        clusters: &[ClusterStanding],
    ) -> anyhow::Result<Earlier> {
        let decided = self.store.gate_as_of(&self.about, since).await?;
        let first_seen = self.store.first_seen(&self.about).await?;
        let new = clusters.iter().filter(|cluster| {
            let seen = first_seen.get(&cluster.signature);
            seen.is_some_and(|seen| *seen > since)
        });
        Ok(Earlier {
            at: shown(since),
            decided: decided.map(|(evidence, decision)| (evidence.epoch, decision)),
            new: new
                .map(|cluster| NewSort {
                    field: cluster.field.label().to_owned(),
                    class: cluster.class.to_string().replace('_', " "),
                    severity: gate_severity(cluster.severity),
                    pattern: cluster.pattern.clone(),
                    signature: cluster.signature.clone(),
                    recordings: cluster.size,
                })
                .collect(),
        })
    }
}

fn shown(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// What people looked at and put up with.
fn looked_at(book: &Book, clusters: &[ClusterStanding], now: DateTime<Utc>) -> LookedAt {
    let summary = book.summary(now);
    let blind = |what: &str, tally: &Tally| Blind {
        what: what.to_owned(),
        better: tally.win,
        equal: tally.tie,
        worse: tally.loss,
        at_least: tally.at_least,
    };
    let mut of_fields: BTreeMap<&str, Vec<&ClusterStanding>> = BTreeMap::new();
    for cluster in clusters {
        let field = cluster.field.as_str();
        of_fields.entry(field).or_default().push(cluster);
    }
    LookedAt {
        mix: of_fields
            .into_iter()
            .map(|(field, clusters)| (field.to_owned(), classes(clusters.into_iter())))
            .collect(),
        blind: vec![
            blind("Titles", &summary.titles),
            blind("Summaries", &summary.summaries),
        ],
        waivers: summary
            .waivers
            .into_iter()
            .map(|waiver| Waiver {
                on: waiver.on,
                by: waiver.by,
                owner: waiver.owner,
                until: shown(waiver.until),
            })
            .collect(),
        rules: summary
            .rules
            .into_iter()
            .zip(summary.hidden)
            .map(|(rule, hidden)| Hides {
                what: format!("{} at {} ({})", rule.class, rule.path, rule.predicate),
                id: rule.id,
                by: rule.by,
                reason: rule.reason,
                until: shown(rule.until),
                hidden,
                at_most: rule.at_most,
            })
            .collect(),
    }
}

/// How many recordings have differences of each sort.
fn classes<'a>(clusters: impl Iterator<Item = &'a ClusterStanding>) -> Vec<ClassCount> {
    let mut sorts = BTreeMap::new();
    for cluster in clusters {
        *sorts.entry((cluster.severity, cluster.class)).or_default() += cluster.size;
    }
    let counted = |((severity, class), count): ((_, Class), usize)| ClassCount {
        class: class.to_string().replace('_', " "),
        severity: gate_severity(severity),
        count: i64::try_from(count).unwrap_or(i64::MAX),
    };
    sorts.into_iter().map(counted).collect()
}

/// What of a run people bear: by waivers that count, and by rules.
fn borne(book: &Book, run: &RunId, now: DateTime<Utc>) -> Vec<Borne> {
    let standings = book.standings(now);
    let items = book.items.iter().filter(|item| item.run == *run);
    items
        .filter_map(|item| {
            let about = item.about.as_ref()?;
            let (how, by, until, reason) = match standings.get(item.id.as_str())? {
                Standing::Waived { by, until, .. } => {
                    let reason = last_waiver(book, item).map_or("", |act| act.reason.as_str());
                    (BorneHow::Waived, by.clone(), *until, reason)
                }
                Standing::Hidden { rule } => {
                    let rule = book.rules.iter().find(|known| known.id == *rule)?;
                    let how = BorneHow::Hidden(rule.id.clone());
                    (how, vec![rule.by.clone()], rule.until, rule.reason.as_str())
                }
                _ => return None,
            };
            Some(Borne {
                field: about.field.label().to_owned(),
                class: about.class.to_string().replace('_', " "),
                severity: about.severity,
                how,
                by,
                until: shown(until),
                reason: reason.to_owned(),
            })
        })
        .collect()
}

/// What was said last of an item or its cluster.
fn last_waiver<'a>(book: &'a Book, item: &Item) -> Option<&'a Act> {
    let signature = item.about.as_ref().map(|about| about.signature.as_str());
    let mut acts = book.acts.iter().rev();
    acts.find(|act| {
        act.says == Says::Waive && (act.on == item.id || Some(act.on.as_str()) == signature)
    })
}
