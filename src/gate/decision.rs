//! PASS, FAIL or NOT YET. PASS needs every line that is asked for; one line that fails is a FAIL.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    asked::Asked,
    counts::{self, Cost, Counts},
    coverage::Coverage,
    facts::{Facts, FieldKind, InForce, LeftOut, Rules},
    fields::{self, FieldRow, FieldState, Judged},
    latency::Paired,
    line::{Line, LineState},
};
use crate::model::GateVerdict;

/// What the evidence comes to, and why.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Decision {
    /// What it comes to.
    pub verdict: GateVerdict,
    /// The same in one line, with what is put up with and what was not looked at.
    pub line: String,
    /// What keeps it from PASS, worst first, at most five.
    pub reasons: Vec<Line>,
    /// Everything that was asked, in order.
    pub lines: Vec<Line>,
    /// Every field.
    pub fields: Vec<FieldRow>,
    /// Recordings that count.
    pub counts: Counts,
    /// Recordings that do not.
    pub left_out: LeftOut,
    /// Which kinds of recordings there are.
    pub coverage: Coverage,
    /// Times, where both pipelines' are known.
    pub latency: Option<Paired>,
    /// Cost, where both pipelines' is known.
    pub cost: Option<Cost>,
    /// How much is known of how far the control differs from itself.
    pub noise: Noise,
    /// What people put up with.
    pub in_force: InForce,
    /// What stops even more recordings from being shadowed; none where nothing does.
    pub alarm: Option<String>,
}

/// Recordings whose control ran twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Noise {
    /// How many there are, of the soft field that has the fewest.
    pub pairs: u64,
    /// How many more it takes, of the one that lacks the most; none where none lacks any, or no number
    /// would do.
    pub more: Option<i64>,
}

impl Noise {
    fn of(rows: &[FieldRow]) -> Self {
        let soft = rows.iter().filter(|row| {
            matches!(row.kind, FieldKind::Soft(_))
                && !matches!(row.state, FieldState::NotLooked | FieldState::DryRun)
        });
        Self {
            pairs: soft.clone().map(|row| row.noise_pairs).min().unwrap_or(0),
            more: soft.filter_map(|row| row.more).max(),
        }
    }
}

impl std::fmt::Display for Noise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.more {
            None => write!(f, "{} pairs", self.pairs),
            Some(more) => write!(f, "{} pairs, needs about {more} more", self.pairs),
        }
    }
}

/// Reasons shown.
const REASONS: usize = 5;

/// Decides.
pub fn decide(rules: &Rules, facts: &Facts, now: DateTime<Utc>) -> Decision {
    let alarms = rules
        .fields
        .iter()
        .map(
            |rule| match (fields::judged(rule, rules, facts), rule.kind) {
                (Judged::ByExcess { facts: false }, FieldKind::Soft(_)) => 2,
                (Judged::ByExcess { facts: true }, FieldKind::Soft(_)) => 1,
                _ => 0,
            },
        )
        .sum();
    let rows: Vec<FieldRow> = rules
        .fields
        .iter()
        .map(|rule| fields::row(rule, rules, facts, alarms))
        .collect();
    let counts = counts::counts(rules, facts);
    let coverage = Coverage::of(
        facts.pairs.iter().map(|pair| &pair.stratum),
        &facts.known_strata,
    );
    let sides = facts.pairs.iter().filter_map(|pair| pair.took_ms);
    let sides: Vec<(f64, f64)> = sides.map(|took| (took.control, took.candidate)).collect();
    let latency = Paired::of(&sides);
    let cost = counts::cost(facts);
    let asked = Asked {
        rules,
        facts,
        counts: &counts,
        per_day: counts::per_day(facts, now),
    };
    let mut lines = vec![asked.failures(), asked.comparable()];
    lines.extend(rows.iter().filter_map(|row| asked.field(row)));
    lines.extend([
        asked.looked_at(&rows),
        asked.days(),
        asked.coverage(&coverage),
        asked.latency(latency.as_ref()),
        asked.cost(cost.as_ref()),
        asked.effects(),
        asked.self_test(),
        asked.reviews(),
    ]);
    let has = |state| lines.iter().any(|line| line.state == state);
    let verdict = if has(LineState::Fail) {
        GateVerdict::Fail
    } else if has(LineState::NotYet) || facts.pairs.is_empty() {
        GateVerdict::NotYet
    } else {
        GateVerdict::Pass
    };
    let of = |state| lines.iter().filter(move |line: &&Line| line.state == state);
    let reasons: Vec<Line> = of(LineState::Fail)
        .chain(of(LineState::NotYet))
        .take(REASONS)
        .cloned()
        .collect();
    let open_s0 = facts.reviews.map_or(0, |reviews| reviews.open_s0);
    let alarm = if lines[0].state == LineState::Fail {
        Some(lines[0].observed.clone())
    } else if open_s0 > 0 {
        Some(format!("{open_s0} differences of severity S0 are open"))
    } else {
        None
    };
    Decision {
        verdict,
        line: line(verdict, &lines, &rows, &reasons, facts.in_force),
        reasons,
        noise: Noise::of(&rows),
        fields: rows,
        counts,
        left_out: facts.left_out,
        coverage,
        latency,
        cost,
        in_force: facts.in_force,
        alarm,
        lines,
    }
}

fn line(
    verdict: GateVerdict,
    lines: &[Line],
    rows: &[FieldRow],
    reasons: &[Line],
    in_force: InForce,
) -> String {
    let mut said = verdict.label().to_owned();
    let some = |n: i64, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let put_up_with: Vec<String> = [
        some(in_force.waivers, "waiver", "waivers"),
        some(in_force.rules, "rule", "rules"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !put_up_with.is_empty() {
        said = format!("{said} with {}", put_up_with.join(" and "));
    }
    match verdict {
        GateVerdict::Pass => {
            let worse = rows
                .iter()
                .filter(|row| row.state == FieldState::Pass && !row.note.is_empty());
            for row in worse {
                said = format!("{said}; {} is {}", row.label.to_lowercase(), row.note);
            }
            let unseen = lines
                .iter()
                .filter(|line| line.state == LineState::NotLooked);
            let unseen: Vec<&str> = unseen.map(|line| line.name.as_str()).collect();
            if !unseen.is_empty() {
                said = format!("{said}; not looked at: {}", unseen.join(", "));
            }
        }
        GateVerdict::Fail | GateVerdict::NotYet => {
            if let Some(first) = reasons.first() {
                said = format!("{said}: {}, {}", first.name, first.observed);
                if !first.missing.is_empty() {
                    said = format!("{said}; {}", first.missing);
                }
            }
        }
    }
    said
}
