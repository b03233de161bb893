//! What is over its time goes, with proof, and nothing that is needed: neither evidence nor gate nor report
//! comes to another verdict.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use switchyard::{
    compare::{Policy, compare},
    controller::{Busy, Retention},
    gate::LineState,
    legacy::recorded,
    model::{Origin, RetentionDays, RunId, RunState, UsageKind},
    report::{self, ReportData},
    retention::{Class, Need},
    rollout::Position,
    store::{
        About, Batch, ComparisonFacts, IntentKind, NewRun, Store, StoredComparison, StoredField,
    },
};

use super::samples::{at, attempt, control, intent, new_run, output, usage};
use crate::{
    database::{Database, Kind},
    phases, standup,
};

/// Was said in a meeting, and is looked for wherever it may be.
const SAID: &str = "Zebrafinken-am-Gletscher";

const DAY: i64 = 24 * 3_600_000;

fn days(number: i64) -> DateTime<Utc> {
    at(number * DAY)
}

fn about(environment: &str) -> About {
    phases::about(environment)
}

fn retention(store: &Store, about: &About, now: DateTime<Utc>) -> Retention {
    Retention {
        about: about.clone(),
        store: store.clone(),
        days: RetentionDays::default(),
        holder: format!("test-{}", uuid::Uuid::new_v4().simple()),
        clock: Arc::new(move || now),
    }
}

/// The report on the recorded meeting, in which that was said.
fn report(run: &NewRun) -> ReportData {
    let folder = standup::folder().join("expected/base");
    let mut outcome = recorded::load(&folder, None)
        .expect("a recorded run")
        .outcome;
    outcome.title = Some(SAID.to_owned());
    let mut candidate = outcome.clone();
    candidate.title = Some(format!("{SAID} too"));
    SAID.clone_into(&mut candidate.words[0].text);
    ReportData {
        recording: run.subject.recording.id.clone(),
        environment: run.environment.to_string(),
        flag: run.flag.to_string(),
        control_run: None,
        candidate_run: Some(run.id.clone()),
        compared_at: String::new(),
        comparison: compare(&outcome, &candidate, &Policy::shipped()),
        control: outcome,
        candidate,
        costs: Vec::new(),
        currency: "USD".to_owned(),
        is_shadow: true,
        shared: Vec::new(),
        pinned: None,
        borne: Vec::new(),
        texts_deleted: None,
    }
}

fn run_of(environment: &str, id: &str) -> NewRun {
    let mut run = new_run(id, &format!("rec_{environment}_{id}"));
    run.environment = switchyard::model::EnvironmentName::new(environment);
    run.origin = Origin::Arrival;
    id.clone_into(&mut run.cache_scope);
    run.subject.transcript.title = Some(SAID.to_owned());
    run
}

/// A compared run of a recording, with everything that is kept of one.
async fn ran(store: &Store, environment: &str, id: &str, began: DateTime<Utc>) -> RunId {
    let mut run = run_of(environment, id);
    let mut kept = control(&format!("control_{id}"));
    kept.outcome.title = Some(SAID.to_owned());
    kept.taken_at = began;
    store.insert_control(&kept).await.expect("it is kept");
    run.control_id = Some(kept.id);
    assert!(store.insert_run(&run, began).await.expect("it is"));
    let task = format!("task-{id}");
    let first = attempt(&task, "merge_transcripts", 1, 1);
    let noted = store.begin_attempt(&run.id, &first).await;
    noted.expect("it is");
    let mut made = output("merge_transcripts", "hash", json!({ "words": 1 }));
    made.document = Some(json!([{ "text": SAID }]));
    let intents = [intent(IntentKind::Message, "ts:1", SAID)];
    let used = [usage(UsageKind::TokensIn, "m", 3.0)];
    let checked = store.check_in(&run.id, &task, &made, &intents, &used, began);
    checked.await.expect("it is");
    let answer = json!({ "text": SAID });
    let kept = store.keep_answer(id, "title", "hash", &answer, began).await;
    kept.expect("it is kept");
    let ended = began + TimeDelta::minutes(1);
    let finished = store.finish_run(&run.id, RunState::Completed, None, ended);
    assert!(finished.await.expect("it is"));
    let fields = vec![
        StoredField::judged("status", "match"),
        StoredField::judged("title", "differs"),
    ];
    let report = report(&run);
    let comparison = StoredComparison {
        id: format!("cmp_{id}"),
        run_id: run.id.clone(),
        verdict: report.comparison.verdict.to_string(),
        policy_digest: "policy".to_owned(),
        epoch: "epoch".to_owned(),
        report: json!(report),
        compared_at: ended + TimeDelta::minutes(1),
        facts: ComparisonFacts {
            compared: vec!["status".to_owned(), "title".to_owned()],
            tracks: 2,
            audio_ms: Some(600_000.0),
            language: "en".to_owned(),
            ..ComparisonFacts::default()
        },
        fields,
    };
    store.insert_comparison(&comparison).await.expect("it is");
    run.id
}

