//! What turned is told once: what the candidate serves came to be too bad, people got something to look at,
//! what is over its time cannot be deleted.

use chrono::TimeDelta;
use serde_json::json;
use sqlx::{AnyConnection, Connection};
use switchyard::{
    controller::{OnFail, Turns},
    model::{Origin, RunState},
    rollout::{Percent, Position},
    store::{ComparisonFacts, Effects, Store, StoredComparison},
};

use super::world::World;
use crate::{
    phases,
    store::samples::{control, new_run, staging},
};

fn turns(world: &World, on_fail: OnFail) -> Turns {
    Turns {
        about: phases::about("staging"),
        on_fail,
        ..world.app.turns().expect("settings are right")
    }
}

/// Live runs that ended so.
async fn served(world: &World, from: i64, to: i64, state: RunState) {
    let store: &Store = &world.app.store;
    for number in from..to {
        let mut run = new_run(&format!("run_live_{number}"), &format!("rec_live_{number}"));
        run.origin = Origin::Arrival;
        run.effects = Effects::Live;
        world.pass(TimeDelta::seconds(1));
        assert!(store.insert_run(&run, world.now()).await.expect("it is"));
        let failure = (state != RunState::Completed).then_some("generate_title, attempt 1: 500");
        let ended = store.finish_run(&run.id, state, failure, world.now());
        assert!(ended.await.expect("it ends"));
    }
    let noted = store.note_versions(&staging(), "epoch").await;
    noted.expect("they are noted");
}

async fn texts_of(world: &World) -> Vec<String> {
    world.tick().await;
    let mut texts = Vec::new();
    for got in world.receiver.got() {
        if got.body["kind"] != "flip" {
            texts.push(got.body["text"].as_str().expect("a text").to_owned());
        }
    }
    texts
}

#[tokio::test]
async fn a_fail_of_what_is_served_is_told_once_with_the_way_back() {
    let world = World::with_a_webhook().await;
    let all = Position::Cutover(Percent::ALL);
    phases::put(&world.app.store, "staging", all, world.now()).await;
    let turns = turns(&world, OnFail::Tell);
    assert_eq!(turns.tick().await.expect("an answer"), 0);
    served(&world, 0, 30, RunState::Failed).await;
    let another = turns.clone();
    let (one, other) = tokio::join!(turns.tick(), another.tick());
    assert_eq!(one.expect("an answer") + other.expect("an answer"), 1);
    assert_eq!(turns.tick().await.expect("an answer"), 0, "it was told");
    let texts = texts_of(&world).await;
    let [text] = texts.as_slice() else {
        panic!("{texts:?}");
    };
    assert!(text.contains("says FAIL: 30 of 30"), "{text}");
    assert!(text.contains("phase set shadow --percent 100"), "{text}");
    let holds = world.app.store.holds(&turns.about).await.expect("a list");
    assert!(holds.is_empty(), "nobody asked for one");
    // Other versions begin the count anew.
    let mut mended = turns.clone();
    mended.about.epoch = "mended".to_owned();
    assert_eq!(mended.tick().await.expect("an answer"), 1);
    let texts = texts_of(&world).await;
    assert!(
        texts.len() == 1 && texts[0].contains("does not say FAIL any more"),
        "{texts:?}"
    );
}

#[tokio::test]
async fn a_fail_holds_the_migration_where_the_settings_say_so() {
    let world = World::with_a_webhook().await;
    let all = Position::Cutover(Percent::ALL);
    phases::put(&world.app.store, "staging", all, world.now()).await;
    served(&world, 0, 30, RunState::Failed).await;
    let turns = turns(&world, OnFail::Hold);
    for _ in 0..3 {
        turns.tick().await.expect("an answer");
    }
    let holds = world.app.store.holds(&turns.about).await.expect("a list");
    let [hold] = holds.as_slice() else {
        panic!("{holds:?}");
    };
    assert_eq!(hold.owner, "switchyard");
    assert!(hold.reason.contains("FAIL"), "{}", hold.reason);
    assert_eq!(texts_of(&world).await.len(), 2, "the fail and the hold");
}

#[tokio::test]
async fn before_a_cutover_nobody_is_told_of_what_is_served() {
    let world = World::with_a_webhook().await;
    served(&world, 0, 30, RunState::Failed).await;
    let turns = turns(&world, OnFail::Hold);
    assert_eq!(turns.tick().await.expect("an answer"), 0);
}

#[tokio::test]
async fn reviewers_are_told_once_of_what_came_up() {
    let world = World::with_a_webhook().await;
    let half = Position::Shadow(Percent::ALL);
    phases::put(&world.app.store, "staging", half, world.now()).await;
    let turns = turns(&world, OnFail::Tell);
    assert_eq!(
        turns.tick().await.expect("an answer"),
        0,
        "there is nothing yet"
    );
    let (store, run) = (&world.app.store, new_run("run_1", "rec_1"));
    assert!(store.insert_run(&run, world.now()).await.expect("it is"));
    let comparison = StoredComparison {
        id: "cmp_1".to_owned(),
        run_id: run.id.clone(),
        verdict: "match".to_owned(),
        policy_digest: "digest".to_owned(),
        epoch: turns.about.epoch.clone(),
        report: json!({
            "recording": "rec_1", "environment": "staging", "flag": "f", "control_run": null,
            "candidate_run": "run_1", "compared_at": "", "costs": [], "currency": "USD",
            "comparison": { "verdict": "match", "control": "ended", "candidate": "ended",
                "fields": [], "policy": "digest" },
            "control": switchyard::model::Outcome::default(),
            "candidate": switchyard::model::Outcome::default(),
        }),
        compared_at: world.now(),
        fields: Vec::new(),
        facts: ComparisonFacts::default(),
    };
    store.insert_comparison(&comparison).await.expect("it is");
    let made = store.make_review_items(&turns.about, "salt", world.now());
    made.await.expect("they are made");
    assert_eq!(turns.tick().await.expect("an answer"), 1);
    assert_eq!(turns.tick().await.expect("an answer"), 0, "it was told");
    let texts = texts_of(&world).await;
    assert!(
        texts.len() == 1 && texts[0].contains("drawn at random"),
        "{texts:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_deleted_is_told_once_and_its_end_too() {
    let world = World::with_a_webhook().await;
    let kept = world.app.store.insert_control(&control("broken")).await;
    kept.expect("it is kept");
    let change = async |sql: &'static str| {
        let file = world.folder.path().join("switchyard.db");
        let url = format!("sqlite:{}", file.display());
        let mut connection = AnyConnection::connect(&url).await.expect("a file");
        let changed = sqlx::query(sql).execute(&mut connection).await;
        changed.expect("it is changed");
    };
    change("update controls set outcome = '{' where id = 'broken'").await;
    let retention = world.app.retention().expect("settings are right");
    for _ in 0..2 {
        let failed = retention.tick().await.expect_err("it cannot be read");
        let why = format!("{failed:#}");
        assert!(why.contains("the control `broken` cannot be read"), "{why}");
    }
    let texts = texts_of(&world).await;
    assert!(
        texts.len() == 1 && texts[0].contains("cannot be deleted"),
        "{texts:?}"
    );
    let plan = retention.plan().await.expect("a plan");
    assert!(plan.failing_since.is_some());
    change("delete from controls where id = 'broken'").await;
    for _ in 0..2 {
        retention.tick().await.expect("there is nothing to do");
    }
    let texts = texts_of(&world).await;
    assert!(
        texts.len() == 1 && texts[0].contains("is deleted again"),
        "{texts:?}"
    );
}
