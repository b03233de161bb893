//! Ten thousand recordings as few enough points: shares at quantiles, times in hexagons. What is
//! thinned says so.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Reliability, STEPS, SoftField, sentences::whole};
use crate::gate::{Decision, Distance, Ended, FAR_SLOWER, Facts, FieldCourse, Interval, Rules};
use crate::model::wilson;

/// Quantiles of distances that are kept.
const QUANTILES: usize = 150;

pub(super) fn soft(field: FieldCourse, rules: &Rules, facts: &Facts) -> SoftField {
    let rule = rules.fields.iter().find(|rule| rule.name == field.name);
    let noise = facts.fields.get(&field.name);
    let noise = noise.map_or(&[][..], |seen| seen.noise.as_slice());
    let of = |side: fn(&crate::gate::NoisePair) -> Distance| {
        let values = noise.iter().map(|pair| side(pair).value);
        let known: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        let unknown = noise.len() - known.len();
        (shares(known), unknown)
    };
    let (candidate, candidate_unknown) = of(|pair| pair.candidate_control);
    let (control, control_unknown) = of(|pair| pair.control_again);
    SoftField {
        label: rule.map_or_else(|| field.name.clone(), |rule| rule.label.clone()),
        name: field.name,
        margin: field.margin,
        excess: field.excess,
        steps: thinned(field.steps, STEPS / 2),
        candidate,
        control,
        unmeasured: candidate_unknown.max(control_unknown),
    }
}

/// At most so many of them, the last among them.
fn thinned<T>(all: Vec<T>, most: usize) -> Vec<T> {
    let every = all.len().div_ceil(most).max(1);
    let last = all.len();
    let kept = all.into_iter().zip(1..);
    kept.filter(|(_, at)| usize::is_multiple_of(*at, every) || *at == last)
        .map(|(one, _)| one)
        .collect()
}

/// Values with the share that is at most so large.
fn shares(mut values: Vec<f64>) -> Vec<(f64, f64)> {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len() as f64;
    let all = values.into_iter().zip(1..);
    let all = all.map(|(value, at)| (value, f64::from(at) / n)).collect();
    thinned(all, QUANTILES)
}

pub(super) fn reliability(facts: &Facts, decision: &Decision) -> Reliability {
    let ended = |how| {
        let such = facts.pairs.iter().filter(|pair| pair.candidate == how);
        whole(such.count())
    };
    let told = facts.pairs.iter().filter_map(|pair| pair.effects_equal);
    let counts = &decision.counts;
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let (lost, all) = (count(counts.candidate_failed), count(counts.recordings));
    Reliability {
        recordings: counts.recordings,
        candidate_failed: ended(Ended::Failed),
        candidate_late: ended(Ended::TimedOut),
        candidate_share: (all > 0).then(|| {
            let (low, high) = wilson::interval(lost, all);
            let value = lost as f64 / all as f64;
            Interval { value, low, high }
        }),
        control_failed: decision.left_out.control_failed,
        effects_told: whole(told.clone().count()),
        effects_equal: whole(told.filter(|equal| *equal).count()),
    }
}

/// Both pipelines' times.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Scatter {
    /// Recordings with both times.
    pub recordings: usize,
    /// Seconds of control and candidate: of all recordings, or, where they are many, of those far
    /// slower or far faster.
    pub points: Vec<(f64, f64)>,
    /// Where they are many, how many there are around a place.
    pub bins: Vec<Bin>,
    /// Radius of a place, as a factor.
    pub radius: f64,
    /// Recordings that are far slower or faster and are in the bins only.
    pub left_out: usize,
}

/// Recordings around a place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Bin {
    /// Seconds of the control.
    pub control_s: f64,
    /// Seconds of the candidate.
    pub candidate_s: f64,
    /// How many.
    pub recordings: usize,
}

/// More recordings than that are put into bins.
const POINTS: usize = 1_000;
/// Far ones shown beside the bins.
const FAR: usize = 400;
/// Bins from one end of the times to the other.
const BINS: f64 = 36.0;

