//! What the gate does in the long run, with made-up migrations: looked at after every recording, it
//! promotes a candidate at the bound in at most one of twenty.

use super::samples::{clean, mirror, rules, start};
use super::*;
use crate::model::GateVerdict;

/// Steele, Lea and Flood's `SplitMix64`: the same draws everywhere.
struct Draws(u64);

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / 2_f64.powi(53)
    }

    /// Box and Muller.
    fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        mean + deviation * radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// At which recording each of some migrations passes, whose candidate fails at that rate and has to be
/// below that bound; looked at after every recording.
fn hard_passes(
    draws: &mut Draws,
    (rate, bound): (f64, f64),
    migrations: usize,
    longest: u64,
) -> Vec<Option<u64>> {
    // A clean recording never lowers the evidence (see its property), so whether it passes is whether
    // there are as many as needed.
    let needed: Vec<u64> = (0..200)
        .map_while(|failures| clean_needed(failures, bound, ALPHA))
        .take_while(|needed| *needed <= longest)
        .collect();
    let one = |_| {
        let mut failures = 0;
        (1..=longest).find(|n| {
            failures += usize::from(draws.uniform() < rate);
            needed.get(failures).is_some_and(|needed| n >= needed)
        })
    };
    (0..migrations).map(one).collect()
}

/// The share that got there, and the median of when; those that did not are last.
fn share_and_median(all: &[Option<u64>]) -> (f64, u64) {
    let mut at: Vec<u64> = all.iter().map(|at| at.unwrap_or(u64::MAX)).collect();
    at.sort_unstable();
    let there = all.iter().flatten().count();
    (there as f64 / all.len() as f64, at[at.len() / 2])
}

#[test]
fn a_candidate_at_the_bound_is_promoted_in_at_most_one_of_twenty_migrations() {
    let mut draws = Draws(1);
    let (promoted, _) = share_and_median(&hard_passes(&mut draws, (0.05, 0.05), 3_000, 1_000));
    assert!(promoted <= 0.05, "{promoted}");
    assert!(promoted > 0.02, "and not for want of trying: {promoted}");
}

#[test]
fn a_good_candidate_passes_and_soon() {
    let mut draws = Draws(2);
    for (rate, least, median) in [(0.02, 0.90, 249), (0.01, 0.999, 131), (0.005, 0.999, 74)] {
        let (promoted, at) = share_and_median(&hard_passes(&mut draws, (rate, 0.05), 3_000, 1_000));
        assert!(promoted >= least, "{rate}: {promoted}");
        assert_eq!(at, median, "{rate}");
    }
}

#[test]
fn a_candidate_that_fails_users_at_the_bound_ends_the_legacy_in_at_most_one_of_twenty_migrations() {
    let mut draws = Draws(7);
    let at_bound = hard_passes(&mut draws, (0.02, 0.02), 3_000, 2_500);
    let (promoted, _) = share_and_median(&at_bound);
    assert!(promoted <= 0.05, "{promoted}");
    assert!(promoted > 0.02, "and not for want of trying: {promoted}");
    let good = hard_passes(&mut draws, (0.001, 0.02), 3_000, 2_500);
    assert_eq!(share_and_median(&good), (1.0, 188));
}

/// Whether one migration's soak ever passes, looked at after every few recordings while several are
/// under way. What fails takes ten times as long as what goes well.
fn soaks(draws: &mut Draws, rate: f64) -> bool {
    let minutes = |many: usize| start() + chrono::TimeDelta::minutes(count(many));
    let all: Vec<(usize, bool)> = (0..260)
        .map(|number| (5 * number, draws.uniform() < rate))
        .collect();
    (40..260).step_by(4).any(|look| {
        let now = minutes(5 * look);
        let begun = all.iter().filter(|(at, _)| minutes(*at) <= now);
        let served: Vec<Served> = begun
            .map(|(at, fails)| Served {
                recording: crate::model::RecordingId::new(format!("rec_{at}")),
                at: minutes(*at),
                end: match (fails, minutes(at + if *fails { 300 } else { 30 }) <= now) {
                    (_, false) => ServedEnd::UnderWay,
                    (true, true) => ServedEnd::Failed,
                    (false, true) => ServedEnd::Well,
                },
                beside: None,
            })
            .collect();
        let bounds = crate::model::GateBounds {
            soak_failure_percent: 10.0,
            ..crate::model::GateBounds::default()
        };
        soak(&bounds, &served, now).verdict == GateVerdict::Pass
    })
}

