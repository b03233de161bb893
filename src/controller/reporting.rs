//! The report on all the evidence of an environment and flag.

use anyhow::Context;

use super::Mover;
use crate::{
    gate::Ended,
    model::RunId,
    report::evidence::{About, EvidenceReport, Material, StepsOfRun},
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
                classes: &[],
            })
        })
        .await
        .context("making the report on the evidence")
    }
}
