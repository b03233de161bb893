use chrono::TimeDelta;
use proptest::prelude::*;

use super::samples::{clean, distance, mirror, pair, rules, start};
use super::*;
use crate::model::{GateVerdict, NoiseFrom, Origin};

fn decided(facts: &Facts) -> Decision {
    decide(&rules(), facts, start() + TimeDelta::days(20))
}

fn line<'a>(decision: &'a Decision, name: &str) -> &'a Line {
    let found = decision.lines.iter().find(|line| line.name == name);
    found.unwrap_or_else(|| panic!("there is no line `{name}`"))
}

#[test]
fn clean_recordings_pass_once_there_are_enough_and_not_before() {
    let almost = decided(&clean(73));
    assert_eq!(almost.verdict, GateVerdict::NotYet, "{}", almost.line);
    let failures = line(&almost, "failures");
    assert_eq!(failures.who, Some(Who::Time));
    assert!(failures.missing.starts_with("1 more clean recordings"));
    let enough = decided(&clean(74));
    assert_eq!(enough.verdict, GateVerdict::Pass, "{:#?}", enough.reasons);
    assert_eq!(enough.line, "PASS");
}

#[test]
fn a_line_says_how_many_days_it_will_take_at_the_rate_recordings_arrive() {
    let facts = clean(40);
    let now = facts.pairs[39].at;
    let failures = &decide(&rules(), &facts, now).lines[0];
    assert_eq!(failures.missing, "34 more clean recordings, about 4 days");
    assert_eq!(failures.eta_days, Some(4));
}

#[test]
fn nothing_seen_is_not_yet() {
    let nothing = decided(&Facts::default());
    assert_eq!(nothing.verdict, GateVerdict::NotYet);
    assert!(nothing.reasons.len() <= 5 && !nothing.reasons.is_empty());
    assert!(nothing.line.starts_with("NOT YET: failures"));
    let no_rules = Rules {
        fields: Vec::new(),
        ..rules()
    };
    let found = decide(&no_rules, &clean(200), start());
    assert_eq!(
        found.verdict,
        GateVerdict::NotYet,
        "nothing was asked of any field"
    );
}

/// One thing spoilt in facts that pass, with what it comes to and the line that says so.
#[test]
fn each_thing_that_is_asked_keeps_it_from_passing() {
    use GateVerdict::{Fail, NotYet};
    type Spoil = fn(&mut Facts);
    let table: &[(&str, GateVerdict, Spoil)] = &[
        ("failures", NotYet, |f| {
            f.pairs[3].broken = vec!["words".to_owned()];
        }),
        ("failures", NotYet, |f| {
            f.pairs[3].candidate = Ended::TimedOut;
        }),
        ("failures", Fail, |f| {
            for pair in &mut f.pairs[..8] {
                pair.candidate = Ended::Failed;
            }
        }),
        ("comparable", NotYet, |f| f.left_out.not_comparable = 10),
        ("days", NotYet, |f| {
            for pair in &mut f.pairs {
                pair.at = start();
            }
        }),
        ("coverage", NotYet, |f| {
            f.known_strata.push(Stratum::of(8, Some(5e6), "de"));
        }),
        ("latency", NotYet, |f| {
            for pair in &mut f.pairs {
                pair.took_ms = None;
            }
        }),
        ("latency", Fail, |f| {
            for pair in &mut f.pairs {
                pair.took_ms = Some(Sides {
                    control: 1.0,
                    candidate: 1.2,
                });
            }
        }),
        ("cost", Fail, |f| {
            for pair in &mut f.pairs {
                pair.usd = Some(Sides {
                    control: 1.0,
                    candidate: 1.2,
                });
            }
        }),
        ("self-test", NotYet, |f| f.self_test = None),
        ("self-test", NotYet, |f| {
            f.self_test = Some(SelfTest::default());
        }),
        ("self-test", Fail, |f| {
            f.self_test.as_mut().expect("it is").defects[0].caught = 37;
        }),
        ("reviews", NotYet, |f| f.reviews = None),
        ("reviews", NotYet, |f| {
            f.reviews.as_mut().expect("it is").done = 29;
        }),
        ("reviews", Fail, |f| {
            f.reviews.as_mut().expect("it is").open_s1 = 1;
        }),
        ("title", NotYet, |f| title(f).noise.clear()),
        ("title", NotYet, |f| title(f).noise.truncate(19)),
        ("title", NotYet, |f| {
            for pair in &mut title(f).noise {
                pair.control_again.differs = true;
            }
        }),
        ("title", NotYet, |f| {
            for pair in &mut title(f).noise[..38] {
                pair.origin = Origin::Replay;
            }
        }),
        ("title", Fail, |f| {
            for pair in &mut title(f).noise {
                pair.candidate_control = distance(0.9);
                pair.candidate_again = distance(0.9);
            }
        }),
        ("title", Fail, |f| {
            for pair in &mut title(f).noise {
                pair.candidate_control.broken = true;
                pair.candidate_again.broken = true;
            }
            title(f).noise[0].control_again.broken = true;
        }),
    ];
    for (name, verdict, spoil) in table {
        let mut facts = clean(75);
        spoil(&mut facts);
        let found = decided(&facts);
        assert_eq!(found.verdict, *verdict, "{name}: {}", found.line);
        let spoilt = line(&found, name);
        assert_ne!(spoilt.state, LineState::Pass, "{name}");
        assert!(!spoilt.missing.is_empty() && spoilt.who.is_some(), "{name}");
        assert!(found.line.len() < 400, "{}", found.line);
    }
}