#[test]
fn failures_that_take_long_to_show_do_not_let_a_soak_pass_before_they_do() {
    let mut draws = Draws(8);
    let passed = (0..80).filter(|_| soaks(&mut draws, 0.10)).count();
    assert!(passed <= 7, "{passed} of 80, where 4 are put up with");
    let passed = (0..40).filter(|_| soaks(&mut draws, 0.005)).count();
    assert!(passed >= 39, "{passed} of 40");
}

/// A field's margin and how much one distance varies: error rate, summary, title. The excess is the
/// difference of two.
const FIELDS: [(f64, f64); 3] = [(0.02, 0.012), (0.05, 0.08), (0.10, 0.15)];

/// At which recording each of some migrations reaches what the bet is about.
fn bets(draws: &mut Draws, bet: Bet, mean: f64, deviation: f64, bound: f64) -> Vec<Option<u64>> {
    let one = |_| {
        let mut wealth = Wealth::new(bet, bound);
        (1..=500).find(|_| {
            wealth.see(mean + draws.normal(0.0, deviation) - draws.normal(0.0, deviation));
            wealth.log() >= threshold(ALPHA)
        })
    };
    (0..600).map(one).collect()
}

#[test]
fn a_text_that_is_as_good_passes_soon_and_one_at_the_margin_hardly_ever() {
    let mut draws = Draws(3);
    let medians = [(35, 70), (46, 135), (43, 119)];
    for ((margin, deviation), (equal, half)) in FIELDS.into_iter().zip(medians) {
        let mut at = |mean| {
            let bet = Bet::Below(margin);
            share_and_median(&bets(&mut draws, bet, mean, deviation, 10.0 * margin))
        };
        let (promoted, median) = at(0.0);
        assert!(promoted > 0.99, "{margin}: {promoted}");
        assert!(
            median.abs_diff(equal) <= 3,
            "{margin}: {median}, not {equal}"
        );
        let (_, median) = at(margin / 2.0);
        assert!(
            median.abs_diff(half) <= half / 6,
            "{margin}: {median}, not {half}"
        );
        let (promoted, _) = at(margin);
        assert!(promoted <= 0.05, "{margin}: {promoted}");
    }
}

#[test]
fn an_alarm_without_any_excess_is_rare_and_one_at_the_margin_comes_soon() {
    let mut draws = Draws(4);
    for (margin, deviation) in FIELDS {
        let mut at = |mean| {
            let bet = Bet::Above(0.0);
            share_and_median(&bets(&mut draws, bet, mean, deviation, 10.0 * margin))
        };
        let (alarmed, _) = at(0.0);
        assert!(alarmed <= 0.05, "{margin}: {alarmed}");
        let (_, median) = at(margin);
        assert!((30..=60).contains(&median), "{margin}: {median}");
    }
}

/// A text somewhere between two ways of saying it; how far two are apart is their distance.
fn draw(draws: &mut Draws) -> f64 {
    draws.normal(0.0, 0.12)
}

/// Decides as the mirrors come in, and says what was ever said.
fn migration(draws: &mut Draws, shift: f64) -> (bool, bool) {
    let mut facts = clean(80);
    let field = facts.fields.get_mut("title").expect("it is there");
    field.noise.clear();
    let (mut failed, mut passed) = (false, false);
    for number in 0..80 {
        let (control, again) = (draw(draws), draw(draws));
        let candidate = draw(draws) + shift;
        let apart = |one: f64, other: f64| (one - other).abs().min(1.0);
        let distances = [
            apart(candidate, control),
            apart(candidate, again),
            apart(control, again),
        ];
        let field = facts.fields.get_mut("title").expect("it is there");
        field.noise.push(mirror(number, distances));
        if number % 8 == 7 {
            let verdict = decide(&rules(), &facts, start()).verdict;
            failed |= verdict == GateVerdict::Fail;
            passed |= verdict == GateVerdict::Pass;
        }
    }
    (failed, passed)
}

#[test]
fn another_draw_of_the_control_is_not_flagged_and_passes() {
    let mut draws = Draws(5);
    let all: Vec<_> = (0..60).map(|_| migration(&mut draws, 0.0)).collect();
    let failed = all.iter().filter(|one| one.0).count();
    let passed = all.iter().filter(|one| one.1).count();
    assert_eq!(failed, 0);
    assert!(passed >= 57, "{passed} of 60");
}

#[test]
fn a_candidate_that_is_worse_than_its_margin_fails_and_never_passes() {
    let mut draws = Draws(6);
    let all: Vec<_> = (0..40).map(|_| migration(&mut draws, 0.6)).collect();
    assert!(all.iter().filter(|one| one.0).count() >= 38);
    assert!(all.iter().all(|one| !one.1));
}
