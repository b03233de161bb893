//! Differences of many recordings that are of one sort, so that people look at each sort once.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::class::Class;
use super::comparison::Comparison;
use super::field::Field;
use super::severity::Severity;

/// What recordings have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cluster {
    /// Digest of field, class and pattern.
    pub signature: String,
    /// Which field.
    pub field: Field,
    /// What sort.
    pub class: Class,
    /// The worst of its members.
    pub severity: Severity,
    /// Place and shapes.
    pub pattern: String,
    /// How many recordings have it.
    pub recordings: usize,
    /// How many differences these are.
    pub differences: usize,
}

impl Cluster {
    /// What clusters are put in order by: how many recordings, times how bad.
    pub fn rank(&self) -> u64 {
        self.recordings as u64 * self.severity.weight()
    }
}

/// The clusters of comparisons, each named by its recording, the highest rank first.
pub fn clusters<'a>(comparisons: impl Iterator<Item = (&'a str, &'a Comparison)>) -> Vec<Cluster> {
    let mut all: BTreeMap<String, (Cluster, BTreeSet<&str>)> = BTreeMap::new();
    for (recording, comparison) in comparisons {
        for result in &comparison.fields {
            for found in &result.found {
                let (cluster, recordings) =
                    all.entry(found.signature.clone()).or_insert_with(|| {
                        let cluster = Cluster {
                            signature: found.signature.clone(),
                            field: result.field,
                            class: found.class,
                            severity: found.severity,
                            pattern: found.pattern.clone(),
                            recordings: 0,
                            differences: 0,
                        };
                        (cluster, BTreeSet::new())
                    });
                recordings.insert(recording);
                cluster.severity = cluster.severity.min(found.severity);
                cluster.recordings = recordings.len();
                cluster.differences += found.count;
            }
        }
    }
    let mut all: Vec<Cluster> = all.into_values().map(|(cluster, _)| cluster).collect();
    all.sort_by(|one, other| {
        let rank = other.rank().cmp(&one.rank());
        rank.then_with(|| one.signature.cmp(&other.signature))
    });
    all
}