impl Scatter {
    /// Of milliseconds of control and candidate; none where no pair has two positive times.
    pub(super) fn of(sides: &[(f64, f64)]) -> Option<Self> {
        let is_time = |ms: f64| ms.is_finite() && ms > 0.0;
        let all: Vec<(f64, f64)> = sides
            .iter()
            .filter(|side| is_time(side.0) && is_time(side.1))
            .map(|side| (side.0 / 1000.0, side.1 / 1000.0))
            .collect();
        if all.is_empty() {
            return None;
        }
        if all.len() <= POINTS {
            return Some(Self {
                recordings: all.len(),
                points: all,
                bins: Vec::new(),
                radius: 1.0,
                left_out: 0,
            });
        }
        let logs = || all.iter().flat_map(|side| [side.0.log10(), side.1.log10()]);
        let low = logs().fold(f64::INFINITY, f64::min);
        let high = logs().fold(f64::NEG_INFINITY, f64::max);
        let radius = ((high - low) / BINS).max(0.005);
        let mut far: Vec<(f64, f64)> = all
            .iter()
            .copied()
            .filter(|side| !(FAR_SLOWER.recip()..=FAR_SLOWER).contains(&(side.1 / side.0)))
            .collect();
        let away = |side: &(f64, f64)| (side.1 / side.0).ln().abs();
        far.sort_by(|one, other| away(other).total_cmp(&away(one)));
        let left_out = far.len().saturating_sub(FAR);
        far.truncate(FAR);
        Some(Self {
            recordings: all.len(),
            points: far,
            bins: hexagons(&all, radius),
            radius: 10_f64.powf(radius),
            left_out,
        })
    }
}

/// Counts points by the hexagon they are nearest to, in logarithms; a point of each hexagon's row is
/// the centre of one of two interleaved grids.
fn hexagons(points: &[(f64, f64)], radius: f64) -> Vec<Bin> {
    let (wide, high) = (radius * 3_f64.sqrt(), radius * 1.5);
    let mut bins: BTreeMap<(i64, i64), usize> = BTreeMap::new();
    let centre = |(column, row): (i64, i64)| {
        let shift = if row % 2 == 0 { 0.0 } else { 0.5 };
        ((column as f64 + shift) * wide, row as f64 * high)
    };
    for (control, candidate) in points {
        let (x, y) = (control.log10(), candidate.log10());
        #[expect(clippy::cast_possible_truncation, reason = "places of a small grid")]
        let below = (y / high).floor() as i64;
        let nearest = [below, below + 1].map(|row| {
            let shift = if row % 2 == 0 { 0.0 } else { 0.5 };
            #[expect(clippy::cast_possible_truncation, reason = "places of a small grid")]
            let column = (x / wide - shift).round() as i64;
            let place = (column, row);
            let at = centre(place);
            (((at.0 - x).powi(2) + (at.1 - y).powi(2)), place)
        });
        let place = if nearest[0].0 <= nearest[1].0 {
            nearest[0].1
        } else {
            nearest[1].1
        };
        *bins.entry(place).or_default() += 1;
    }
    bins.into_iter()
        .map(|(place, recordings)| {
            let (x, y) = centre(place);
            Bin {
                control_s: 10_f64.powf(x),
                candidate_s: 10_f64.powf(y),
                recordings,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_thinned_keeps_its_last() {
        assert_eq!(thinned((1..=10).collect::<Vec<_>>(), 3), [4, 8, 10]);
        assert_eq!(thinned(vec![1, 2], 3), [1, 2]);
        assert_eq!(thinned(Vec::<u8>::new(), 3), Vec::<u8>::new());
    }

    #[test]
    fn shares_end_at_one() {
        let all = shares(vec![0.4, 0.1, 0.1, 0.2]);
        assert_eq!(all, [(0.1, 0.25), (0.1, 0.5), (0.2, 0.75), (0.4, 1.0)]);
    }

    #[test]
    fn every_recording_is_in_one_bin_and_near_its_middle() {
        let sides: Vec<(f64, f64)> = (0..5_000)
            .map(|at| {
                let control = 20_000.0 * (1.0 + f64::from(at % 97));
                (control, control * (0.5 + f64::from(at % 13) / 10.0))
            })
            .collect();
        let scatter = Scatter::of(&sides).expect("there are times");
        let counted: usize = scatter.bins.iter().map(|bin| bin.recordings).sum();
        assert_eq!(counted, 5_000);
        assert!(scatter.bins.len() < 900, "{}", scatter.bins.len());
        assert!(scatter.points.len() == FAR && scatter.left_out > 0);
        let one = hexagons(&[(10.0, 20.0)], 0.05);
        assert!((one[0].control_s.log10() - 1.0).abs() <= 0.051);
        assert!((one[0].candidate_s.log10() - 20_f64.log10()).abs() <= 0.051);
    }

    #[test]
    fn times_that_are_none_are_left_out() {
        assert_eq!(Scatter::of(&[(0.0, 1.0), (f64::NAN, 1.0)]), None);
        let few = Scatter::of(&[(1000.0, 2000.0), (0.0, 1.0)]).expect("there is one");
        assert_eq!((few.recordings, few.points), (1, vec![(1.0, 2.0)]));
    }
}