/// Every call that deletes, and keeps proof of it; of an environment of its own.
pub async fn write_retention(store: &Store) {
    let about = About {
        epoch: "later".to_owned(),
        ..about("forgotten")
    };
    let run = ran(store, "forgotten", "run_forgotten", at(-500)).await;
    phases::put(store, "forgotten", Position::Parallel, at(0)).await;
    let gone = store.note_source_gone(&run, at(1)).await;
    gone.expect("it is noted");
    let batch = |class: Class| Batch {
        class,
        rule: "for a test",
        by: "ana",
        now: at(9_500_000),
    };
    let texts = store
        .delete_texts(&about, &[run], &batch(Class::Texts))
        .await;
    let id = texts.expect("an answer").expect("it is deleted");
    let left = store.texts_left(&about, at(9_500_000)).await;
    // What is noted of it afterwards says which database it is.
    assert_eq!((left.expect("it is read"), id.is_empty()), (0, false));
    let until = at(-800_000);
    let batch_of = batch(Class::Controls);
    let controls = store.delete_controls(&about, until, 10, &batch_of);
    controls.await.expect("an answer").expect("it is deleted");
    forget_an_answer(store, &about).await;
    let batch_of = batch(Class::Numbers);
    let numbers = store.delete_numbers(&about, at(9_000_000), 10, &batch_of);
    let (_, left) = numbers.await.expect("an answer").expect("they are deleted");
    assert_eq!(left, 0);
    for notice in store.new_notices(&about.environment).await.expect("a list") {
        let given = store.give_out(&notice.id, &[], at(2)).await;
        assert!(given.expect("it is"));
    }
    let batch_of = batch(Class::Notices);
    let notices = store.delete_notices(&about, at(9_000_000), 10, &batch_of);
    let (_, left) = notices.await.expect("an answer").expect("they are deleted");
    assert_eq!(left, 0);
}

/// An answer kept for other runs is deleted; the id of its proof, and what is left.
pub async fn forget_an_answer(store: &Store, about: &About) -> (String, i64) {
    let answer = json!(1);
    let kept = store.keep_answer("", "llm", "forgotten", &answer, at(-900_000));
    kept.await.expect("it is kept");
    let batch = Batch {
        class: Class::Answers,
        rule: "for a test",
        by: "ana",
        now: at(9_500_000),
    };
    let answers = store.delete_answers(about, at(-800_000), 10, &batch);
    answers.await.expect("an answer").expect("it is deleted")
}

