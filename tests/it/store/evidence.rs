//! What the gate decides on.

use serde_json::json;
use switchyard::{
    gate::{FieldState, LineState},
    model::{Origin, RecordingId, RunId, RunState, TranscriptId},
    rollout::audit::Entry,
    store::{
        About, ComparisonFacts, Lease, Mirror, MirrorOutcome, MirrorState, NewHold, NoiseField,
        Second, SecondOf, Store, StoredComparison, StoredField,
    },
};

use super::samples::{at, control, new_run, staging};
use crate::{database::Database, phases::about};

/// Ten a day, each of a day of its own.
const APART: i64 = 24 * 360_000;

fn facts(fields: &[StoredField]) -> ComparisonFacts {
    ComparisonFacts {
        compared: fields.iter().map(|field| field.field.clone()).collect(),
        tracks: 2,
        audio_ms: Some(600_000.0),
        language: "en".to_owned(),
        control_ms: Some(60_000.0),
        candidate_ms: Some(50_000.0),
        control_usd: None,
        candidate_usd: None,
        effects_equal: Some(true),
    }
}

fn field(name: &str, verdict: &str, distance: f64) -> StoredField {
    StoredField {
        distance: Some(distance),
        ..StoredField::judged(name, verdict)
    }
}

/// A compared run of a recording.
async fn compared(
    store: &Store,
    number: i64,
    generation: i64,
    verdict: &str,
    title: f64,
) -> String {
    let recording = format!("rec_{number}");
    let mut run = new_run(&format!("run_{number}_{generation}"), &recording);
    run.origin = Origin::Arrival;
    run.generation = generation;
    let begun = number * APART + generation;
    assert!(store.insert_run(&run, at(begun)).await.expect("it is"));
    let ended = store.finish_run(&run.id, RunState::Completed, None, at(begun + 60_000));
    assert!(ended.await.expect("it is"));
    let fields = vec![
        field("status", "match", 0.0),
        field("words", verdict, 0.0),
        field("title", "within_noise", title),
    ];
    let comparison = StoredComparison {
        id: format!("cmp_{number}_{generation}"),
        run_id: run.id,
        verdict: verdict.to_owned(),
        policy_digest: "policy".to_owned(),
        epoch: "epoch".to_owned(),
        report: json!({}),
        compared_at: at(begun + 70_000),
        facts: facts(&fields),
        fields,
    };
    let id = comparison.id.clone();
    store.insert_comparison(&comparison).await.expect("it is");
    id
}

/// The control's second run of a recording, as far from the control as that.
async fn mirrored(store: &Store, number: i64, comparison: &str, title: f64, control: f64) {
    let second = Second {
        comparison: comparison.to_owned(),
        run: RunId::new(format!("run_{number}_1")),
        whose: SecondOf::Control {
            mirror: format!("mirror_{number}"),
            control_id: "control".to_owned(),
        },
    };
    let fields = [NoiseField {
        candidate: field("title", "within_noise", title),
        control: Some(field("title", "within_noise", control)),
    }];
    let kept = store.keep_noise(&second, &fields, at(number * APART + 90_000));
    kept.await.expect("it is kept");
}

/// Every call that writes what noise is.
pub async fn write_noise(store: &Store) {
    let id = compared(store, 1, 1, "match", 0.3).await;
    mirrored(store, 1, &id, 0.3, 0.25).await;
}

pub async fn a_recording_counts_once_by_its_first_run(database: &Database) {
    let store = database.store().await;
    compared(&store, 1, 1, "candidate_failed", 0.3).await;
    compared(&store, 1, 2, "match", 0.3).await;
    compared(&store, 2, 1, "match", 0.3).await;
    let gate = store.gate(&about("staging"), at(3 * APART)).await;
    let (evidence, decision) = gate.expect("it is read");
    assert_eq!((evidence.recordings, evidence.failures), (2, 1));
    assert_eq!(evidence.candidate_failed, 1);
    assert_eq!(decision.left_out.repeats, 1);
    store.close().await;
}

pub async fn a_failure_without_a_field_known_counts_all_the_same(database: &Database) {
    let store = database.store().await;
    let run = super::samples::run(&store, "run_old").await;
    let old = StoredComparison {
        id: "cmp_old".to_owned(),
        run_id: run,
        verdict: "differs".to_owned(),
        policy_digest: "policy".to_owned(),
        epoch: "epoch".to_owned(),
        report: json!({}),
        compared_at: at(1),
        fields: Vec::new(),
        facts: ComparisonFacts::default(),
    };
    store.insert_comparison(&old).await.expect("it is written");
    let gate = store.gate(&about("staging"), at(2)).await;
    let (evidence, _) = gate.expect("it is read");
    assert_eq!((evidence.recordings, evidence.failures), (1, 1));
    store.close().await;
}

