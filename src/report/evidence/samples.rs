//! Evidence to report on, made up.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    About, Beside, Blind, Change, ClassCount, EvidenceReport, Gathered, Held, Hides, History, How,
    LastRehearsal, LookedAt, Material, Spent, StepsOfRun, Timeline, Waiver, sentences::whole,
};
use crate::{
    gate::{
        Defect, Distance, Ended, Facts, FieldFacts, FieldKind, FieldRule, InForce, NoisePair, Pair,
        Reviews, Rules, SelfTest, Severity, Sides, Stratum, decide,
    },
    model::{GateBounds, Origin, RecordingId, RunId, StepTiming},
};

pub fn now() -> DateTime<Utc> {
    "2026-03-20T12:00:00Z".parse().expect("it is a time")
}

pub fn about() -> About {
    About {
        environment: "staging".to_owned(),
        flag: "daily_diarization_pipeline".to_owned(),
        at: "2026-03-20 12:00 UTC".to_owned(),
        versions: "0123456789abcdef".to_owned(),
        digest: "fedcba9876543210".to_owned(),
    }
}

pub fn rules() -> Rules {
    let rule = |name: &str, label: &str, kind, dry_run| FieldRule {
        name: name.to_owned(),
        label: label.to_owned(),
        kind,
        dry_run,
    };
    Rules {
        bounds: GateBounds::default(),
        fields: vec![
            rule("status", "Status", FieldKind::Hard, 0),
            rule("words", "Words", FieldKind::Hard, 0),
            rule("title", "Title", FieldKind::Soft(0.10), 0),
            rule("short_summary", "Short summary", FieldKind::Soft(0.05), 0),
            rule("topics", "Topics", FieldKind::Hard, 50),
        ],
    }
}

fn pair(number: usize) -> Pair {
    let kind = number % 7;
    Pair {
        recording: RecordingId::new(format!("rec_{number:04}")),
        run: RunId::new(format!("run_{number:04}")),
        at: now() - TimeDelta::hours(160) + TimeDelta::hours(2 * whole(number)),
        origin: if number.is_multiple_of(5) {
            Origin::Replay
        } else {
            Origin::Arrival
        },
        stratum: Stratum::of(
            [2, 2, 4, 4, 2, 7, 2][kind],
            Some([600e3, 600e3, 2000e3, 2000e3, 4000e3, 600e3, 600e3][kind]),
            if kind == 6 { "es" } else { "en" },
        ),
        candidate: Ended::Well,
        broken: Vec::new(),
        outside: Vec::new(),
        compared: 5,
        took_ms: Some(Sides {
            control: 60_000.0 + 1000.0 * number as f64,
            candidate: 52_000.0 + 900.0 * number as f64,
        }),
        usd: None,
        audio_ms: Some(600_000.0),
        effects_equal: Some(true),
    }
}

/// Forty mirrored recordings, two of them with failures.
pub fn facts() -> Facts {
    let mut facts = Facts {
        pairs: (0..40).map(pair).collect(),
        ..Facts::default()
    };
    facts.known_strata = facts
        .pairs
        .iter()
        .map(|pair| pair.stratum.clone())
        .collect();
    facts.known_strata.push(Stratum::of(7, Some(4e6), "en"));
    facts.pairs[11].candidate = Ended::TimedOut;
    facts.pairs[29].broken = vec!["words".to_owned()];
    facts.pairs[33].outside = vec!["title".to_owned()];
    facts.pairs[35].took_ms = Some(Sides {
        control: 60_000.0,
        candidate: 150_000.0,
    });
    facts.left_out.control_failed = 2;
    for rule in rules().fields {
        let differs = match rule.name.as_str() {
            "title" | "words" => 1,
            _ => 0,
        };
        let seen = FieldFacts {
            compared: 39,
            differs,
            noise: Vec::new(),
        };
        facts.fields.insert(rule.name, seen);
    }
    let distance = |value: f64| Distance {
        value,
        broken: false,
        differs: value > 0.5,
    };
    let title = facts.fields.get_mut("title").expect("it was put there");
    title.noise = (0..40)
        .map(|number| {
            let wobble = f64::from(number % 5) * 0.02;
            NoisePair {
                recording: RecordingId::new(format!("rec_{number:04}")),
                origin: Origin::Arrival,
                candidate_control: distance(0.28 + wobble),
                candidate_again: distance(0.30),
                control_again: distance(0.33 - wobble),
                candidate_twice: None,
            }
        })
        .collect();
    facts
}

/// The same with everything else that can be known.
pub fn full() -> Facts {
    let mut facts = facts();
    facts.reviews = Some(Reviews {
        open_s0: 0,
        open_s1: 1,
        rejected: 0,
        done: 12,
        needed: 30,
    });
    let defect = |name: &str, severity, caught, of| Defect {
        name: name.to_owned(),
        severity,
        caught,
        of,
    };
    facts.self_test = Some(SelfTest {
        defects: vec![
            defect("one number changed", Severity::S1, 40, 40),
            defect("two speakers swapped", Severity::S1, 30, 40),
            defect("a phrase twenty times", Severity::S2, 0, 0),
        ],
    });
    facts.in_force = InForce {
        waivers: 2,
        rules: 1,
    };
    facts
}

