//! One field at a time: what its differences mean, given how far the control differs from itself, and
//! whether that was seen often enough.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    ALPHA,
    bernoulli::log_e_below,
    betting::{Bet, Wealth, least_to_pass},
    count,
    facts::{Distance, Facts, FieldFacts, FieldKind, FieldRule, NoisePair, Rules},
    intervals::newcombe,
    natural, threshold, whole,
};
use crate::model::{NoiseFrom, Origin, RecordingId};

/// Below so many second runs of the control, nothing is concluded from how they came out.
pub(super) const LEAST_MIRRORS: u64 = 20;

/// Distances are clipped to so many margins; what is beyond counts as a failure.
pub(super) const CLIP: f64 = 10.0;

/// How much more often than the control's own second run a candidate may change a fact.
pub(super) const FACTS_MARGIN: f64 = 0.05;

/// A field as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FieldRow {
    /// Its name in `comparisons/`.
    pub name: String,
    /// What people read.
    pub label: String,
    /// What a difference means by `comparisons/`.
    pub kind: FieldKind,
    /// What it comes to.
    pub state: FieldState,
    /// Recordings it was compared in.
    pub compared: i64,
    /// Of these, outside of what `comparisons/` declares, or broken.
    pub differs: i64,
    /// Recordings that failed by it.
    pub failures: i64,
    /// Recordings whose control ran twice.
    pub noise_pairs: u64,
    /// Of these, where the control's second run differs from its first.
    pub noise_differs: u64,
    /// How much more often candidate and control differ than the control and its second run, with
    /// Newcombe's 95 % interval; for people to see.
    pub excess: Option<Interval>,
    /// Mean of the paired excess of distances, the quantity that is bet on; soft fields only.
    pub mean_excess: Option<f64>,
    /// Mean distance of the candidate from its own second run.
    pub candidate_noise: Option<f64>,
    /// Logarithm of the e-value that speaks for the candidate.
    pub evidence: f64,
    /// What that has to reach.
    pub threshold: f64,
    /// What to know about it; empty where there is nothing.
    pub note: String,
    /// What it lacks; empty where it lacks nothing.
    pub missing: String,
    /// Recordings it lacks, if it lacks those.
    pub more: Option<i64>,
}

/// A number with an interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Interval {
    /// The number.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// What a field comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldState {
    /// It is no worse than the control is against itself, or than its margin.
    Pass,
    /// It is worse.
    Fail,
    /// It is not known so far.
    NotYet,
    /// Its failures are counted with all others'; by itself it decides nothing.
    Counted,
    /// It is shown and does not decide: its comparator is new.
    DryRun,
    /// Nobody looked at it.
    NotLooked,
}

/// What makes a recording fail by a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// Nothing: its comparator is new.
    Never,
    /// One outside of what `comparisons/` declares, or broken.
    WhenOutside,
    /// Only a distance beyond what is bet on; a broken one too if `facts`, because the control never
    /// broke one against itself.
    ByExcess { facts: bool },
}

impl FieldRow {
    /// The mean excess of a soft field that is bet on, else that of the rates with its interval; a dash
    /// where neither is known.
    pub fn excess_told(&self) -> String {
        match (self.mean_excess, self.excess) {
            (Some(mean), _) => format!("{mean:+.3}"),
            (None, Some(of)) => format!("{:+.2} ({:+.2} to {:+.2})", of.value, of.low, of.high),
            (None, None) => "-".to_owned(),
        }
    }

    /// How far the evidence is on its way to what it has to reach, 0 to 1; 1 only once it is there.
    pub fn share(&self) -> f64 {
        if self.evidence >= self.threshold {
            return 1.0;
        }
        let share = self.evidence / self.threshold;
        if share.is_nan() {
            0.0
        } else {
            share.clamp(0.0, 0.99)
        }
    }
}

/// How a field is judged, given what is known of its noise.
pub(super) fn judged(rule: &FieldRule, rules: &Rules, facts: &Facts) -> Judged {
    if rule.dry_run > count(facts.pairs.len()) {
        return Judged::Never;
    }
    match (rule.kind, rules.bounds.noise) {
        (FieldKind::Hard, _) | (FieldKind::Soft(_), NoiseFrom::Declared) => Judged::WhenOutside,
        (FieldKind::Soft(_), NoiseFrom::Mirrors) => {
            let noise = noise_of(facts, rule);
            let is_known = noise.len() as u64 >= LEAST_MIRRORS;
            let of_control = |test: fn(&Distance) -> bool| {
                noise
                    .iter()
                    .filter(|pair| test(&pair.control_again))
                    .count()
            };
            // A control that makes the same twice, every time, leaves no room for a difference.
            if is_known && of_control(|one| one.value != 0.0 || one.differs) == 0 {
                return Judged::WhenOutside;
            }
            Judged::ByExcess {
                facts: is_known && of_control(|one| one.broken) == 0,
            }
        }
    }
}

