//! The evidence of one environment and flag: one screen that says GO, NOT YET or NO-GO and why, and
//! below it everything that was seen. Told four ways from one [`EvidenceReport`]: for a terminal, as
//! Markdown for a chat, as JSON, and as one self-contained page.
//!
//! What is not known is said where it would stand. Nothing in it was said in a meeting: recordings and
//! runs go by their ids.

pub mod html;
pub mod json;
pub mod markdown;
pub mod terminal;

mod beside;
mod changes;
mod charts;
mod looked_at;
mod page;
mod points;
mod sentences;
mod steps;
mod svg;
mod timeline;
mod worst;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::Serialize;

use crate::gate::{
    Decision, Facts, Interval, Reviews, Rules, SelfTest, Severity, Step, course, wilcoxon,
};

pub use beside::{Beside, LastRehearsal, SPENT_DAYS, Spent};
pub use changes::{Changes, Count, Earlier, NewSort, Turned, since};
pub use looked_at::{Blind, Hides, LookedAt, Waiver};
pub use points::{Bin, Scatter};
pub use steps::{Steps, StepsOfRun, TypicalStep};
pub use timeline::{Change, Gathered, Held, History, How, Outcomes, REACH, Span, Timeline};
pub use worst::Worst;

/// What a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct Material<'a> {
    /// Where.
    pub about: &'a About,
    /// What was asked for.
    pub rules: &'a Rules,
    /// What was seen.
    pub facts: &'a Facts,
    /// What it comes to.
    pub decision: &'a Decision,
    /// How long the steps of some runs took.
    pub steps: &'a [StepsOfRun],
    /// Differences by what kind they are of; empty where nothing tells their kinds.
    pub classes: &'a [ClassCount],
    /// What people looked at and put up with.
    pub looked_at: &'a LookedAt,
    /// What happened to the migration.
    pub timeline: &'a Timeline,
    /// What stands beside the evidence.
    pub beside: &'a Beside,
    /// How the evidence stood at the time that changes are to be told since, if they are.
    pub earlier: Option<&'a Earlier>,
}

/// Which evidence a report is on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct About {
    /// The environment.
    pub environment: String,
    /// The flag.
    pub flag: String,
    /// When it was read, as it is to be shown.
    pub at: String,
    /// Digest of the versions it was gathered under.
    pub versions: String,
    /// Digest of the evidence: who saw it saw exactly this.
    pub digest: String,
}

/// Everything a report shows.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct EvidenceReport {
    /// Which evidence.
    pub about: About,
    /// What the gate says of it, with every line that was asked.
    pub decision: Decision,
    /// What changed since the time that was asked for, if one was.
    pub changes: Option<Changes>,
    /// What happened to the migration, and how runs ended.
    pub timeline: Timeline,
    /// When the verdict may become GO, in days, and in words.
    pub expected: Expected,
    /// The tests of the rate of failures while recordings came in.
    pub failures: Vec<Step>,
    /// Soft fields whose control ran twice.
    pub soft: Vec<SoftField>,
    /// Both pipelines' times; none where they are known of no recording.
    pub times: Option<Scatter>,
    /// Wilcoxon's test that the candidate takes as long, two-sided; for people to see.
    pub times_p: Option<f64>,
    /// How long the steps take.
    pub steps: Steps,
    /// Differences by kind, the most frequent first.
    pub classes: Vec<ClassCount>,
    /// Whether planted defects were caught; none where that was not tried.
    pub self_test: Option<SelfTest>,
    /// What people looked at; none where nobody has.
    pub reviews: Option<Reviews>,
    /// The same one by one, and what is put up with.
    pub looked_at: LookedAt,
    /// How runs ended.
    pub reliability: Reliability,
    /// The last rehearsal, and what shadow runs cost.
    pub beside: Beside,
    /// The recordings that speak most against the candidate, worst first, at most ten.
    pub worst: Vec<Worst>,
}

