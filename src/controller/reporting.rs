//! The report on all the evidence of an environment and flag.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, Utc};

use super::Mover;
use crate::{
    compare::Class,
    gate::Ended,
    model::RunId,
    report::evidence::{About, ClassCount, EvidenceReport, Material, StepsOfRun},
    store::gate_severity,
};

/// Recordings whose reports are read for the time of their steps: they hold whole transcripts.
const STEPS_OF: usize = 25;

impl Mover {
    /// Reads the evidence, asks the gate, and makes the report.
    pub async fn evidence_report(&self) -> anyhow::Result<EvidenceReport> {
        let now = (self.clock)();
        let read = self.store.gate_with_facts(&self.about, now).await?;
        let (evidence, decision, facts) = read;
        let newest: Vec<RunId> = facts
            .pairs
            .iter()
            .rev()
            .filter(|pair| pair.candidate == Ended::Well)
            .take(STEPS_OF)
            .map(|pair| pair.run.clone())
            .collect();
        let reports = self.store.newest_reports(&newest).await?;
        let about = About {
            environment: self.about.environment.to_string(),
            flag: self.about.flag.to_string(),
            at: now.format("%Y-%m-%d %H:%M UTC").to_string(),
            versions: evidence.epoch,
            digest: evidence.digest,
        };
        let classes = self.classes(now).await?;
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
            })
        })
        .await
        .context("making the report on the evidence")
    }

    /// How many recordings have differences of each sort.
    async fn classes(&self, now: DateTime<Utc>) -> anyhow::Result<Vec<ClassCount>> {
        let book = self.store.review_book(&self.about, now).await?;
        let mut sorts = BTreeMap::new();
        for cluster in book.clusters(now) {
            *sorts.entry((cluster.severity, cluster.class)).or_default() += cluster.size;
        }
        let counted = |((severity, class), count): ((_, Class), usize)| ClassCount {
            class: class.to_string().replace('_', " "),
            severity: gate_severity(severity),
            count: i64::try_from(count).unwrap_or(i64::MAX),
        };
        Ok(sorts.into_iter().map(counted).collect())
    }
}