fn title(facts: &mut Facts) -> &mut FieldFacts {
    facts.fields.get_mut("title").expect("it is there")
}

#[test]
fn what_the_settings_do_not_ask_is_named_and_never_called_passed() {
    let mut rules = rules();
    rules.bounds.reviews = false;
    rules.bounds.self_test = false;
    rules.bounds.latency_ratio = 0.0;
    let mut facts = clean(80);
    (facts.reviews, facts.self_test) = (None, None);
    for pair in &mut facts.pairs {
        (pair.took_ms, pair.usd, pair.effects_equal) = (None, None, None);
    }
    let found = decide(&rules, &facts, start());
    assert_eq!(found.verdict, GateVerdict::Pass, "{}", found.line);
    assert_eq!(
        found.line,
        "PASS; not looked at: latency, cost, effects, self-test, reviews"
    );
}

#[test]
fn what_people_put_up_with_is_said_with_the_verdict() {
    let mut facts = clean(80);
    facts.in_force = InForce {
        waivers: 2,
        rules: 1,
    };
    assert_eq!(decided(&facts).line, "PASS with 2 waivers and 1 rule");
}

#[test]
fn without_mirrors_the_declared_bounds_decide_where_the_settings_say_so() {
    let mut rules = rules();
    rules.bounds.noise = NoiseFrom::Declared;
    let mut facts = clean(74);
    title(&mut facts).noise.clear();
    let found = decide(&rules, &facts, start());
    assert_eq!(found.verdict, GateVerdict::Pass, "{}", found.line);
    facts.pairs[0].outside = vec!["title".to_owned()];
    let found = decide(&rules, &facts, start());
    assert_eq!(found.counts.failures, 1);
    assert_eq!(found.verdict, GateVerdict::NotYet);
}

#[test]
fn a_control_that_makes_the_same_twice_leaves_no_tolerance() {
    let mut facts = clean(74);
    title(&mut facts).noise = (0..20).map(|at| mirror(at, [0.0; 3])).collect();
    facts.pairs[0].outside = vec!["title".to_owned()];
    let found = decided(&facts);
    assert_eq!(found.counts.failures, 1);
    assert!(found.fields[2].note.contains("without tolerance"));
}

#[test]
fn a_fact_that_only_the_candidate_changes_is_a_failure_however_similar_the_text() {
    let mut facts = clean(80);
    facts.pairs[5].broken = vec!["title".to_owned()];
    assert_eq!(decided(&facts).counts.failures, 1);
    // A control that changes facts itself lets the candidate do so as often, and no more.
    for pair in title(&mut facts).noise.iter_mut().step_by(4) {
        pair.control_again.broken = true;
    }
    assert_eq!(decided(&facts).counts.failures, 0);
}

