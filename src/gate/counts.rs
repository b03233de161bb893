//! How many recordings there are, and what they cost.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    ALPHA,
    bernoulli::{log_e_above, log_e_below},
    count,
    facts::{Ended, Facts, Pair, Rules},
    fields, natural, threshold,
};
use crate::model::Origin;

/// How many recordings there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Counts {
    /// Compared.
    pub recordings: i64,
    /// Of these, replayed or dispatched by hand.
    pub replayed: i64,
    /// Those that count: at most half of them replayed.
    pub counted: i64,
    /// With a failure.
    pub failures: i64,
    /// Of these, where the candidate came to no result.
    pub candidate_failed: i64,
    /// Different days.
    pub days: i64,
    /// Different days of the week.
    pub weekdays: i64,
    /// Logarithm of the e-value against "failures are at least as frequent as the bound".
    pub evidence: f64,
    /// Logarithm of the e-value against "failures are at most a fifth as frequent".
    pub evidence_against: f64,
    /// What either has to reach.
    pub threshold: f64,
}

/// Cost per hour of audio, in US dollars.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Cost {
    /// Recordings with both costs and a length.
    pub recordings: i64,
    /// The control's.
    pub control: f64,
    /// The candidate's.
    pub candidate: f64,
    /// Candidate / control.
    pub ratio: f64,
}

/// Of the evidence.
pub(super) fn counts(rules: &Rules, facts: &Facts) -> Counts {
    let mut failed = BTreeSet::new();
    for rule in &rules.fields {
        let judged = fields::judged(rule, rules, facts);
        failed.extend(fields::failed(rule, judged, facts));
    }
    let recordings = count(facts.pairs.len());
    let of = |test: &dyn Fn(&Pair) -> bool| {
        let such = facts.pairs.iter().filter(|pair| test(pair));
        count(such.count())
    };
    let replayed = of(&|pair| pair.origin != Origin::Arrival);
    let failures = of(&|pair| is_lost(pair.candidate) || failed.contains(&pair.recording));
    let arrived = recordings - replayed;
    let counted = arrived + replayed.min(arrived);
    let days: BTreeSet<_> = facts
        .pairs
        .iter()
        .map(|pair| pair.at.date_naive())
        .collect();
    let weekdays: BTreeSet<u32> = days
        .iter()
        .map(|day| day.weekday().num_days_from_monday())
        .collect();
    let bound = rules.bounds.failure_percent / 100.0;
    Counts {
        recordings,
        replayed,
        counted,
        failures,
        candidate_failed: of(&|pair| is_lost(pair.candidate)),
        days: count(days.len()),
        weekdays: count(weekdays.len()),
        // Every failure counts, of the clean ones at most as many replayed ones as arrived.
        evidence: log_e_below(natural(failures), natural(counted.max(failures)), bound),
        evidence_against: log_e_above(natural(failures), natural(recordings), bound / 5.0),
        threshold: threshold(ALPHA),
    }
}

/// Whether a candidate came to no result.
pub(super) const fn is_lost(ended: Ended) -> bool {
    matches!(ended, Ended::Failed | Ended::TimedOut)
}

/// Recordings that arrive a day, by those of the evidence; none where that is too few to tell.
pub(super) fn per_day(facts: &Facts, now: DateTime<Utc>) -> Option<f64> {
    let arrived = facts
        .pairs
        .iter()
        .filter(|pair| pair.origin == Origin::Arrival);
    let first = arrived.clone().map(|pair| pair.at).min()?;
    let days = ((now - first).num_hours() as f64 / 24.0).max(1.0);
    Some(arrived.count() as f64 / days)
}

/// None where both pipelines' cost is known of no recording.
pub(super) fn cost(facts: &Facts) -> Option<Cost> {
    let (mut recordings, mut control, mut candidate, mut hours) = (0, 0.0, 0.0, 0.0);
    for pair in &facts.pairs {
        let (Some(usd), Some(audio_ms)) = (pair.usd, pair.audio_ms) else {
            continue;
        };
        let all = [usd.control, usd.candidate, audio_ms];
        if all
            .iter()
            .all(|number| number.is_finite() && *number >= 0.0)
            && audio_ms > 0.0
        {
            recordings += 1;
            control += usd.control;
            candidate += usd.candidate;
            hours += audio_ms / 3_600_000.0;
        }
    }
    (recordings > 0 && control > 0.0).then(|| Cost {
        recordings,
        control: control / hours,
        candidate: candidate / hours,
        ratio: candidate / control,
    })
}