/// When the verdict may become GO.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Expected {
    /// Days until everything is there that only takes time; none where that is not known, or where
    /// waiting does not help.
    pub days: Option<i64>,
    /// The same in words, with who else has to do something.
    pub said: String,
}

/// A soft field whose control ran twice.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SoftField {
    /// Its name in `comparisons/`.
    pub name: String,
    /// What people read.
    pub label: String,
    /// How much further from the control it may be than the control is from itself, on average.
    pub margin: f64,
    /// Mean excess, with what the bets have not ruled out: 95 % at either end, whenever one looks.
    pub excess: Interval,
    /// Its tests after some of the mirrors, and after the last.
    pub steps: Vec<Step>,
    /// Distances of candidate and control: each with the share of mirrors at most so far apart.
    pub candidate: Vec<(f64, f64)>,
    /// The same of the control and its second run.
    pub control: Vec<(f64, f64)>,
    /// Mirrors of which a distance could not be measured; they are in the tests and not in the shares.
    pub unmeasured: usize,
}

/// How many differences are of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ClassCount {
    /// The kind, as people read it.
    pub class: String,
    /// How bad it is.
    pub severity: Severity,
    /// Differences of it.
    pub count: i64,
}

/// How runs ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Reliability {
    /// Recordings whose control ended well.
    pub recordings: i64,
    /// Of these, where the candidate came to no result.
    pub candidate_failed: i64,
    /// Of these, where it did not end in time.
    pub candidate_late: i64,
    /// Their share, with Wilson's 95 % interval; for people to see.
    pub candidate_share: Option<Interval>,
    /// Recordings whose control failed; they do not count.
    pub control_failed: i64,
    /// Recordings whose effects the control told, and of how many the candidate's are the same.
    pub effects_told: i64,
    /// Recordings whose effects are the same.
    pub effects_equal: i64,
}

/// Steps of a test that are shown.
const STEPS: usize = 300;

impl EvidenceReport {
    /// Makes the report.
    pub fn of(material: Material<'_>) -> Self {
        let Material {
            about,
            rules,
            facts,
            decision,
            steps,
            classes,
            looked_at,
            timeline,
            beside,
            earlier,
        } = material;
        let course = course(rules, facts, STEPS);
        let sides = facts.pairs.iter().filter_map(|pair| pair.took_ms);
        let sides: Vec<(f64, f64)> = sides.map(|took| (took.control, took.candidate)).collect();
        let mut classes = classes.to_vec();
        classes.sort_by(|one, other| {
            (other.count, one.severity, &one.class).cmp(&(one.count, other.severity, &other.class))
        });
        Self {
            about: about.clone(),
            changes: earlier.map(|earlier| Changes::of(earlier, &about.versions, decision)),
            timeline: timeline.clone(),
            expected: sentences::expected(decision),
            soft: course
                .fields
                .into_iter()
                .map(|field| points::soft(field, rules, facts))
                .collect(),
            failures: course.failures,
            times: Scatter::of(&sides),
            times_p: wilcoxon(&sides),
            steps: Steps::of(steps),
            classes,
            self_test: facts.self_test.clone(),
            reviews: facts.reviews,
            looked_at: looked_at.clone(),
            reliability: points::reliability(facts, decision),
            beside: beside.clone(),
            worst: worst::ten(rules, facts, &course.failed_by),
            decision: decision.clone(),
        }
    }
}

/// Where the reports on single recordings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Nowhere: their command is named.
    Command,
    /// Pages of the server that shows this one.
    Server,
    /// Files in `runs/` beside this one.
    Beside,
}

impl Links {
    /// The address of a run's report, relative to the page.
    pub fn of(self, run: &crate::model::RunId) -> Option<String> {
        match self {
            Self::Command => None,
            Self::Server => Some(format!("/runs/{run}/report")),
            Self::Beside => Some(format!("runs/{run}.html")),
        }
    }
}