pub async fn texts_go_and_every_verdict_and_number_stays(database: &Database) {
    let store = database.store().await;
    let about = about("staging");
    let old = ran(&store, "staging", "run_old", days(0)).await;
    let young = ran(&store, "staging", "run_young", days(20)).await;
    let now = days(31);
    let before = store
        .gate_with_facts(&about, now)
        .await
        .expect("it is read");
    let deleted = retention(&store, &about, now).delete("ana").await;
    let proofs = deleted.expect("an answer").expect("nobody else is at it");
    let classes: Vec<_> = proofs
        .iter()
        .map(|proof| (proof.class, proof.things))
        .collect();
    assert_eq!(classes, [(Class::Texts, 1), (Class::Controls, 1)]);
    for proof in &proofs {
        assert_eq!(proof.left_over, Some(0), "{proof:?}");
        assert_eq!((proof.by.as_str(), proof.deleted_at), ("ana", now));
    }
    let after = store
        .gate_with_facts(&about, now)
        .await
        .expect("it is read");
    assert_eq!(after, before, "evidence, verdict and facts are the same");
    assert!(store.outputs(&old).await.expect("a list").is_empty());
    assert!(!store.outputs(&young).await.expect("a list").is_empty());
    for (run, is_there) in [(&old, false), (&young, true)] {
        let stored = store.newest_comparison(run).await.expect("it is read");
        let stored = stored.expect("it is there");
        assert_eq!(stored.report.to_string().contains(SAID), is_there);
        let data: ReportData = serde_json::from_value(stored.report).expect("it is a report");
        assert_eq!(data.has_texts(), is_there);
        let whole = report(&run_of("staging", run.as_str()));
        assert_eq!(data.comparison.verdict, whole.comparison.verdict);
        for (kept, was) in data.comparison.fields.iter().zip(&whole.comparison.fields) {
            assert_eq!((kept.verdict, &kept.measured), (was.verdict, &was.measured));
        }
        let heard = report::html::Heard::nothing("no sound");
        let page = report::html::render(&data, &heard).expect("it is rendered");
        let terminal = report::terminal::render(&data, false);
        for shown in [page, terminal] {
            assert_eq!(
                shown.contains("Texts were deleted on 2025-11-20 by the rule"),
                !is_there
            );
        }
        let run = store
            .run(run)
            .await
            .expect("it is read")
            .expect("it is there");
        assert_eq!(run.texts_deleted_at.is_none(), is_there);
        assert_eq!(run.subject.transcript.title.is_some(), is_there);
        let control = run.control_id.as_deref().expect("it has one");
        let control = store.control(control).await.expect("it is read");
        assert_eq!(
            control.expect("it is there").outcome.title.is_some(),
            is_there
        );
    }
    let again = store.claim_start(&old, now, now).await;
    assert!(!again.expect("an answer"), "there is nothing to go on from");
    let audit = store.recent_audit(&about.environment, &about.flag, 1).await;
    let entry = &audit.expect("a list")[0].entry;
    assert_eq!(
        (entry.action.as_str(), entry.actor.as_str()),
        ("retention", "ana")
    );
    assert!(
        entry.after.contains(&proofs[1].ids_digest),
        "{}",
        entry.after
    );
    assert!(store.verify_audit().await.expect("it is read").is_ok());
    let kept = retention(&store, &about, now).proofs(10).await;
    assert_eq!(kept.expect("a list").len(), 2);
    store.close().await;
}

pub async fn nothing_that_is_needed_goes_however_old_it_is(database: &Database) {
    let store = database.store().await;
    let about = about("staging");
    let open = run_of("staging", "run_open");
    assert!(store.insert_run(&open, days(0)).await.expect("it is"));
    let mut uncompared = run_of("staging", "run_uncompared");
    store.insert_control(&control("late")).await.expect("it is");
    uncompared.control_id = Some("late".to_owned());
    assert!(store.insert_run(&uncompared, days(0)).await.expect("it is"));
    let ended = store.finish_run(&uncompared.id, RunState::Completed, None, days(1));
    assert!(ended.await.expect("it is"));
    let asked = ran(&store, "staging", "run_asked", days(0)).await;
    let made = store.make_review_items(&about, "salt", days(1)).await;
    made.expect("they are made");
    let retention = retention(&store, &about, days(1_000));
    let plan = retention.plan().await.expect("a plan");
    assert!(plan.classes.iter().all(|class| class.due == 0), "{plan:?}");
    let needs: Vec<_> = plan
        .kept
        .iter()
        .map(|kept| (kept.need, kept.runs))
        .collect();
    assert_eq!(needs, [(Need::Comparison, 1), (Need::Review, 1)]);
    let deleted = retention.delete("ana").await.expect("an answer");
    assert!(deleted.expect("nobody else is at it").is_empty());
    // Whose transcript was deleted takes its texts along, whoever was asked to look at them.
    let gone = store.note_source_gone(&asked, days(2)).await;
    gone.expect("it is noted");
    let plan = retention.plan().await.expect("a plan");
    assert_eq!(plan.classes[0].due, 1);
    store.close().await;
}