pub fn steps() -> Vec<StepsOfRun> {
    let step = |name: &str, ms: f64| StepTiming {
        step: name.to_owned(),
        wall_ms: ms,
    };
    let mut run = StepsOfRun::default();
    run.control.steps = vec![
        step("mixdown_tracks", 8_000.0),
        step("transcribe", 41_000.0),
    ];
    run.candidate.steps = vec![
        step("mixdown_tracks", 6_000.0),
        step("transcribe_track", 20_000.0),
        step("transcribe_track", 12_500.0),
    ];
    vec![run]
}

pub fn classes() -> Vec<ClassCount> {
    let class = |class: &str, severity, count| ClassCount {
        class: class.to_owned(),
        severity,
        count,
    };
    vec![
        class("fact changed", Severity::S1, 2),
        class("paraphrase", Severity::S3, 31),
        class("omission", Severity::S2, 7),
    ]
}

pub fn report(facts: &Facts, steps: &[StepsOfRun], classes: &[ClassCount]) -> EvidenceReport {
    let rules = rules();
    EvidenceReport::of(Material {
        about: &about(),
        rules: &rules,
        facts,
        decision: &decide(&rules, facts, now()),
        steps,
        classes,
        looked_at: &looked_at(facts),
        timeline: &Timeline::of(&history(facts), now()),
        beside: &beside(facts),
        earlier: None,
    })
}

/// A week in shadow, with a Conductor that was gone for a while.
fn history(facts: &Facts) -> History {
    if facts.pairs.is_empty() {
        return History {
            phase: "parallel".to_owned(),
            ..History::default()
        };
    }
    let change = |hours: i64, before: &str, after: &str, by: &str, reason: &str| Change {
        at: now() - TimeDelta::hours(hours),
        before: before.to_owned(),
        after: after.to_owned(),
        by: by.to_owned(),
        reason: reason.to_owned(),
    };
    let gathered = |versions: &str, first, last, runs| Gathered {
        versions: versions.to_owned(),
        first: now() - TimeDelta::hours(first),
        last: now() - TimeDelta::hours(last),
        runs,
    };
    History {
        moves: vec![
            change(162, "parallel", "shadow 10 %", "ada", "first recordings"),
            change(90, "shadow 10 %", "shadow 50 %", "ada", "it looks <good>"),
        ],
        phase: "shadow 50 %".to_owned(),
        breaker: vec![
            change(70, "closed", "suspect", "switchyard", "two looks failed"),
            change(69, "suspect", "open", "switchyard", "it does not answer"),
            change(60, "open", "closed", "switchyard", "it answers"),
        ],
        breaker_now: Some("closed".to_owned()),
        holds: vec![Held {
            from: now() - TimeDelta::hours(40),
            to: Some(now() - TimeDelta::hours(16)),
            owner: "grace".to_owned(),
            reason: "the weekend".to_owned(),
        }],
        versions: vec![
            gathered("89abcdef01234567", 160, 110, 25),
            gathered("0123456789abcdef", 100, 1, 40),
        ],
        runs: facts
            .pairs
            .iter()
            .map(|pair| {
                let how = match (pair.candidate, pair.broken.is_empty()) {
                    (Ended::Well, true) => How::Same,
                    (Ended::Well, false) => How::Differs,
                    (Ended::Failed | Ended::TimedOut, _) => How::Failed,
                };
                (pair.at, how)
            })
            .collect(),
    }
}

/// A rehearsal of yesterday, and a month of shadow runs.
fn beside(facts: &Facts) -> Beside {
    if facts.pairs.is_empty() {
        return Beside::default();
    }
    Beside {
        rehearsal: Some(LastRehearsal {
            id: "reh_0123".to_owned(),
            at: "2026-03-19 12:00 UTC".to_owned(),
            passed: Some(true),
        }),
        spent: Spent {
            usd: Some(18.25),
            kinds: 4,
            unpriced: 1,
        },
    }
}

/// What is put up with where facts say that something is.
fn looked_at(facts: &Facts) -> LookedAt {
    let mut all = LookedAt::default();
    if facts.in_force.rules == 0 {
        return all;
    }
    let title = ClassCount {
        class: "paraphrase".to_owned(),
        severity: Severity::S3,
        count: 31,
    };
    all.mix.insert("title".to_owned(), vec![title]);
    all.waivers.push(Waiver {
        on: "itm_0123".to_owned(),
        by: vec!["ada".to_owned(), "grace".to_owned()],
        owner: "lin".to_owned(),
        until: "2026-04-01 12:00 UTC".to_owned(),
    });
    all.rules.push(Hides {
        id: "rul_0123".to_owned(),
        what: "paraphrase at /title/** (any)".to_owned(),
        by: "ada".to_owned(),
        reason: "known".to_owned(),
        until: "2026-03-25 12:00 UTC".to_owned(),
        hidden: 12,
        at_most: 50,
    });
    all.blind.push(Blind {
        what: "Titles".to_owned(),
        better: 6,
        equal: 9,
        worse: 5,
        at_least: Some(0.531),
    });
    all
}
