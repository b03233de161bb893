use proptest::{prelude::*, test_runner::TestRunner};

use super::*;

fn noon() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    noon() + TimeDelta::seconds(seconds)
}

fn limits() -> HealthLimits {
    HealthLimits::default()
}

fn good() -> Signals {
    Signals::default()
}

fn bad() -> Signals {
    Signals {
        bad: Some("canary: it does not end".to_owned()),
        only_watched: false,
    }
}

/// Looks every five seconds, `g` finding everything well and `b` not; the state after each.
fn looks(breaker: &mut Breaker, clock: &mut i64, signs: &str) -> Vec<BreakerState> {
    signs
        .chars()
        .map(|sign| {
            *clock += 5;
            let signals = if sign == 'g' { good() } else { bad() };
            *breaker = breaker.clone().after(&signals, at(*clock), &limits());
            breaker.state
        })
        .collect()
}

fn closed() -> (Breaker, i64) {
    (Breaker::first(&good(), noon(), &limits()), 0)
}

fn open() -> (Breaker, i64) {
    let (mut breaker, mut clock) = closed();
    looks(&mut breaker, &mut clock, "bbb");
    assert_eq!(breaker.state, BreakerState::Open);
    (breaker, clock)
}

#[test]
fn a_suspicion_that_lasts_opens_and_one_that_passes_does_not() {
    use BreakerState::{Closed, Open, Suspect};
    for (signs, states) in [
        ("b", vec![Suspect]),
        ("bb", vec![Suspect, Suspect]),
        ("bbb", vec![Suspect, Suspect, Open]),
        ("bg", vec![Suspect, Suspect]),
        ("bgg", vec![Suspect, Suspect, Closed]),
        ("bgb", vec![Suspect, Suspect, Open]),
        ("bggb", vec![Suspect, Suspect, Closed, Suspect]),
        ("gggg", vec![Closed, Closed, Closed, Closed]),
    ] {
        let (mut breaker, mut clock) = closed();
        assert_eq!(looks(&mut breaker, &mut clock, signs), states, "{signs}");
    }
}

#[test]
fn it_is_open_within_25_seconds_of_the_first_bad_sign() {
    let (mut breaker, mut clock) = closed();
    let began = clock + 5;
    while breaker.state != BreakerState::Open {
        looks(&mut breaker, &mut clock, "b");
    }
    assert!(clock - began <= 25, "{}", clock - began);
}

#[test]
fn it_is_tried_again_after_its_cool_down_and_a_good_look() {
    let (mut breaker, mut clock) = open();
    looks(&mut breaker, &mut clock, &"g".repeat(11));
    assert_eq!(breaker.state, BreakerState::Open);
    looks(&mut breaker, &mut clock, "b");
    assert_eq!(breaker.state, BreakerState::Open);
    looks(&mut breaker, &mut clock, "g");
    assert_eq!(breaker.state, BreakerState::HalfOpen);
    assert_eq!(breaker.admits(at(clock)), Admission::OneAtATime);
}

#[test]
fn it_recovers_step_by_step() {
    let (mut breaker, mut clock) = open();
    let mut seen = Vec::new();
    for _ in 0..200 {
        looks(&mut breaker, &mut clock, "g");
        let admits = breaker.admits(at(clock));
        if seen.last().is_none_or(|(_, last)| *last != admits) {
            seen.push((clock, admits));
        }
    }
    let percent = |whole: u16| Admission::Percent(Percent::from_hundredths(whole * 100).unwrap());
    let admissions: Vec<_> = seen.iter().skip(1).map(|(_, admits)| admits).collect();
    let expected = [
        &Admission::OneAtATime,
        &percent(5),
        &percent(25),
        &percent(100),
        &Admission::All,
    ];
    assert_eq!(admissions, expected);
    for pair in seen[1..].windows(2) {
        assert!(pair[1].0 - pair[0].0 >= limits().steady_s, "{seen:?}");
    }
}

#[test]
fn one_bad_look_while_it_recovers_opens_it_again_for_twice_as_long() {
    for good_looks in [13, 13 + 26] {
        let (mut breaker, mut clock) = open();
        looks(&mut breaker, &mut clock, &"g".repeat(good_looks));
        looks(&mut breaker, &mut clock, "b");
        assert_eq!(breaker.state, BreakerState::Open, "{good_looks}");
        assert_eq!(breaker.cool_down_s, 120);
    }
}

#[test]
fn opening_thrice_within_an_hour_latches_it_until_a_person_closes_it() {
    let (mut breaker, mut clock) = open();
    looks(&mut breaker, &mut clock, &"g".repeat(13));
    looks(&mut breaker, &mut clock, "b");
    looks(&mut breaker, &mut clock, &"g".repeat(25));
    assert_eq!(breaker.state, BreakerState::HalfOpen);
    looks(&mut breaker, &mut clock, "b");
    assert_eq!(breaker.state, BreakerState::Latched);
    let refused = breaker.clone().closed_by("ana", "it is well", at(clock));
    assert!(matches!(refused, Err(NotClosed::Unwell(_))));
    looks(&mut breaker, &mut clock, &"g".repeat(2000));
    assert_eq!(breaker.state, BreakerState::Latched);
    assert!(matches!(breaker.admits(at(clock)), Admission::None(_)));

    let late = at(clock) + STALE + TimeDelta::seconds(1);
    let refused = breaker.clone().closed_by("ana", "it is well", late);
    assert_eq!(refused, Err(NotClosed::NotWatched));
    let closed = breaker.closed_by("ana", "it is well", at(clock)).unwrap();
    assert_eq!(closed.state, BreakerState::Closed);
    assert_eq!(closed.reason, "closed by ana: it is well");
    let refused = closed.closed_by("ana", "it is well", at(clock));
    assert_eq!(refused, Err(NotClosed::Closed));
}