pub(super) fn noise_of<'a>(facts: &'a Facts, rule: &FieldRule) -> &'a [NoisePair] {
    facts
        .fields
        .get(&rule.name)
        .map_or(&[], |field| field.noise.as_slice())
}

/// How far the candidate is from the control's two runs, beyond how far these are from each other:
/// mean 0 where the candidate is another draw of the control.
pub(super) fn excess(pair: &NoisePair) -> f64 {
    let in_range = |one: Distance| {
        if (0.0..=1.0).contains(&one.value) {
            one.value
        } else {
            f64::NAN
        }
    };
    f64::midpoint(
        in_range(pair.candidate_control),
        in_range(pair.candidate_again),
    ) - in_range(pair.control_again)
}

/// The same of broken facts.
pub(super) fn facts_excess(pair: &NoisePair) -> f64 {
    let of = |one: Distance| f64::from(u8::from(one.broken));
    f64::midpoint(of(pair.candidate_control), of(pair.candidate_again)) - of(pair.control_again)
}

/// Recordings that fail by a field.
pub(super) fn failed<'a>(
    rule: &FieldRule,
    judged: Judged,
    facts: &'a Facts,
) -> BTreeSet<&'a RecordingId> {
    let with = |broken: bool, outside: bool| {
        let is_in = |list: &[String]| list.contains(&rule.name);
        facts
            .pairs
            .iter()
            .filter(move |pair| broken && is_in(&pair.broken) || outside && is_in(&pair.outside))
            .map(|pair| &pair.recording)
    };
    match (judged, rule.kind) {
        (Judged::Never, _) => BTreeSet::new(),
        (Judged::WhenOutside, _) | (Judged::ByExcess { .. }, FieldKind::Hard) => {
            with(true, true).collect()
        }
        (Judged::ByExcess { facts: by_facts }, FieldKind::Soft(margin)) => {
            // Clipping must not hide a disaster; nor must what is no number.
            let is_beyond = |pair: &&NoisePair| {
                let excess = excess(pair);
                excess.is_nan() || excess > CLIP * margin
            };
            let beyond = noise_of(facts, rule).iter().filter(is_beyond);
            beyond
                .map(|pair| &pair.recording)
                .chain(with(by_facts, false))
                .collect()
        }
    }
}

/// Everything one field comes to. `alarms` tests share the chance of a wrong alarm.
pub(super) fn row(rule: &FieldRule, rules: &Rules, facts: &Facts, alarms: usize) -> FieldRow {
    let nothing = FieldFacts::default();
    let seen = facts.fields.get(&rule.name).unwrap_or(&nothing);
    let judged = judged(rule, rules, facts);
    let failures = failed(rule, judged, facts).len();
    let noise_pairs = seen.noise.len() as u64;
    let noise_differs = seen
        .noise
        .iter()
        .filter(|pair| pair.control_again.differs)
        .count() as u64;
    let interval = newcombe(
        (
            natural(seen.differs.min(seen.compared)),
            natural(seen.compared),
        ),
        (noise_differs, noise_pairs),
    );
    let mut row = FieldRow {
        name: rule.name.clone(),
        label: rule.label.clone(),
        kind: rule.kind,
        state: FieldState::Counted,
        compared: seen.compared,
        differs: seen.differs,
        failures: count(failures),
        noise_pairs,
        noise_differs,
        excess: interval.map(|(value, low, high)| Interval { value, low, high }),
        mean_excess: None,
        candidate_noise: mean(
            seen.noise
                .iter()
                .filter_map(|pair| pair.candidate_twice)
                .map(|distance| distance.value),
        ),
        evidence: log_e_below(
            failures as u64,
            natural(seen.compared),
            rules.bounds.failure_percent / 100.0,
        ),
        threshold: threshold(ALPHA),
        note: String::new(),
        missing: String::new(),
        more: None,
    };
    if let (FieldKind::Soft(margin), Judged::ByExcess { facts: by_facts }) = (rule.kind, judged) {
        soft(&mut row, &seen.noise, margin, by_facts, alarms);
    } else if let FieldKind::Soft(_) = rule.kind
        && judged == Judged::WhenOutside
    {
        row.note = match rules.bounds.noise {
            NoiseFrom::Declared => "held to the declared bounds".to_owned(),
            NoiseFrom::Mirrors => {
                "held without tolerance: the control makes the same twice".to_owned()
            }
        };
    } else if rule.kind == FieldKind::Hard && noise_differs > 0 {
        row.note = format!(
            "no difference is allowed, and the control differs from itself in {noise_differs} of {noise_pairs}"
        );
    }
    if judged == Judged::Never {
        row.state = FieldState::DryRun;
        row.note = format!(
            "dry run for the first {} recordings: shown, and does not decide",
            rule.dry_run
        );
        row.missing.clear();
        row.more = None;
    } else if seen.compared == 0 {
        row.state = FieldState::NotLooked;
    }
    row
}