pub async fn numbers_go_after_their_time_and_the_gate_asks_for_the_same(database: &Database) {
    let store = database.store().await;
    let now = about("staging");
    let then = About {
        epoch: "earlier".to_owned(),
        ..now.clone()
    };
    ran(&store, "staging", "run_then", days(0)).await;
    ran(&store, "staging", "run_now", days(1)).await;
    phases::put(&store, "staging", Position::Parallel, days(3)).await;
    let later = days(3_000);
    // Under the versions they were compared under, they are evidence.
    let kept = retention(&store, &now, later);
    kept.delete("ana")
        .await
        .expect("an answer")
        .expect("nobody else is");
    assert!(
        store
            .run(&RunId::new("run_then"))
            .await
            .expect("it is read")
            .is_some()
    );
    let strata = |about: About| {
        let store = store.clone();
        async move {
            let gate = store.gate(&about, later).await.expect("it is read");
            let lines = gate.1.lines;
            lines
                .into_iter()
                .filter(|line| line.state != LineState::NotLooked)
                .collect::<Vec<_>>()
        }
    };
    let before = strata(then.clone()).await;
    let proofs = retention(&store, &then, later).delete("ana").await;
    let proofs = proofs.expect("an answer").expect("nobody else is at it");
    let numbers = proofs.iter().find(|proof| proof.class == Class::Numbers);
    let numbers = numbers.expect("they are deleted");
    assert_eq!((numbers.things, numbers.left_over), (2, Some(0)));
    assert!(
        store
            .run(&RunId::new("run_then"))
            .await
            .expect("it is read")
            .is_none()
    );
    assert!(
        store
            .control("control_run_then")
            .await
            .expect("it is read")
            .is_none()
    );
    assert_eq!(
        strata(then).await,
        before,
        "every sort that ever arrived is asked for"
    );
    store.close().await;
}

pub async fn of_two_that_delete_at_once_one_does(database: &Database) {
    let store = database.store().await;
    let about = about("staging");
    for number in 0..30 {
        ran(&store, "staging", &format!("run_{number}"), days(0)).await;
    }
    let (one, other) = (
        retention(&store, &about, days(40)),
        retention(&store, &about, days(40)),
    );
    let (one, other) = tokio::join!(one.delete("ana"), other.delete("bo"));
    let both = [one.expect("an answer"), other.expect("an answer")];
    let busy = both.iter().filter(|deleted| **deleted == Err(Busy)).count();
    let texts: i64 = both
        .iter()
        .flatten()
        .flatten()
        .filter(|proof| proof.class == Class::Texts)
        .map(|proof| proof.things)
        .sum();
    assert_eq!(texts, 30, "each run once");
    assert!(busy <= 1);
    store.close().await;
}

/// Every byte of the database's files.
fn bytes_of(url: &str) -> Vec<u8> {
    let path = url.trim_start_matches("sqlite:");
    ["", "-wal", "-shm"]
        .iter()
        .flat_map(|end| std::fs::read(format!("{path}{end}")).unwrap_or_default())
        .collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn nothing_of_it_is_left_in_the_pages_of_sqlite_or_its_log() {
    let database = Database::fresh(Kind::Sqlite).await.expect("always there");
    let store = database.store().await;
    for number in 0..20 {
        ran(&store, "staging", &format!("run_{number}"), days(0)).await;
    }
    assert!(holds(&bytes_of(&database.url), SAID), "it was there");
    let deleted = retention(&store, &about("staging"), days(40))
        .delete("ana")
        .await;
    let proofs = deleted.expect("an answer").expect("nobody else is at it");
    assert!(proofs.iter().all(|proof| proof.left_over == Some(0)));
    assert!(proofs[0].space.contains("emptied"), "{}", proofs[0].space);
    assert!(!holds(&bytes_of(&database.url), SAID), "it is still there");
    store.close().await;
    assert!(!holds(&bytes_of(&database.url), SAID));
}
