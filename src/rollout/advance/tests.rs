use proptest::{prelude::*, test_runner::TestRunner};

use super::*;
use crate::{
    model::{FlagName, GateVerdict},
    rollout::{
        Phase,
        audit::{Chain, Entry, Sealed},
        required,
    },
};

fn now() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().expect("it is a time")
}

fn ago(length: TimeDelta) -> DateTime<Utc> {
    now() - length
}

fn percent(whole: u16) -> Percent {
    Percent::from_hundredths(whole * 100).expect("it is at most 100")
}

/// Everything that any step asks for.
fn ready(position: Position) -> Facts {
    Facts {
        environment: EnvironmentName::new("production"),
        position,
        version: 7,
        since: Some(ago(TimeDelta::days(30))),
        predecessor: Some(Position::Removed),
        hold: None,
        overrides: Vec::new(),
        approvals: Approvals {
            requested_by: Some("ana".to_owned()),
            approved_by: vec!["bo".to_owned()],
        },
        breaker: Some(BreakerFacts {
            state: BreakerState::Closed,
            reason: "all probes are well".to_owned(),
            opened_at: None,
        }),
        health: Some(HealthFacts {
            bad: None,
            since: ago(TimeDelta::days(1)),
            checked_at: ago(TimeDelta::seconds(5)),
        }),
        evidence: Evidence {
            epoch: "epoch".to_owned(),
            digest: "digest".to_owned(),
            recordings: 200,
            replayed: 0,
            failures: 0,
            candidate_failed: 0,
            days: 9,
        },
        gate: GateStands {
            verdict: GateVerdict::Pass,
            line: "PASS".to_owned(),
            missing: String::new(),
            alarm: None,
        },
        soak: GateStands {
            verdict: GateVerdict::Pass,
            line: "PASS".to_owned(),
            missing: String::new(),
            alarm: None,
        },
        parallel: Ended {
            ended_well: 20,
            failed: 0,
        },
        live: Ended {
            ended_well: 20,
            failed: 0,
        },
        rehearsal: Some(RehearsalFacts {
            at: ago(TimeDelta::days(1)),
            passed: true,
        }),
        legacy_started_at: Some(ago(TimeDelta::days(20))),
        legacy_open: 0,
        kept_back: None,
        exported_at: Some(ago(TimeDelta::hours(1))),
    }
}

fn around() -> Surroundings {
    Surroundings {
        may_serve: Ok(()),
        celery_waiting: Some(0),
    }
}

fn going(to: Position) -> Move {
    Move {
        to,
        seen: 7,
        evidence: None,
        by: "ana".to_owned(),
        reason: String::new(),
        typed_name: Some("production".to_owned()),
    }
}

fn bounds() -> Bounds {
    Bounds {
        after: Some("staging".to_owned()),
        ..Bounds::default()
    }
}

fn ask(facts: &Facts, to: Position) -> Result<Advance, Refusal> {
    advance(facts, &around(), &going(to), &bounds(), now())
}

/// All positions, at some percentages.
fn all() -> Vec<Position> {
    let some = [0, 10, 50, 100].map(percent);
    let mut all = vec![Position::Infrastructure, Position::Parallel];
    all.extend(some.map(Position::Shadow));
    all.extend(some.map(Position::Cutover));
    all.extend([
        Position::Soak,
        Position::Draining,
        Position::Archived,
        Position::Removed,
    ]);
    all
}

#[test]
fn one_may_go_back_anywhere_at_any_time_and_forward_one_step() {
    for from in all() {
        // As bad as it can be.
        let mut bad = ready(from);
        bad.hold = Some(Hold {
            id: "hold_1".to_owned(),
            owner: "bo".to_owned(),
            reason: "wait".to_owned(),
            placed_at: now(),
            expires_at: now(),
        });
        (bad.breaker, bad.health) = (None, None);
        for to in all() {
            let found = ask(&ready(from), to);
            match to.cmp(&from) {
                std::cmp::Ordering::Less => {
                    assert_eq!(found, Ok(Advance::Back), "{from} to {to}");
                    assert_eq!(ask(&bad, to), Ok(Advance::Back), "{from} to {to}");
                }
                std::cmp::Ordering::Equal => {
                    assert!(matches!(found, Err(Refusal::There { .. })), "{to}");
                }
                std::cmp::Ordering::Greater if is_step(from, to) => {
                    assert!(
                        matches!(found, Ok(Advance::Forward(_))),
                        "{from} to {to}: {found:?}"
                    );
                    assert!(
                        matches!(ask(&bad, to), Err(Refusal::Held(_))),
                        "{from} to {to}"
                    );
                }
                std::cmp::Ordering::Greater => {
                    assert!(
                        matches!(found, Err(Refusal::NoStep { .. })),
                        "{from} to {to}"
                    );
                }
            }
        }
    }
}