pub async fn what_a_soft_field_differs_by_beyond_the_controls_noise_decides(database: &Database) {
    let store = database.store().await;
    for number in 0..75 {
        let id = compared(&store, number, 1, "match", 0.3).await;
        mirrored(&store, number, &id, 0.3, 0.3).await;
    }
    let mut about = about("staging");
    about.gate.bounds.reviews = false;
    about.gate.bounds.self_test = false;
    about
        .gate
        .fields
        .retain(|field| ["status", "words", "title"].contains(&field.name.as_str()));
    let gate = store.gate(&about, at(75 * APART)).await;
    let (evidence, decision) = gate.expect("it is read");
    assert_eq!(
        decision.line, "PASS; not looked at: cost, self-test, reviews",
        "{:#?}",
        decision.lines
    );
    let title = decision.fields.iter().find(|row| row.name == "title");
    let title = title.expect("it is a field");
    assert_eq!((title.state, title.noise_pairs), (FieldState::Pass, 75));
    assert!(title.mean_excess.is_some_and(|mean| mean.abs() < 1e-9));

    // One more mirror is evidence nobody has seen.
    let id = compared(&store, 75, 1, "match", 0.3).await;
    let gate = store.gate(&about, at(76 * APART)).await;
    let (more, _) = gate.expect("it is read");
    mirrored(&store, 75, &id, 0.3, 0.3).await;
    let gate = store.gate(&about, at(76 * APART)).await;
    let (most, _) = gate.expect("it is read");
    assert_ne!(evidence.digest, more.digest);
    assert_ne!(more.digest, most.digest);

    // A candidate further off than the control from itself, on all of them.
    about.gate.fields.retain(|field| field.name != "title");
    let gate = store.gate(&about, at(76 * APART)).await;
    let (_, decision) = gate.expect("it is read");
    assert!(
        decision
            .lines
            .iter()
            .all(|line| line.state != LineState::Fail)
    );
    store.close().await;
}

/// A mirror that was compared with its original.
async fn mirror(store: &Store, number: i64) {
    let mut mirror = Mirror {
        transcript: TranscriptId::new(format!("mirror_{number}")),
        environment: staging(),
        original: TranscriptId::new(format!("transcript-of-rec_{number}")),
        recording_id: RecordingId::new(format!("rec_{number}")),
        bucket_name: "daily-recordings".to_owned(),
        track_keys: vec!["a".to_owned()],
        task_id: format!("task_{number}"),
        state: MirrorState::Planned,
        reverse_of: None,
        original_control_id: "control".to_owned(),
        control_id: None,
        verdict: None,
        comparison: None,
        outcome: None,
        reason: None,
        started_at: at(number),
        dispatched_at: None,
        changed_at: at(number),
    };
    let lease = Lease {
        holder: "a",
        until: at(1_000_000_000),
    };
    assert!(
        store
            .insert_mirror(&mirror, lease)
            .await
            .expect("an answer")
    );
    mirror.state = MirrorState::Removed;
    mirror.outcome = Some(MirrorOutcome::Compared);
    mirror.control_id = Some("control".to_owned());
    assert!(store.save_mirror(&mirror, "a").await.expect("an answer"));
}

pub async fn second_runs_are_measured_once_and_of_the_newest_comparison(database: &Database) {
    let store = database.store().await;
    let kept = control("control");
    store.insert_control(&kept).await.expect("it is kept");
    let about = about("staging");
    let wanted = async || {
        let seconds = store.seconds_to_measure(&about).await.expect("they are");
        let each = seconds.into_iter().map(|second| match second.whose {
            SecondOf::Control { mirror, .. } => (second.comparison, mirror),
            SecondOf::Candidate { run } => (second.comparison, run.to_string()),
        });
        each.collect::<Vec<_>>()
    };
    compared(&store, 1, 1, "match", 0.3).await;
    let failed = compared(&store, 2, 1, "candidate_failed", 0.3).await;
    assert!(wanted().await.is_empty(), "nobody ran twice");
    mirror(&store, 1).await;
    mirror(&store, 2).await;
    let pair = |comparison: &str, other: &str| (comparison.to_owned(), other.to_owned());
    assert_eq!(
        wanted().await,
        [pair("cmp_1_1", "mirror_1")],
        "not of `{failed}`"
    );
    compared(&store, 1, 2, "within_noise", 0.3).await;
    let expected = [
        pair("cmp_1_1", "mirror_1"),
        pair("cmp_1_2", "mirror_1"),
        pair("cmp_1_1", "run_1_2"),
    ];
    assert_eq!(wanted().await, expected);
    mirrored(&store, 1, "cmp_1_1", 0.3, 0.3).await;
    assert_eq!(wanted().await, expected[1..]);
    store.close().await;
}

