//! Reviews and tests of the comparison: made, said, chosen, hidden, each on record.

use chrono::TimeDelta;
use serde_json::json;
use switchyard::{
    compare::{Class, Policy, compare},
    legacy::recorded,
    model::RunId,
    report::ReportData,
    reviews::{NewRule, Predicate, Says, Side, Standing, Target, Wanted},
    selftest::{Defect, Tested, with_defect},
    store::{About, ComparisonFacts, Store, StoredComparison},
};

use super::samples::{at, new_run};
use crate::{database::Database, phases, standup};

/// Versions that no other comparison was made under.
fn about() -> About {
    About {
        epoch: "reviewed".to_owned(),
        ..phases::about("staging")
    }
}

/// A comparison of the recorded meeting with itself and a defect.
async fn compared(store: &Store, run: &str, defect: Defect) {
    let folder = standup::folder().join("expected/base");
    let control = recorded::load(&folder, None)
        .expect("a recorded run")
        .outcome;
    let candidate = with_defect(defect, &control).expect("it can be put in");
    let comparison = compare(&control, &candidate, &Policy::shipped());
    let new = new_run(run, &format!("recording-of-{run}"));
    store.insert_run(&new, at(0)).await.expect("it is written");
    let report = ReportData {
        recording: new.subject.recording.id.clone(),
        environment: "staging".to_owned(),
        flag: new.flag.to_string(),
        control_run: None,
        candidate_run: Some(new.id.clone()),
        compared_at: String::new(),
        control,
        candidate,
        costs: Vec::new(),
        currency: "USD".to_owned(),
        is_shadow: true,
        shared: Vec::new(),
        pinned: None,
        borne: Vec::new(),
        texts_deleted: None,
        comparison,
    };
    let stored = StoredComparison {
        id: format!("cmp_{run}"),
        run_id: RunId::new(run),
        verdict: report.comparison.verdict.to_string(),
        policy_digest: "digest".to_owned(),
        epoch: about().epoch,
        report: json!(report),
        compared_at: at(1),
        fields: Vec::new(),
        facts: ComparisonFacts::default(),
    };
    store
        .insert_comparison(&stored)
        .await
        .expect("it is written");
}

fn wanted(on: &str, says: Says, by: &str) -> Wanted {
    Wanted {
        on: Target::parse(on),
        says,
        by: by.to_owned(),
        reason: "naïve ☕".to_owned(),
        owner: "olga".to_owned(),
        days: Some(3),
        at_most: Some(5),
    }
}

fn rule() -> NewRule {
    NewRule {
        path: "/title/**".to_owned(),
        class: Class::Paraphrase,
        predicate: Predicate::CountAtMost(3),
        at_most: 5,
        days: 3,
        by: "ana".to_owned(),
        reason: "known".to_owned(),
    }
}

/// Every call that writes reviews and tests of the comparison.
pub async fn write_reviews(store: &Store) {
    let about = about();
    compared(store, "run_reviewed", Defect::ChangeNumber).await;
    let made = store.make_review_items(&about, "salt", at(2)).await;
    // Another comparison may have been written under the same versions.
    assert!(made.expect("they are made") >= 1);
    let book = store.review_book(&about, at(3)).await.expect("it is read");
    let one = |kind: &str| {
        let mut items = book.items.iter();
        let found =
            items.find(|item| item.kind.as_str() == kind && item.run.as_str() == "run_reviewed");
        found.expect("there is one").id.clone()
    };
    let (difference, title) = (one("difference"), one("title"));
    let opened = store.open_review_item(&difference, "ana", at(3));
    opened.await.expect("it is noted");
    let accept = wanted(&one("sample"), Says::Accept, "ana");
    let said = store.say_in_review(&about, &accept, at(4));
    said.await.expect("the store answers").expect("she may");
    let choosing = store.choose_in_review(&about, (&title, Side::Tie, "ana"), at(5));
    choosing.await.expect("the store answers").expect("she may");
    let made = store.make_review_rule(&about, &rule(), at(6)).await;
    let id = made.expect("the store answers").expect("it may be made");
    let removed = store.remove_review_rule(&about, &id, ("ana", "wrong"), at(7));
    assert!(removed.await.expect("it is removed"));
    let mut tested = Tested::default();
    tested.scores[1].of = 1;
    let kept = store.keep_selftest(&about, &tested, at(8)).await;
    kept.expect("it is kept");
}