#[test]
fn no_step_of_cutover_is_left_out_before_soak() {
    let half = ready(Position::Cutover(percent(50)));
    let Err(Refusal::NoStep { next, .. }) = ask(&half, Position::Soak) else {
        panic!("half of the rooms is not all");
    };
    assert_eq!(next, "cutover at more than 50 %, up to 100 %");
    assert!(ask(&ready(Position::Cutover(Percent::ALL)), Position::Soak).is_ok());
}

/// One of the conditions of each step broken, and the check that notices.
#[test]
fn each_condition_stops_the_steps_that_ask_for_it_and_no_others() {
    type Break = fn(&mut Facts, &mut Surroundings, &mut Move);
    let breaks: [(Check, Break); 20] = [
        (Check::Order, |f, _, _| f.predecessor = None),
        (Check::Settings, |_, a, _| {
            a.may_serve = Err("no key".into());
        }),
        (Check::Health, |f, _, _| {
            f.health.as_mut().expect("it is").bad = Some("server: silent".into());
        }),
        (Check::Breaker, |f, _, _| {
            f.breaker.as_mut().expect("it is").state = BreakerState::Recovering;
        }),
        (Check::ParallelRuns, |f, _, _| f.parallel.ended_well = 9),
        (Check::ShadowPairs, |f, _, _| {
            f.gate.alarm = Some("21 of 200 failed".to_owned());
        }),
        (Check::Evidence, |f, _, _| f.gate = GateStands::default()),
        (Check::Evidence, |f, _, _| {
            f.gate.verdict = GateVerdict::Fail;
            f.gate.missing = "mend the candidate".to_owned();
        }),
        (Check::Rehearsal, |f, _, _| {
            f.rehearsal.as_mut().expect("it is").passed = false;
        }),
        (Check::Dwell, |f, _, _| {
            f.since = Some(ago(TimeDelta::hours(23)));
        }),
        (Check::StepRuns, |f, _, _| f.live.failed = 1),
        (Check::Soaked, |f, _, _| {
            f.since = Some(ago(TimeDelta::days(13)));
        }),
        (Check::Served, |f, _, _| f.soak = GateStands::default()),
        (Check::Served, |f, _, _| {
            f.soak.verdict = GateVerdict::Fail;
            f.soak.missing = "mend the candidate".to_owned();
        }),
        (Check::Quiet, |f, _, _| {
            f.breaker.as_mut().expect("it is").opened_at = Some(ago(TimeDelta::days(6)));
        }),
        (Check::Rules, |f, _, _| f.kept_back = Some("2 rooms".into())),
        (Check::LegacyQuiet, |f, _, _| {
            f.legacy_started_at = Some(ago(TimeDelta::days(13)));
        }),
        (Check::LegacyDrained, |f, _, _| f.legacy_open = 1),
        (Check::Exported, |f, _, _| f.exported_at = None),
        (Check::TypedName, |_, _, m| {
            m.typed_name = Some("staging".into());
        }),
    ];
    for from in all() {
        for to in all()
            .into_iter()
            .filter(|to| *to > from && is_step(from, *to))
        {
            for (check, spoil) in breaks {
                let (mut facts, mut around, mut wanted) = (ready(from), around(), going(to));
                spoil(&mut facts, &mut around, &mut wanted);
                let found = advance(&facts, &around, &wanted, &bounds(), now());
                // Both are about how long it stands there.
                let is_twin = check == Check::Dwell && required(from, to).contains(&Check::Soaked);
                if is_twin {
                    continue;
                }
                if !required(from, to).contains(&check) {
                    assert!(
                        found.is_ok(),
                        "{from} to {to} with {check} broken: {found:?}"
                    );
                    continue;
                }
                let Err(Refusal::Unmet { preconditions }) = &found else {
                    panic!("{from} to {to} goes though {check} is broken: {found:?}");
                };
                let unmet: Vec<_> = preconditions
                    .iter()
                    .filter(|one| !one.state.allows())
                    .collect();
                assert_eq!(unmet.len(), 1, "{from} to {to}, {check}: {unmet:?}");
                assert_eq!(unmet[0].check, check);
                for told in [&unmet[0].value, &unmet[0].bound, &unmet[0].missing] {
                    assert!(!told.is_empty(), "{check} tells nothing");
                }
            }
        }
    }
}