pub async fn what_the_gate_said_then_is_worked_out_from_what_was_known_by_then(
    database: &Database,
) {
    let store = database.store().await;
    let about = about("staging");
    let then = store.gate_as_of(&about, at(APART)).await;
    assert_eq!(then.expect("it is read"), None, "nothing was compared");
    let first = compared(&store, 1, 1, "match", 0.3).await;
    mirrored(&store, 1, &first, 0.3, 0.25).await;
    compared(&store, 2, 1, "differs", 0.3).await;
    compared(&store, 3, 1, "match", 0.3).await;
    for (upto, recordings, failures, noise) in [
        (APART + 60_000, None, 0, 0),
        (APART + 80_000, Some(1), 0, 0),
        (APART + 100_000, Some(1), 0, 1),
        (3 * APART, Some(2), 1, 1),
        (4 * APART, Some(3), 1, 1),
    ] {
        let then = store.gate_as_of(&about, at(upto)).await;
        let then = then.expect("it is read");
        let counts = then.as_ref().map(|(_, decision)| {
            let title = decision.fields.iter().find(|row| row.name == "title");
            let pairs = title.map_or(0, |row| row.noise_pairs);
            (decision.counts.recordings, decision.counts.failures, pairs)
        });
        let expected = recordings.map(|recordings| (recordings, failures, noise));
        assert_eq!(counts, expected, "{upto}");
    }
    // What is known now is what was known at the end, to the digest.
    let (evidence, decision) = store.gate(&about, at(4 * APART)).await.expect("it is read");
    let then = store.gate_as_of(&about, at(4 * APART)).await;
    assert_eq!(then.expect("it is read"), Some((evidence, decision)));
    // Under the versions of then, whatever they are now.
    let newer = About {
        epoch: "newer".to_owned(),
        ..about
    };
    let (now, _) = store.gate(&newer, at(4 * APART)).await.expect("it is read");
    let then = store.gate_as_of(&newer, at(3 * APART)).await;
    let (then, _) = then.expect("it is read").expect("there was some");
    assert_eq!((now.recordings, then.recordings), (0, 2));
    assert_eq!(then.epoch, "epoch");
    store.close().await;
}

pub async fn the_history_has_moves_breaker_holds_versions_and_how_runs_ended(database: &Database) {
    let store = database.store().await;
    let about = about("staging");
    let note = async |action: &str, before: &str, after: &str, when: i64| {
        let entry = Entry {
            action: action.to_owned(),
            actor: "ada".to_owned(),
            after: after.to_owned(),
            at: when,
            before: before.to_owned(),
            environment: about.environment.to_string(),
            flag: about.flag.to_string(),
            previous: String::new(),
            reason: "so".to_owned(),
            seq: 0,
        };
        store.note_in_audit(entry).await.expect("it is noted");
    };
    let ms = |when: i64| at(when).timestamp_millis();
    note("flip", "infrastructure", "parallel", ms(10)).await;
    note("breaker", "closed", "open", ms(20)).await;
    note("flip", "parallel", "shadow 10 %", ms(APART)).await;
    note("hold", "", "a hold", ms(30)).await;
    let hold = NewHold {
        owner: "grace".to_owned(),
        reason: "holidays".to_owned(),
        expires_at: at(9 * APART),
    };
    store
        .place_hold(&about, &hold, at(40))
        .await
        .expect("it is placed");
    compared(&store, 1, 1, "match", 0.3).await;
    compared(&store, 2, 1, "candidate_failed", 0.3).await;
    compared(&store, 3, 1, "differs", 0.3).await;
    super::samples::run(&store, "run_open").await;

    let history = store.history(&about, at(0)).await.expect("it is read");
    let moves: Vec<_> = history.moves.iter().map(|one| one.after.as_str()).collect();
    assert_eq!(moves, ["parallel", "shadow 10 %"]);
    assert_eq!(history.moves[0].at, at(10));
    assert_eq!(history.breaker.len(), 1);
    assert_eq!(history.breaker_now, None, "nobody looked");
    assert_eq!((history.holds.len(), history.holds[0].to), (1, None));
    assert_eq!(history.holds[0].owner, "grace");
    let versions: Vec<_> = history
        .versions
        .iter()
        .map(|one| (one.versions.as_str(), one.runs))
        .collect();
    assert_eq!(versions, [("epoch", 3)]);
    let mut ended: Vec<_> = history
        .runs
        .iter()
        .map(|run| format!("{:?}", run.1))
        .collect();
    ended.sort_unstable();
    assert_eq!(ended, ["Differs", "Failed", "Same", "SaysNothing"]);
    let later = store
        .history(&about, at(APART / 2))
        .await
        .expect("it is read");
    assert_eq!((later.moves.len(), later.breaker.len()), (1, 0));
    store.close().await;
}
