//! The recordings that speak most against the candidate.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    gate::{Ended, FAR_SLOWER, Facts, Pair, Rules},
    model::{RecordingId, RunId},
};

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Worst {
    /// The recording.
    pub recording: RecordingId,
    /// The candidate's run.
    pub run: RunId,
    /// What is wrong with it, in words.
    pub why: String,
}

/// Recordings shown.
const SHOWN: usize = 10;

/// The worst first: without a result, then by fields that are failures, then by fields outside of
/// their bounds, then by time. Recordings with nothing of that are not bad, however few there are.
pub(super) fn ten(rules: &Rules, facts: &Facts, failed_by: &[Vec<String>]) -> Vec<Worst> {
    let slower = |pair: &Pair| {
        let ratio = pair.took_ms.map(|took| took.candidate / took.control);
        ratio.filter(|ratio| *ratio > FAR_SLOWER && ratio.is_finite())
    };
    let mut all: Vec<_> = facts
        .pairs
        .iter()
        .zip(failed_by)
        .map(|(pair, failed)| {
            let is_lost = pair.candidate != Ended::Well;
            let outside = pair.outside.len() + pair.broken.len();
            let slow = slower(pair).unwrap_or(0.0);
            (is_lost, failed.len(), outside, slow, pair, failed)
        })
        .filter(|one| one.0 || one.1 + one.2 > 0 || one.3 > 0.0)
        .collect();
    // Of equals the newest, which somebody remembers.
    all.sort_by(|one, other| {
        (other.0, other.1, other.2)
            .cmp(&(one.0, one.1, one.2))
            .then(other.3.total_cmp(&one.3))
            .then(other.4.at.cmp(&one.4.at))
    });
    let told = all.into_iter().take(SHOWN);
    told.map(|(_, _, _, slow, pair, failed)| Worst {
        recording: pair.recording.clone(),
        run: pair.run.clone(),
        why: why(rules, pair, failed, slow),
    })
    .collect()
}

fn why(rules: &Rules, pair: &Pair, failed: &[String], slow: f64) -> String {
    let label = |name: &String| {
        let rule = rules.fields.iter().find(|rule| rule.name == *name);
        rule.map_or_else(|| name.clone(), |rule| rule.label.clone())
    };
    let list = |names: &[String]| names.iter().map(label).collect::<Vec<_>>().join(", ");
    let mut said = Vec::new();
    match pair.candidate {
        Ended::Well => {}
        Ended::Failed => said.push("the candidate failed".to_owned()),
        Ended::TimedOut => said.push("the candidate did not end in time".to_owned()),
    }
    if !failed.is_empty() {
        said.push(format!("fails by {}", list(failed)));
    }
    let outside: Vec<String> = [&pair.broken[..], &pair.outside[..]]
        .concat()
        .into_iter()
        .filter(|name| !failed.contains(name) && pair.candidate == Ended::Well)
        .collect();
    if !outside.is_empty() {
        said.push(format!(
            "outside of the declared bounds: {}",
            list(&outside)
        ));
    }
    if slow > 0.0 {
        said.push(format!("{slow:.1} times the control's time"));
    }
    said.join("; ")
}