#[test]
fn cooling_down_takes_longer_each_time_and_is_forgotten_after_six_quiet_hours() {
    let (mut breaker, mut clock) = open();
    let mut waited = Vec::new();
    for _ in 0..7 {
        // Apart by an hour, so that it does not latch.
        while breaker.state != BreakerState::Closed {
            looks(&mut breaker, &mut clock, "g");
        }
        looks(&mut breaker, &mut clock, &"g".repeat(720));
        looks(&mut breaker, &mut clock, "bbb");
        waited.push(breaker.cool_down_s);
    }
    assert_eq!(waited, [120, 240, 480, 960, 1800, 1800, 1800]);
    while breaker.state != BreakerState::Closed {
        looks(&mut breaker, &mut clock, "g");
    }
    looks(&mut breaker, &mut clock, &"g".repeat(6 * 720));
    looks(&mut breaker, &mut clock, "bbb");
    assert_eq!(breaker.cool_down_s, 60);
}

#[test]
fn what_is_only_watched_never_opens() {
    let (mut breaker, _) = closed();
    for seconds in (5..600).step_by(5) {
        let signals = Signals {
            only_watched: true,
            ..bad()
        };
        breaker = breaker.after(&signals, at(seconds), &limits());
        assert_eq!(breaker.state, BreakerState::Suspect);
    }
}

#[test]
fn a_look_that_is_older_than_30_seconds_admits_nothing() {
    let (breaker, _) = closed();
    assert_eq!(breaker.admits(at(30)), Admission::All);
    let Admission::None(why) = breaker.admits(at(31)) else {
        panic!("{breaker:?}");
    };
    assert_eq!(why, "nobody has looked at Conductor since 12:00:00 UTC");
}

#[test]
fn good_looks_before_a_gap_do_not_count() {
    let (mut breaker, mut clock) = open();
    looks(&mut breaker, &mut clock, &"g".repeat(13 + 20));
    clock += 600;
    looks(&mut breaker, &mut clock, "g");
    assert_eq!(breaker.state, BreakerState::HalfOpen);
    assert_eq!(breaker.good, 1);
}

#[test]
fn every_state_says_reason_since_next_and_what_would_change_it_in_one_line() {
    for state in BreakerState::ALL {
        let (mut breaker, _) = closed();
        breaker.state = state;
        let line = breaker.line(&limits());
        assert!(
            line.starts_with(&format!("{state} since 2026-03-02 12:00:00 UTC: ")),
            "{line}"
        );
        assert!(line.contains(". Next: ") && !line.contains('\n'), "{line}");
    }
}

#[test]
fn whatever_is_seen_it_does_not_flap_holds_its_latch_and_closes_only_after_good_looks() {
    let signs = prop::collection::vec((prop::bool::weighted(0.8), 1..40_i64), 1..400);
    let seen = std::cell::Cell::new(0_usize);
    TestRunner::default()
        .run(&signs, |signs| {
            let mut breaker = Breaker::first(&good(), noon(), &limits());
            let mut now = noon();
            let mut streak = 0_u32;
            let mut opened: Vec<DateTime<Utc>> = Vec::new();
            for (is_good, seconds) in signs {
                now += TimeDelta::seconds(seconds);
                streak = match (is_good, seconds > STALE.num_seconds()) {
                    (false, _) => 0,
                    (true, true) => 1,
                    (true, false) => streak + 1,
                };
                let before = breaker.clone();
                let signals = if is_good { good() } else { bad() };
                breaker = breaker.after(&signals, now, &limits());
                let (was, is) = (before.state, breaker.state);
                prop_assert!(!breaker.reason.is_empty());
                if !is_good {
                    prop_assert!(is != BreakerState::Closed);
                    prop_assert!(breaker.admits(now) != Admission::All);
                }
                if was == BreakerState::Latched {
                    prop_assert_eq!(is, BreakerState::Latched);
                }
                if is == BreakerState::Closed && was != BreakerState::Closed {
                    seen.set(seen.get() + 1);
                    let needed = match was {
                        BreakerState::Suspect => CLEARS,
                        _ => limits().good_looks,
                    };
                    prop_assert!(streak >= needed, "{} good looks after {}", streak, was);
                    prop_assert!(matches!(
                        was,
                        BreakerState::Suspect | BreakerState::Recovering
                    ));
                }
                if is == BreakerState::HalfOpen && was != BreakerState::HalfOpen {
                    prop_assert_eq!(was, BreakerState::Open);
                    prop_assert!(now - before.since >= TimeDelta::seconds(limits().cool_down_s));
                }
                let opens = |state| matches!(state, BreakerState::Open | BreakerState::Latched);
                if opens(is) && !opens(was) {
                    opened.push(now);
                    let hour = TimeDelta::minutes(60);
                    let recent = opened.iter().filter(|at| now - **at < hour).count();
                    prop_assert!(recent <= LATCHES);
                    prop_assert_eq!(is == BreakerState::Latched, recent == LATCHES);
                }
            }
            Ok(())
        })
        .unwrap();
    assert!(seen.get() > 0);
}