#[test]
fn clipping_hides_no_disaster() {
    let mut rules = rules();
    rules.fields[2].kind = FieldKind::Soft(0.05);
    let mut facts = clean(200);
    title(&mut facts).noise[7] = mirror(7, [1.0, 1.0, 0.2]);
    let found = decide(&rules, &facts, start());
    assert_eq!(found.counts.failures, 1);
}

#[test]
fn a_new_comparator_is_shown_and_does_not_decide() {
    let mut rules = rules();
    rules.fields[1].dry_run = 100;
    let mut facts = clean(80);
    for pair in &mut facts.pairs {
        pair.broken = vec!["words".to_owned()];
    }
    let found = decide(&rules, &facts, start());
    assert_eq!(found.fields[1].state, FieldState::DryRun);
    assert_eq!(found.verdict, GateVerdict::Pass, "{}", found.line);
    for rule in &mut rules.fields {
        rule.dry_run = 100;
    }
    let found = decide(&rules, &clean(80), start());
    assert_eq!(found.verdict, GateVerdict::NotYet, "nothing decides");
}

#[test]
fn at_most_half_of_what_counts_is_replayed() {
    let mut facts = clean(100);
    for pair in &mut facts.pairs[..80] {
        pair.origin = Origin::Replay;
    }
    let found = decided(&facts);
    assert_eq!(found.counts.counted, 40);
    assert_ne!(found.verdict, GateVerdict::Pass);
}

#[test]
fn runs_that_ended_otherwise_and_compared_nothing_pass_nothing() {
    let mut facts = clean(200);
    for pair in &mut facts.pairs {
        pair.compared = 0;
    }
    for field in facts.fields.values_mut() {
        field.compared = 0;
    }
    assert_eq!(decided(&facts).verdict, GateVerdict::NotYet);
}

fn some_distance() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => 0.0_f64..1.0,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => -1.0_f64..2.0,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn one_more_clean_recording_never_turns_a_pass_back(n in 74_usize..140) {
        let before = decided(&clean(n));
        prop_assert_eq!(before.verdict, GateVerdict::Pass);
        let after = decided(&clean(n + 1));
        prop_assert_eq!(after.verdict, GateVerdict::Pass);
    }

    #[test]
    fn one_more_failure_never_makes_a_pass(n in 1_usize..160, failures in 0_usize..6) {
        let mut facts = clean(n);
        let verdicts: Vec<_> = (0..=failures.min(n - 1)).map(|at| {
            facts.pairs[at].candidate = Ended::Failed;
            decided(&facts).verdict
        }).collect();
        let passes = |verdict: &GateVerdict| *verdict == GateVerdict::Pass;
        prop_assert!(verdicts.is_sorted_by_key(|verdict| !passes(verdict)));
    }

    #[test]
    fn what_is_no_number_never_passes(
        n in 0_usize..200,
        distances in prop::collection::vec(prop::array::uniform3(some_distance()), 0..120),
    ) {
        let mut facts = clean(n);
        let is_odd = |one: &f64| !(0.0..=1.0).contains(one);
        let odd = distances.iter().filter(|three| three.iter().any(is_odd)).count();
        title(&mut facts).noise =
            distances.iter().enumerate().map(|(at, three)| mirror(at, *three)).collect();
        let found = decided(&facts);
        if odd > 8 || distances.is_empty() {
            prop_assert_ne!(found.verdict, GateVerdict::Pass);
        }
        prop_assert!(found.fields.iter().all(|row| !row.evidence.is_nan()));
    }

    #[test]
    fn nothing_alone_is_enough(n in 0_usize..400, kept in 0_usize..4) {
        let mut facts = clean(n);
        if kept != 0 { facts.pairs.clear(); }
        if kept != 1 { facts.fields.clear(); }
        if kept != 2 { facts.reviews = None; }
        if kept != 3 { facts.self_test = None; }
        prop_assert_ne!(decided(&facts).verdict, GateVerdict::Pass);
    }
}

#[test]
fn ten_thousand_recordings_are_decided_on_in_a_moment() {
    let mut facts = clean(10_000);
    facts.pairs[9_999] = pair(9_999);
    let begun = std::time::Instant::now();
    let found = decided(&facts);
    assert_eq!(found.verdict, GateVerdict::Pass);
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}
