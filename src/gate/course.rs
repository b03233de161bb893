//! How the evidence became what it is, recording by recording. For people to see: nothing here decides,
//! and everything ends where the decision's numbers are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    ALPHA,
    bernoulli::{log_e_above, log_e_below},
    betting::{Bet, Wealth},
    counts::is_lost,
    facts::{Facts, FieldKind, FieldRule, Rules},
    fields::{self, Interval, Judged},
    threshold,
};
use crate::model::{Origin, RecordingId};

/// The course of the evidence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// By which fields each pair failed, in the order of the facts' pairs.
    pub failed_by: Vec<Vec<String>>,
    /// The tests of the rate of failures, after some of the recordings and after the last.
    pub failures: Vec<Step>,
    /// Soft fields whose control ran twice.
    pub fields: Vec<FieldCourse>,
}

/// The two tests of one thing, after so many were seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Step {
    /// Recordings or mirrors so far.
    pub n: usize,
    /// Logarithm of the e-value that speaks for the candidate.
    pub evidence: f64,
    /// Logarithm of the e-value that speaks against it.
    pub against: f64,
}

/// One soft field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldCourse {
    /// Its name in `comparisons/`.
    pub name: String,
    /// How much further from the control it may be than the control is from itself, on average.
    pub margin: f64,
    /// Mean excess, with what the bets have not ruled out: 95 % at either end, valid whenever one looks.
    /// An end that no bet reaches so far is where distances are clipped.
    pub excess: Interval,
    /// After each mirror.
    pub steps: Vec<Step>,
}

/// Reads the course; of the failures at most so many steps.
pub fn course(rules: &Rules, facts: &Facts, steps: usize) -> Course {
    let failed_by = failed_by(rules, facts);
    let failures = failures(rules, facts, &failed_by, steps);
    let fields = rules.fields.iter();
    Course {
        failures,
        fields: fields
            .filter_map(|rule| field(rule, rules, facts))
            .collect(),
        failed_by,
    }
}

fn failed_by(rules: &Rules, facts: &Facts) -> Vec<Vec<String>> {
    let mut by: BTreeMap<&RecordingId, Vec<String>> = BTreeMap::new();
    for rule in &rules.fields {
        let judged = fields::judged(rule, rules, facts);
        for recording in fields::failed(rule, judged, facts) {
            by.entry(recording).or_default().push(rule.name.clone());
        }
    }
    let of = |recording| by.get(recording).cloned().unwrap_or_default();
    facts.pairs.iter().map(|pair| of(&pair.recording)).collect()
}

fn failures(rules: &Rules, facts: &Facts, failed_by: &[Vec<String>], steps: usize) -> Vec<Step> {
    let bound = rules.bounds.failure_percent / 100.0;
    let every = facts.pairs.len().div_ceil(steps.max(1)).max(1);
    let (mut failed, mut arrived, mut replayed) = (0_u64, 0_u64, 0_u64);
    let mut course = Vec::with_capacity(steps);
    for (at, pair) in facts.pairs.iter().enumerate() {
        match pair.origin {
            Origin::Arrival => arrived += 1,
            _ => replayed += 1,
        }
        failed += u64::from(is_lost(pair.candidate) || !failed_by[at].is_empty());
        let n = at + 1;
        if n.is_multiple_of(every) || n == facts.pairs.len() {
            let counted = arrived + replayed.min(arrived);
            course.push(Step {
                n,
                evidence: log_e_below(failed, counted.max(failed), bound),
                against: log_e_above(failed, n as u64, bound / 5.0),
            });
        }
    }
    course
}

fn field(rule: &FieldRule, rules: &Rules, facts: &Facts) -> Option<FieldCourse> {
    let FieldKind::Soft(margin) = rule.kind else {
        return None;
    };
    let noise = fields::noise_of(facts, rule);
    let values: Vec<f64> = noise.iter().map(fields::excess).collect();
    let mean = fields::mean(values.iter().copied())?;
    let bound = fields::CLIP * margin;
    let with_facts = fields::judged(rule, rules, facts) == (Judged::ByExcess { facts: false });
    let mut purses = [
        Wealth::new(Bet::Below(margin), bound),
        Wealth::new(Bet::Above(margin), bound),
    ];
    let mut of_facts = [
        Wealth::new(Bet::Below(fields::FACTS_MARGIN), 1.0),
        Wealth::new(Bet::Above(fields::FACTS_MARGIN), 1.0),
    ];
    let mut steps = Vec::with_capacity(values.len());
    for (at, (pair, value)) in noise.iter().zip(&values).enumerate() {
        let changed = fields::facts_excess(pair);
        for purse in &mut purses {
            purse.see(*value);
        }
        for purse in &mut of_facts {
            purse.see(changed);
        }
        let [mut evidence, mut against] = purses.map(|purse| purse.log());
        if with_facts {
            evidence = evidence.min(of_facts[0].log());
            against = against.max(of_facts[1].log());
        }
        steps.push(Step {
            n: at + 1,
            evidence,
            against,
        });
    }
    Some(FieldCourse {
        name: rule.name.clone(),
        margin,
        excess: Interval {
            value: mean,
            low: limit(Bet::Above, &values, margin, bound),
            high: limit(Bet::Below, &values, margin, bound),
        },
        steps,
    })
}

