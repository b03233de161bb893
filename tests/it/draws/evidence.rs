//! Real comparisons of made-up meetings, put where the gate finds them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use switchyard::{
    compare::{Comparison, FieldResult, FieldVerdict, Policy, compare},
    controller::NOT_IN_MIRRORS,
    gate::Decision,
    model::{Origin, Outcome, RecordingId, RunId, RunState},
    selftest::Tested,
    store::{
        About, ComparisonFacts, NewRun, NoiseField, Second, SecondOf, Store, StoredComparison,
        StoredField,
    },
};

use super::{draw::drawn, meeting::Meeting};
use crate::{
    phases::about,
    store::samples::{at, new_run},
};

/// A meeting whose control ran twice.
pub(super) struct Mirrored {
    pub(super) meeting: Meeting,
    pub(super) control: Outcome,
    pub(super) again: Outcome,
    /// The control against its second run.
    of_control: Comparison,
}

/// What a candidate made of it, measured against both.
#[derive(Clone)]
pub(super) struct Measured {
    recording: RecordingId,
    of_candidate: Comparison,
    of_again: Comparison,
    of_control: Comparison,
}

impl Mirrored {
    pub(super) fn held(seed: u64, left_out: f64) -> Self {
        let meeting = Meeting::held(seed, left_out);
        let (control, again) = (drawn(&meeting, 1), drawn(&meeting, 2));
        let of_control = compare(&control, &again, &in_mirrors());
        Self {
            meeting,
            control,
            again,
            of_control,
        }
    }

    /// Another draw of the control.
    pub(super) fn candidate(&self) -> Outcome {
        drawn(&self.meeting, 3)
    }

    pub(super) fn measured(&self, candidate: &Outcome) -> Measured {
        Measured {
            recording: self.meeting.subject.recording.id.clone(),
            of_candidate: compare(&self.control, candidate, &Policy::shipped()),
            of_again: compare(&self.again, candidate, &in_mirrors()),
            of_control: self.of_control.clone(),
        }
    }
}

fn in_mirrors() -> Policy {
    Policy::shipped().without(&NOT_IN_MIRRORS)
}

/// What the gate asks, but for people's reading.
pub(super) fn asked() -> About {
    let mut about = about("staging");
    about.gate.bounds.reviews = false;
    about
}

/// When recording number `number` came; ten a day.
fn came(number: usize) -> DateTime<Utc> {
    let number = i64::try_from(number).expect("a small number");
    at(0) + TimeDelta::minutes(144 * number)
}

/// Keeps what was measured as the controller does, and says what the gate says whenever so many are
/// there.
pub(super) async fn decided(
    store: &Store,
    all: &[Measured],
    tested: &Tested,
    looks: &[usize],
) -> Vec<Decision> {
    let about = asked();
    let kept = store.keep_selftest(&about, tested, came(0)).await;
    kept.expect("the test of the comparison is kept");
    let mut decisions = Vec::new();
    for (number, measured) in all.iter().enumerate() {
        keep(store, number, measured).await;
        if looks.contains(&(number + 1)) {
            let gate = store.gate(&about, came(number + 1)).await;
            decisions.push(gate.expect("the gate is read").1);
        }
    }
    decisions
}

async fn keep(store: &Store, number: usize, measured: &Measured) {
    let recording = &measured.recording;
    let run = NewRun {
        origin: Origin::Arrival,
        ..new_run(&format!("run-{number}"), recording.as_str())
    };
    let began = came(number);
    let ended = began + TimeDelta::minutes(3);
    assert!(store.insert_run(&run, began).await.expect("it is inserted"));
    let finished = store.finish_run(&run.id, RunState::Completed, None, ended);
    assert!(finished.await.expect("it ends"));
    let fields: Vec<StoredField> = measured.of_candidate.fields.iter().map(stored).collect();
    let compared = measured.of_candidate.fields.iter();
    let compared = compared.filter(|field| field.verdict != FieldVerdict::NotComparable);
    let comparison = StoredComparison {
        id: format!("cmp-{number}"),
        run_id: run.id.clone(),
        verdict: measured.of_candidate.verdict.to_string(),
        policy_digest: "policy".to_owned(),
        epoch: "epoch".to_owned(),
        report: json!({}),
        compared_at: ended,
        facts: ComparisonFacts {
            compared: compared.map(|field| field.field.to_string()).collect(),
            tracks: 3,
            audio_ms: Some(300_000.0),
            language: "en".to_owned(),
            control_ms: Some(180_000.0),
            candidate_ms: Some(180_000.0),
            control_usd: None,
            candidate_usd: None,
            effects_equal: Some(true),
        },
        fields,
    };
    let kept = store.insert_comparison(&comparison).await;
    kept.expect("the comparison is kept");
    let second = Second {
        comparison: comparison.id,
        run: RunId::new(run.id.as_str()),
        whose: SecondOf::Control {
            mirror: format!("mirror-{number}"),
            control_id: "control".to_owned(),
        },
    };
    let noise: Vec<NoiseField> = measured
        .of_again
        .fields
        .iter()
        .map(|field| NoiseField {
            candidate: stored(field),
            control: measured.of_control.field(field.field).map(stored),
        })
        .collect();
    let kept = store.keep_noise(&second, &noise, ended).await;
    kept.expect("the noise is kept");
}

fn stored(field: &FieldResult) -> StoredField {
    StoredField {
        field: field.field.to_string(),
        verdict: field.verdict.to_string(),
        distance: field.distance(),
        broken: field.is_broken(),
    }
}