#[test]
fn no_data_is_never_enough() {
    for from in all() {
        for to in all()
            .into_iter()
            .filter(|to| *to > from && is_step(from, *to))
        {
            let mut facts = ready(from);
            facts.since = None;
            facts.predecessor = None;
            (facts.breaker, facts.health, facts.rehearsal) = (None, None, None);
            (facts.evidence, facts.gate) = (Evidence::default(), GateStands::default());
            (facts.parallel, facts.live) = (Ended::default(), Ended::default());
            (facts.soak, facts.exported_at) = (GateStands::default(), None);
            let nothing = Surroundings {
                celery_waiting: None,
                ..around()
            };
            let found = advance(&facts, &nothing, &going(to), &bounds(), now());
            assert!(
                matches!(found, Err(Refusal::Unmet { .. })),
                "{from} to {to}: {found:?}"
            );
        }
    }
}

#[test]
fn an_override_counts_until_it_expires_and_only_for_its_own_check() {
    let mut facts = ready(Position::Shadow(Percent::ALL));
    facts.rehearsal = None;
    let to = Position::Cutover(percent(1));
    let mut taken = Override {
        check: Check::Rehearsal,
        by: "ana".to_owned(),
        reason: "first try".to_owned(),
        until: now() + TimeDelta::hours(4),
    };
    facts.overrides = vec![taken.clone()];
    let Ok(Advance::Forward(preconditions)) = ask(&facts, to) else {
        panic!("it is overridden");
    };
    let overridden: Vec<_> = preconditions
        .iter()
        .filter(|one| one.state.is_overridden())
        .map(|one| one.check)
        .collect();
    assert_eq!(overridden, [Check::Rehearsal]);

    taken.until = now();
    facts.overrides = vec![taken.clone()];
    assert!(ask(&facts, to).is_err(), "it has expired");
    taken.until = now() + TimeDelta::hours(4);
    taken.check = Check::Evidence;
    facts.overrides = vec![taken.clone()];
    assert!(ask(&facts, to).is_err(), "it is another check's");

    // Nobody can take upon themselves what the settings lack.
    taken.check = Check::Settings;
    facts = ready(Position::Shadow(Percent::ALL));
    facts.overrides = vec![taken];
    let lacking = Surroundings {
        may_serve: Err("`legacy.redis_url` is missing".to_owned()),
        ..around()
    };
    assert!(advance(&facts, &lacking, &going(to), &bounds(), now()).is_err());
}

