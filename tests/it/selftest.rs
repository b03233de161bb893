//! Known defects in each recorded run of the legacy pipeline.

use std::sync::Arc;

use switchyard::{
    compare::Policy,
    controller::{Recent, Reviews, SelfTests},
    legacy::recorded,
    model::{HttpRequest, Outcome, OutcomeStatus},
    selftest::{Defect, Tested, compared},
    store::{Control, Store},
};

use crate::{
    database::{Database, Kind},
    phases, standup,
    store::samples::{at, new_run},
};

/// The eight recorded runs; and the five recordings of the post tasks alone, which began where the
/// base run ended.
fn controls() -> Vec<(String, Outcome)> {
    let load = |case: &str| {
        let folder = standup::folder().join("expected").join(case);
        recorded::load(&folder, Some("https://reflector.example.test"))
            .expect("a recorded run")
            .outcome
    };
    let base = load("base");
    let cases = std::fs::read_dir(standup::folder().join("expected")).expect("recorded cases");
    let mut controls: Vec<(String, Outcome)> = cases
        .map(|case| {
            let case = case.expect("a case").file_name();
            let name = case.to_string_lossy().into_owned();
            let outcome = if name.starts_with("post_") {
                Outcome {
                    zulip: request(&name, "zulip"),
                    webhook: request(&name, "webhook"),
                    ..base.clone()
                }
            } else {
                load(&name)
            };
            (name, outcome)
        })
        .collect();
    controls.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(controls.len(), 13);
    controls
}

/// The first request to a service that was recorded, if any was made.
fn request(case: &str, service: &str) -> Option<HttpRequest> {
    let all = standup::json(&format!("expected/{case}/requests.json"));
    let mut all = all.as_array().expect("requests").iter();
    let found = all.find(|request| {
        request["service"] == service
            && request["body_file"].is_string()
            && request["method"] != "GET"
    })?;
    let text = |name: &str| found[name].as_str().expect("a text");
    let body = standup::folder().join(format!("expected/{case}/{}", text("body_file")));
    let headers: Vec<(String, String)> =
        serde_json::from_value(found["headers"].clone()).expect("headers");
    Some(HttpRequest {
        method: text("method").to_owned(),
        url: format!("https://{service}.example.test{}", text("target")),
        headers,
        body: std::fs::read_to_string(body).expect("a body"),
    })
}

#[test]
fn every_defect_is_caught_in_every_recorded_control_it_can_be_put_into() {
    let policy = Policy::shipped();
    let mut tested = Tested::default();
    for (case, control) in controls() {
        if control.status != OutcomeStatus::Ended {
            continue;
        }
        for (score, defect) in tested.scores.iter_mut().zip(Defect::ALL) {
            let Some((caught, comparison)) = compared(*defect, &control, &policy) else {
                continue;
            };
            assert!(caught, "`{defect}` was not caught in {case}");
            let found = comparison.severity();
            let as_bad =
                *defect == Defect::Nothing || found.is_some_and(|found| found <= defect.severity());
            assert!(as_bad, "`{defect}` in {case} was called {found:?}");
            (score.caught, score.of) = (score.caught + 1, score.of + 1);
        }
    }
    assert!(tested.passes());
    for score in &tested.scores {
        assert!(
            score.of > 0,
            "`{}` could be put into no recorded control",
            score.defect
        );
        assert_eq!(score.caught, score.of, "`{}`", score.defect);
    }
}

async fn keep(store: &Store, id: &str, ms: i64) {
    let recorded = recorded::load(&standup::folder().join("expected/base"), None);
    let mut new = new_run(&format!("run_of_{id}"), &format!("recording-of-{id}"));
    let control = Control {
        id: id.to_owned(),
        recording_id: new.subject.recording.id.clone(),
        source: "tests".to_owned(),
        outcome: recorded.expect("a recorded run").outcome,
        taken_at: at(ms),
    };
    store.insert_control(&control).await.expect("it is kept");
    new.control_id = Some(control.id);
    assert!(store.insert_run(&new, at(ms)).await.expect("it is written"));
}

fn tests(store: &Store, epoch: &str, ms: i64) -> SelfTests {
    let mut about = phases::about("staging");
    epoch.clone_into(&mut about.epoch);
    let clock: switchyard::controller::Clock = Arc::new(move || at(ms));
    SelfTests {
        about: about.clone(),
        store: store.clone(),
        policy: Arc::new(Policy::shipped()),
        reviews: Reviews {
            about,
            store: store.clone(),
            salt: "salt".to_owned(),
            clock: Arc::clone(&clock),
            recent: Recent::default(),
        },
        holder: format!("{epoch}-{ms}"),
        clock,
    }
}

#[tokio::test]
async fn the_comparison_is_tested_by_itself_when_versions_change_and_when_controls_come() {
    let database = Database::fresh(Kind::Sqlite).await.expect("always there");
    let store = database.store().await;
    let ticked = async |epoch, ms| {
        let ticked = tests(&store, epoch, ms).tick().await;
        ticked.expect("it ticks").map(|tested| tested.controls)
    };
    assert_eq!(
        ticked("one", 10).await,
        None,
        "there is nothing to test with"
    );
    keep(&store, "first", 20).await;
    assert_eq!(ticked("one", 30).await, Some(1));
    assert_eq!(ticked("one", 40).await, None, "nothing changed");
    let newest = tests(&store, "one", 40).newest().await.expect("it is read");
    let newest = newest.expect("there is one");
    assert!(newest.tested.passes() && newest.epoch == "one");
    assert_eq!(ticked("two", 50).await, Some(1), "other versions");
    keep(&store, "second", 60).await;
    // Another process is at it.
    let held = store.hold_lease(
        "selftest/staging",
        "other",
        chrono::TimeDelta::minutes(5),
        at(70),
    );
    assert!(held.await.expect("it is held"));
    assert_eq!(ticked("two", 80).await, None);
    store
        .release_lease("selftest/staging", "other")
        .await
        .expect("it is given back");
    assert_eq!(ticked("two", 90).await, Some(2), "another control");
    database.remove().await;
}