fn soft(row: &mut FieldRow, noise: &[NoisePair], margin: f64, by_facts: bool, alarms: usize) {
    let bound = CLIP * margin;
    let values: Vec<f64> = noise.iter().map(excess).collect();
    row.mean_excess = mean(values.iter().copied());
    let alarm = threshold(ALPHA / alarms.max(1) as f64);
    let purse = |bet, bound, values: &[f64]| Wealth::of(bet, bound, values.iter().copied()).log();
    let below = purse(Bet::Below(margin), bound, &values);
    let worse = purse(Bet::Above(margin), bound, &values);
    let above_noise = purse(Bet::Above(0.0), bound, &values);
    // Where the control changes facts itself, the candidate may do so as often.
    let changed: Vec<f64> = noise.iter().map(facts_excess).collect();
    let (facts_below, facts_worse) = if by_facts {
        (f64::INFINITY, f64::NEG_INFINITY)
    } else {
        (
            purse(Bet::Below(FACTS_MARGIN), 1.0, &changed),
            purse(Bet::Above(FACTS_MARGIN), 1.0, &changed),
        )
    };
    row.evidence = below.min(facts_below);
    row.threshold = threshold(ALPHA);
    let is_below = row.evidence >= row.threshold;
    let replayed = noise
        .iter()
        .filter(|pair| pair.origin != Origin::Arrival)
        .count();
    let surplus = replayed.saturating_sub(noise.len() - replayed);
    if above_noise >= alarm {
        row.note = if is_below {
            "worse than the control is against itself, within the margin".to_owned()
        } else {
            "worse than the control is against itself".to_owned()
        };
    }
    if worse >= alarm || facts_worse >= alarm {
        row.state = FieldState::Fail;
        row.missing = if worse >= alarm {
            format!(
                "mend what makes it differ by more than {margin} beyond the control's own noise"
            )
        } else {
            "mend what changes facts more often than the control does against itself".to_owned()
        };
        return;
    }
    row.state = FieldState::NotYet;
    if noise.is_empty() {
        let least = whole(least_to_pass(margin, bound, ALPHA));
        row.missing = "run the control a second time on compared recordings: `switchyard mirror --transcript ID`; or set `gate.noise = \"declared\"`".into();
        row.more = Some(least);
    } else if row.noise_pairs >= LEAST_MIRRORS && 2 * row.noise_differs > row.noise_pairs {
        row.missing = "its measure calls most of the control's own second runs different, so it tells nothing: choose another measure or wider bounds in `comparisons/`".into();
    } else if surplus > 0 {
        row.missing =
            format!("at most half may be replayed: mirror {surplus} more recordings that arrived");
        row.more = Some(count(surplus));
    } else if is_below && row.noise_pairs >= LEAST_MIRRORS {
        row.state = FieldState::Pass;
    } else {
        let more = lacking(&values, margin, bound);
        let more_for_facts = if by_facts {
            0
        } else {
            lacking(&changed, FACTS_MARGIN, 1.0)
        };
        let more = more.max(more_for_facts).max(1);
        row.more = Some(more);
        row.missing = if more >= MANY {
            "as it goes, no number of recordings will do: mend what makes it differ".to_owned()
        } else {
            format!("about {more} more mirrors: `switchyard mirror --transcript ID`")
        };
    }
}

/// More than anybody waits for.
const MANY: i64 = 1_000;

/// How many more it takes if they come as those so far did.
fn lacking(values: &[f64], margin: f64, bound: f64) -> i64 {
    let enough = threshold(ALPHA);
    let mut purse = Wealth::of(Bet::Below(margin), bound, values.iter().copied());
    let mut more = 0;
    let as_before = values.iter().cycle();
    for value in as_before {
        if purse.log() >= enough || more >= MANY {
            break;
        }
        purse.see(*value);
        more += 1;
    }
    let least =
        whole(least_to_pass(margin, bound, ALPHA)).max(i64::try_from(LEAST_MIRRORS).unwrap_or(0));
    let below_least = (least - count(values.len())).max(0);
    if purse.log() >= enough || values.len() < 10 {
        more.min(MANY - 1).max(below_least.min(MANY - 1))
    } else {
        MANY
    }
}

/// The mean of those that are numbers; none where none is.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut n) = (0.0, 0.0);
    for value in values.filter(|value| value.is_finite()) {
        sum += value;
        n += 1.0;
    }
    (n > 0.0).then(|| sum / n)
}