#[test]
fn approvals_are_of_other_people_each_counted_once() {
    let two = Bounds {
        approvals: 2,
        ..bounds()
    };
    let mut facts = ready(Position::Infrastructure);
    let mut try_with = |approved_by: &[&str]| {
        facts.approvals.approved_by = approved_by.iter().map(ToString::to_string).collect();
        match advance(&facts, &around(), &going(Position::Parallel), &two, now()) {
            Ok(_) => None,
            Err(Refusal::Unapproved { have, .. }) => Some(have),
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(try_with(&[]), Some(0));
    assert_eq!(try_with(&["ana", "bo", "bo"]), Some(1));
    assert_eq!(try_with(&["bo", "cy"]), None);
}

#[test]
fn celery_is_not_removed_by_one_person_alone() {
    let mut facts = ready(Position::Archived);
    facts.approvals = Approvals::default();
    let found = ask(&facts, Position::Removed);
    assert!(
        matches!(found, Err(Refusal::Unapproved { need: 1, .. })),
        "{found:?}"
    );
}

#[test]
fn what_was_not_seen_is_not_decided_on() {
    let facts = ready(Position::Shadow(percent(10)));
    let to = Position::Shadow(Percent::ALL);
    let stale = Move {
        seen: 6,
        ..going(to)
    };
    let found = advance(&facts, &around(), &stale, &bounds(), now());
    assert!(matches!(
        found,
        Err(Refusal::Moved {
            seen: 6,
            version: 7,
            ..
        })
    ));
    let other = Move {
        evidence: Some("another".to_owned()),
        ..going(to)
    };
    let found = advance(&facts, &around(), &other, &bounds(), now());
    assert!(matches!(found, Err(Refusal::NewEvidence { .. })));
    let seen = Move {
        evidence: Some("digest".to_owned()),
        ..going(to)
    };
    assert!(advance(&facts, &around(), &seen, &bounds(), now()).is_ok());
}

/// What may happen to a migration.
#[derive(Clone, Debug)]
enum Event {
    Go(Position, i64),
    Hold(bool),
    Break(BreakerState),
    Ill(bool),
    Compared(i64, i64),
    Rehearsed(bool),
    Served(i64, i64),
    Override(Check),
    Approve(&'static str),
    Wait(TimeDelta),
    LegacyOpen(i64),
    Export,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (prop::sample::select(all()), -1_i64..1).prop_map(|(to, off)| Event::Go(to, off)),
        1 => any::<bool>().prop_map(Event::Hold),
        1 => prop::sample::select(BreakerState::ALL.to_vec()).prop_map(Event::Break),
        1 => any::<bool>().prop_map(Event::Ill),
        2 => (0_i64..200, 0_i64..2).prop_map(|(n, x)| Event::Compared(n, x)),
        1 => any::<bool>().prop_map(Event::Rehearsed),
        1 => (0_i64..20, 0_i64..2).prop_map(|(well, failed)| Event::Served(well, failed)),
        1 => prop::sample::select(Check::ALL.to_vec()).prop_map(Event::Override),
        1 => prop::sample::select(vec!["ana", "bo", "cy"]).prop_map(Event::Approve),
        2 => (0_i64..40 * 24).prop_map(|hours| Event::Wait(TimeDelta::hours(hours))),
        1 => (0_i64..2).prop_map(Event::LegacyOpen),
        1 => Just(Event::Export),
    ]
}

/// A migration as the store keeps it.
struct World {
    facts: Facts,
    now: DateTime<Utc>,
    chain: Chain,
    trail: Vec<Sealed>,
}

impl World {
    fn new() -> Self {
        let mut facts = ready(Position::Infrastructure);
        facts.version = 0;
        facts.approvals = Approvals::default();
        Self {
            facts,
            now: now(),
            chain: Chain::default(),
            trail: Vec::new(),
        }
    }

    fn meet(&mut self, event: &Event) {
        let now = self.now;
        match *event {
            Event::Go(to, off) => self.go(to, off),
            Event::Hold(placed) => {
                self.facts.hold = placed.then(|| Hold {
                    id: "hold_1".to_owned(),
                    owner: "bo".to_owned(),
                    reason: "wait".to_owned(),
                    placed_at: now,
                    expires_at: now,
                });
            }
            Event::Break(state) => {
                let breaker = self.facts.breaker.as_mut().expect("it is watched");
                breaker.state = state;
                if state == BreakerState::Open {
                    breaker.opened_at = Some(now);
                }
            }
            Event::Ill(is_ill) => {
                let health = self.facts.health.as_mut().expect("it is watched");
                health.bad = is_ill.then(|| "server: silent".to_owned());
                health.since = now;
            }
            Event::Compared(more, failures) => {
                self.facts.evidence.recordings += more;
                self.facts.evidence.failures += failures;
                self.facts.evidence.days += 1;
                self.facts.gate.verdict = match self.facts.evidence.failures {
                    0 => GateVerdict::Pass,
                    1..=3 => GateVerdict::NotYet,
                    _ => GateVerdict::Fail,
                };
                self.facts.evidence.digest = self.facts.evidence.recordings.to_string();
            }
            Event::Rehearsed(passed) => {
                self.facts.rehearsal = Some(RehearsalFacts { at: now, passed });
            }
            Event::Served(well, failed) => {
                self.facts.live.ended_well += well;
                self.facts.live.failed += failed;
            }
            Event::Override(check) => self.facts.overrides.push(Override {
                check,
                by: "ana".to_owned(),
                reason: "try".to_owned(),
                until: now + TimeDelta::hours(4),
            }),
            Event::Approve(name) => self.facts.approvals.approved_by.push(name.to_owned()),
            Event::Wait(length) => {
                self.now += length;
                if let Some(health) = &mut self.facts.health {
                    health.checked_at = self.now;
                }
            }
            Event::LegacyOpen(open) => self.facts.legacy_open = open,
            Event::Export => self.facts.exported_at = Some(now),
        }
    }

    fn go(&mut self, to: Position, off: i64) {
        let wanted = Move {
            to,
            seen: self.facts.version + off,
            evidence: Some(self.facts.evidence.digest.clone()),
            by: "ana".to_owned(),
            reason: "go".to_owned(),
            typed_name: Some("production".to_owned()),
        };
        let bounds = Bounds {
            approvals: 1,
            ..bounds()
        };
        let from = self.facts.position;
        match advance(&self.facts, &around(), &wanted, &bounds, self.now) {
            Err(refusal) => {
                assert!(!refusal.reason().is_empty(), "{refusal:?} gives no reason");
                assert!(!refusal.remedy().is_empty(), "{refusal:?} gives no remedy");
                assert!(
                    to >= from || off != 0,
                    "back from {from} to {to} was refused"
                );
                return;
            }
            Ok(Advance::Back) => assert!(to < from),
            Ok(Advance::Forward(preconditions)) => {
                assert!(to > from && is_step(from, to), "{from} to {to}");
                assert!(self.facts.hold.is_none(), "somebody holds");
                assert!(preconditions.iter().all(|one| one.state.allows()));
                let by_others = self.facts.approvals.approved_by.iter();
                assert!(
                    by_others.into_iter().any(|name| name != "ana"),
                    "nobody approved"
                );
            }
        }
        assert_eq!(off, 0, "it was decided on another version");
        self.trail.push(self.chain.seal(Entry {
            action: "flip".to_owned(),
            actor: wanted.by,
            after: to.to_string(),
            at: self.now.timestamp_millis(),
            before: from.to_string(),
            environment: self.facts.environment.to_string(),
            flag: FlagName::new("f").to_string(),
            previous: String::new(),
            reason: wanted.reason,
            seq: 0,
        }));
        self.facts.position = to;
        self.facts.version += 1;
        self.facts.since = Some(self.now);
        self.facts.live = Ended::default();
        self.facts.approvals = Approvals::default();
    }

    fn check(&self) {
        let position = self.facts.position;
        let kept = (position.phase(), position.percent(), position.sub());
        assert_eq!(Position::of(kept.0, kept.1, kept.2), Some(position));
        assert!(Phase::ALL.contains(&kept.0));
        let mut chain = Chain::default();
        let mut before = Position::Infrastructure.to_string();
        for sealed in &self.trail {
            assert_eq!(chain.check(sealed), Ok(()));
            assert_eq!(sealed.entry.before, before, "a move is missing");
            before.clone_from(&sealed.entry.after);
        }
        assert_eq!(before, position.to_string());
        assert_eq!(chain.len(), self.facts.version);
    }
}

/// 100,000 sequences of up to 24 commands and events: never an illegal state, a refusal without reason
/// and remedy, a move back that is refused, or a move that is not in the trail.
#[test]
fn whatever_happens_no_state_is_illegal_and_every_move_is_on_record() {
    let cases = ProptestConfig {
        cases: 100_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let sequences = prop::collection::vec(event(), 1..24);
    TestRunner::new(cases)
        .run(&sequences, |events| {
            let mut world = World::new();
            for event in events {
                world.meet(&event);
            }
            world.check();
            Ok(())
        })
        .expect("no sequence breaks a rule");
}
