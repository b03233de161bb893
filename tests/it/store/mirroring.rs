//! What may be mirrored by itself, and what came of it.

use serde_json::json;
use switchyard::{
    model::{Origin, RunId, RunState},
    rollout::{Direction, MirrorsToday},
    store::{ComparisonFacts, Effects, Mirrored, Store, StoredComparison, Unmirrored},
};

use super::samples::{at, control, new_run, staging};
use crate::{database::Database, phases::about};

async fn ran(store: &Store, name: &str, effects: Effects, ms: i64) -> RunId {
    let mut run = new_run(&format!("run_{name}"), name);
    (run.origin, run.effects) = (Origin::Arrival, effects);
    assert!(store.insert_run(&run, at(ms)).await.expect("it is"));
    let ended = store.finish_run(&run.id, RunState::Completed, None, at(ms + 1));
    assert!(ended.await.expect("it ends"));
    run.id
}

async fn compared(store: &Store, run: &RunId, verdict: &str, ms: i64) {
    let comparison = StoredComparison {
        id: format!("cmp_{run}"),
        run_id: run.clone(),
        verdict: verdict.to_owned(),
        policy_digest: "policy".to_owned(),
        epoch: "epoch".to_owned(),
        report: json!({}),
        compared_at: at(ms),
        fields: Vec::new(),
        facts: ComparisonFacts::default(),
    };
    store.insert_comparison(&comparison).await.expect("it is");
}

/// Every call that writes what came of mirrors that began by themselves.
pub async fn write_mirrorings(store: &Store) {
    let run = ran(store, "mirrored_by_itself", Effects::Live, 1).await;
    let of = Unmirrored {
        run: run.clone(),
        direction: Direction::Reverse,
    };
    for tries in 1..3 {
        let came = (Mirrored::Tried, Some("the café is shut"));
        let here = staging();
        let noted = store.note_mirroring(&here, &of, came, Some(0.25), at(tries));
        assert_eq!(noted.await.expect("it is noted"), tries);
    }
    assert!(store.give_control(&run, "control").await.expect("it is"));
    assert!(!store.give_control(&run, "control").await.expect("it is"));
}

pub async fn what_may_be_mirrored_is_listed_until_something_came_of_it(database: &Database) {
    let store = database.store().await;
    let kept = control("control");
    store.insert_control(&kept).await.expect("it is kept");
    let about = about("staging");
    let listed = async |direction, tried_before| {
        let listed = store.unmirrored(&about, direction, at(tried_before)).await;
        let runs = listed.expect("a list").into_iter();
        runs.map(|of| of.run.to_string()).collect::<Vec<_>>()
    };
    for (name, verdict, ms) in [
        ("a", "match", 10),
        ("b", "differs", 20),
        ("c", "candidate_failed", 30),
    ] {
        let run = ran(&store, name, Effects::Shadow, ms).await;
        compared(&store, &run, verdict, ms + 5).await;
    }
    let served = ran(&store, "d", Effects::Live, 40).await;
    let newest_first = ["run_b", "run_a"];
    assert_eq!(listed(Direction::Noise, 0).await, newest_first);
    assert!(
        listed(Direction::Reverse, 0).await.is_empty(),
        "of no versions"
    );
    store
        .note_versions(&staging(), "epoch")
        .await
        .expect("it is noted");
    assert_eq!(listed(Direction::Reverse, 0).await, ["run_d"]);

    let note = async |run: &str, came, usd, ms| {
        let of = Unmirrored {
            run: RunId::new(run),
            direction: Direction::Noise,
        };
        let here = staging();
        let noted = store.note_mirroring(&here, &of, (came, None), usd, at(ms));
        noted.await.expect("it is noted")
    };
    note("run_b", Mirrored::Tried, None, 100).await;
    assert_eq!(listed(Direction::Noise, 99).await, ["run_a"], "not so soon");
    assert_eq!(listed(Direction::Noise, 100).await, newest_first);
    note("run_b", Mirrored::Begun, Some(0.5), 110).await;
    note("run_a", Mirrored::PassedOver, Some(9.0), 120).await;
    assert!(listed(Direction::Noise, 1_000).await.is_empty());
    let today = store.mirrors_since(&staging(), at(105)).await;
    let expected = MirrorsToday { begun: 0, usd: 0.5 };
    assert_eq!(today.expect("a count"), expected);
    let later = store.mirrors_since(&staging(), at(111)).await;
    assert_eq!(later.expect("a count"), MirrorsToday::default());

    assert!(store.give_control(&served, "control").await.expect("it is"));
    assert!(listed(Direction::Reverse, 1_000).await.is_empty());
    let shadow = RunId::new("run_a");
    assert!(!store.give_control(&shadow, "control").await.expect("it is"));
    store.close().await;
}