pub async fn items_are_made_once_and_what_is_said_of_them_counts_and_is_on_record(
    database: &Database,
) {
    let store = database.store().await;
    let about = about();
    compared(&store, "run_number", Defect::ChangeNumber).await;
    compared(&store, "run_match", Defect::Nothing).await;
    for made in [2, 0] {
        let found = store.make_review_items(&about, "salt", at(2)).await;
        assert_eq!(found.expect("they are made"), made);
    }
    let book = store.review_book(&about, at(3)).await.expect("it is read");
    let summary = book.summary(at(3));
    assert_eq!(summary.recordings, 2);
    assert!(summary.open_severe > 0);
    let queue = book.queue(None, at(3));
    // What repeats the number elsewhere is as grave; the fact itself is what is looked at here.
    let fact = queue.iter().find(|(item, _)| {
        let about = item.about.as_ref();
        about.is_some_and(|about| about.class == Class::FactChanged)
    });
    let (first, standing) = fact.expect("a number was changed");
    assert_eq!(*standing, Standing::Open);
    let about_it = first.about.as_ref().expect("it is a difference");

    // Somebody opens it, and accepts all of its sort.
    let accept = wanted(&about_it.signature, Says::Accept, "ana");
    let said = store.say_in_review(&about, &accept, at(4)).await;
    let refused = said
        .expect("the store answers")
        .expect_err("nothing is opened");
    assert!(refused.reason.contains("opened 0 of the 1"), "{refused}");
    let opened = store.open_review_item(&first.id, "ana", at(4));
    opened.await.expect("it is noted");
    let said = store.say_in_review(&about, &accept, at(5)).await;
    said.expect("the store answers").expect("she opened it");
    let book = store.review_book(&about, at(6)).await.expect("it is read");
    assert_eq!(book.standings(at(6))[first.id.as_str()].word(), "accepted");

    // Under other versions it is asked again, and an acceptance of the same cluster counts.
    let mut later = about.clone();
    "later".clone_into(&mut later.epoch);
    let book = store.review_book(&later, at(6)).await.expect("it is read");
    assert!(book.items.is_empty() && book.earlier.len() == 1);

    let trail = store
        .recent_audit(&about.environment, &about.flag, 10)
        .await;
    let trail = trail.expect("it is read");
    assert_eq!(trail.len(), 1);
    assert_eq!(trail[0].entry.action, "review_accept");
    assert_eq!(
        (
            trail[0].entry.actor.as_str(),
            trail[0].entry.before.as_str()
        ),
        ("ana", "open")
    );
    let whole = store.verify_audit().await.expect("it is read");
    assert_eq!(whole.expect("it is whole"), 1);
}

pub async fn of_two_who_waive_at_once_both_count_and_a_choice_is_made_once(database: &Database) {
    let store = database.store().await;
    let about = about();
    compared(&store, "run_number", Defect::ChangeNumber).await;
    let made = store.make_review_items(&about, "salt", at(2)).await;
    made.expect("they are made");
    let book = store.review_book(&about, at(3)).await.expect("it is read");
    let severe = book.items.iter().find(|item| {
        let about = item.about.as_ref();
        about.is_some_and(|about| about.severity.blocks())
    });
    let id = severe.expect("a number was changed").id.clone();
    let (ana, ben) = (
        wanted(&id, Says::Waive, "ana"),
        wanted(&id, Says::Waive, "ben"),
    );
    let (one, other) = tokio::join!(
        store.say_in_review(&about, &ana, at(4)),
        store.say_in_review(&about, &ben, at(4)),
    );
    one.expect("the store answers").expect("she may");
    other.expect("the store answers").expect("he may");
    let book = store.review_book(&about, at(5)).await.expect("it is read");
    assert_eq!(book.standings(at(5))[id.as_str()].word(), "waived");
    let over = at(5) + TimeDelta::days(4);
    assert_eq!(book.standings(over)[id.as_str()].word(), "open");

    let title = book.items.iter().find(|item| item.kind.is_blind());
    let title = title.expect("there is a title").id.clone();
    let choose = |side| store.choose_in_review(&about, (&title, side, "ana"), at(6));
    choose(Side::Left)
        .await
        .expect("the store answers")
        .expect("she may");
    let again = choose(Side::Right).await.expect("the store answers");
    assert!(again.expect_err("once").reason.contains("knows by now"));
}

pub async fn rules_are_in_force_until_they_are_removed_or_over(database: &Database) {
    let store = database.store().await;
    let about = about();
    let made = store.make_review_rule(&about, &rule(), at(1)).await;
    let id = made.expect("the store answers").expect("it may be made");
    let rules = async |now| {
        let book = store.review_book(&about, now).await.expect("it is read");
        book.rules.len()
    };
    assert_eq!(rules(at(2)).await, 1);
    assert_eq!(rules(at(2) + TimeDelta::days(3)).await, 0);
    let remove = || store.remove_review_rule(&about, &id, ("ben", ""), at(3));
    assert!(remove().await.expect("it is removed"));
    assert!(!remove().await.expect("it was"));
    assert_eq!(rules(at(4)).await, 0);
    let mut grave = rule();
    grave.class = Class::FactChanged;
    let refused = store.make_review_rule(&about, &grave, at(5)).await;
    assert!(refused.expect("the store answers").is_err());
}

pub async fn a_test_of_the_comparison_is_read_as_it_was_kept(database: &Database) {
    let store = database.store().await;
    let about = about();
    assert_eq!(
        store.newest_selftest(&about).await.expect("it is read"),
        None
    );
    let mut tested = Tested {
        controls: 3,
        ..Tested::default()
    };
    tested.scores[2].of = 3;
    tested.scores[2].caught = 2;
    for now in [at(1), at(2)] {
        store
            .keep_selftest(&about, &tested, now)
            .await
            .expect("it is kept");
    }
    let newest = store.newest_selftest(&about).await.expect("it is read");
    let newest = newest.expect("there are two");
    assert_eq!((newest.at, newest.epoch), (at(2), about.epoch.clone()));
    assert_eq!(newest.tested, tested);
    assert_eq!(newest.tested.failing()[0].defect, "swap_speakers");
}