/// The mean closest to what was seen that this bet rules out. The margin itself is tried first, so that
/// an interval lies within it exactly where the field's own test has passed.
fn limit(bet: fn(f64) -> Bet, values: &[f64], margin: f64, bound: f64) -> f64 {
    let is_ruled_out = |mean: f64| {
        let purse = Wealth::of(bet(mean), bound, values.iter().copied());
        purse.log() >= threshold(ALPHA)
    };
    let end = 0.999 * bound;
    let is_upper = matches!(bet(0.0), Bet::Below(_));
    // `out` is ruled out, or as far as one can go; `kept` is not ruled out.
    let (mut out, mut kept) = match (is_upper, is_ruled_out(margin)) {
        (true, true) => (margin, -bound),
        (true, false) => (bound, margin),
        (false, true) => (margin, bound),
        (false, false) => (-bound, margin),
    };
    if out.abs() >= bound && !is_ruled_out(out.clamp(-end, end)) {
        return out;
    }
    for _ in 0..30 {
        let middle = f64::midpoint(out, kept);
        if is_ruled_out(middle) {
            out = middle;
        } else {
            kept = middle;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{
        Ended, FieldState, decide,
        samples::{clean, mirror, rules, start},
    };

    #[test]
    fn the_course_ends_where_the_decision_is() {
        let mut facts = clean(123);
        facts.pairs[7].candidate = Ended::Failed;
        facts.pairs[30].broken = vec!["words".to_owned()];
        for pair in facts.pairs.iter_mut().skip(60) {
            pair.origin = Origin::Replay;
        }
        let decision = decide(&rules(), &facts, start());
        let course = course(&rules(), &facts, 50);
        let last = course.failures.last().expect("there are recordings");
        assert_eq!(last.n, 123);
        assert_eq!(last.evidence.to_bits(), decision.counts.evidence.to_bits());
        let against = decision.counts.evidence_against;
        assert_eq!(last.against.to_bits(), against.to_bits());
        assert_eq!(course.failed_by[30], ["words"]);
        assert!(course.failures.len() <= 50);
        let title = &course.fields[0];
        let row = decision.fields.iter().find(|row| row.name == "title");
        let last = title.steps.last().expect("there are mirrors");
        assert_eq!(row.map(|row| row.evidence), Some(last.evidence));
    }

    #[test]
    fn an_interval_lies_within_the_margin_exactly_where_its_test_passed() {
        for (n, distance) in [
            (10, 0.3),
            (31, 0.3),
            (32, 0.3),
            (60, 0.35),
            (200, 0.45),
            (60, 0.9),
        ] {
            let mut facts = clean(n);
            let title = facts.fields.get_mut("title").expect("it was put there");
            title.noise = (0..n)
                .map(|at| {
                    let wobble = if at % 2 == 0 { 0.02 } else { -0.02 };
                    mirror(at, [distance + wobble, distance, 0.3])
                })
                .collect();
            let decision = decide(&rules(), &facts, start());
            let row = decision.fields.iter().find(|row| row.name == "title");
            let row = row.expect("it is asked for");
            let excess = course(&rules(), &facts, 10).fields[0].excess;
            let is_within = excess.high <= 0.10;
            assert_eq!(is_within, row.evidence >= row.threshold, "{n} {excess:?}");
            let is_beyond = excess.low >= 0.10;
            assert_eq!(is_beyond, row.state == FieldState::Fail, "{n} {excess:?}");
            assert!(excess.low <= excess.value && excess.value <= excess.high);
        }
    }

    #[test]
    fn without_mirrors_there_is_no_course_of_a_field() {
        let mut facts = clean(3);
        facts.fields.clear();
        assert_eq!(course(&rules(), &facts, 10).fields, []);
        assert_eq!(course(&rules(), &Facts::default(), 10), Course::default());
    }
}
