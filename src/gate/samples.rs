//! Facts to decide on, made up.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Defect, Distance, Ended, Facts, FieldFacts, FieldKind, FieldRule, NoisePair, Pair, Reviews,
    Rules, SelfTest, Severity, Sides, Stratum, count,
};
use crate::model::{GateBounds, Origin, RecordingId, RunId};

pub fn start() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().expect("it is a time")
}

fn rule(name: &str, kind: FieldKind) -> FieldRule {
    FieldRule {
        name: name.to_owned(),
        label: name.to_owned(),
        kind,
        dry_run: 0,
    }
}

/// Status and words are hard, the title is soft.
pub fn rules() -> Rules {
    Rules {
        bounds: GateBounds::default(),
        fields: vec![
            rule("status", FieldKind::Hard),
            rule("words", FieldKind::Hard),
            rule("title", FieldKind::Soft(0.10)),
        ],
    }
}

/// A clean recording, ten of which arrive a day.
pub fn pair(number: usize) -> Pair {
    Pair {
        recording: RecordingId::new(format!("rec_{number}")),
        run: RunId::new(format!("run_{number}")),
        at: start() + TimeDelta::minutes(144 * count(number)),
        origin: Origin::Arrival,
        stratum: Stratum::of(2, Some(600_000.0), "en"),
        candidate: Ended::Well,
        broken: Vec::new(),
        outside: Vec::new(),
        compared: 3,
        took_ms: Some(Sides {
            control: 60_000.0,
            candidate: 50_000.0,
        }),
        usd: Some(Sides {
            control: 0.10,
            candidate: 0.09,
        }),
        audio_ms: Some(600_000.0),
        effects_equal: Some(true),
    }
}

pub fn distance(value: f64) -> Distance {
    Distance {
        value,
        broken: false,
        differs: value > 0.5,
    }
}

/// The control ran twice, and all three are so far apart.
pub fn mirror(number: usize, distances: [f64; 3]) -> NoisePair {
    NoisePair {
        recording: RecordingId::new(format!("rec_{number}")),
        origin: Origin::Arrival,
        candidate_control: distance(distances[0]),
        candidate_again: distance(distances[1]),
        control_again: distance(distances[2]),
        candidate_twice: None,
    }
}

/// So many clean recordings, all of them mirrored, everything looked at.
pub fn clean(n: usize) -> Facts {
    let mut facts = Facts {
        pairs: (0..n).map(pair).collect(),
        reviews: Some(Reviews {
            open_s0: 0,
            open_s1: 0,
            done: 30,
            needed: 30,
        }),
        self_test: Some(SelfTest {
            defects: vec![Defect {
                name: "one number changed".to_owned(),
                severity: Severity::S1,
                caught: 40,
                of: 40,
            }],
        }),
        ..Facts::default()
    };
    facts.known_strata = facts
        .pairs
        .iter()
        .map(|pair| pair.stratum.clone())
        .collect();
    for name in ["status", "words", "title"] {
        let seen = FieldFacts {
            compared: count(n),
            ..FieldFacts::default()
        };
        facts.fields.insert(name.to_owned(), seen);
    }
    let title = facts.fields.get_mut("title").expect("it was put there");
    title.noise = (0..n).map(|at| mirror(at, [0.3, 0.3, 0.3])).collect();
    facts
}
