//! Runs: inserted once, ended once.

use switchyard::{
    model::{EnvironmentName, RecordingId, RunId, RunState, WorkflowId},
    store::{Run, StoredComparison},
};

use super::samples::{at, control, flag, new_run, run, staging};
use crate::database::Database;

fn ids(runs: &[Run]) -> Vec<&str> {
    runs.iter().map(|run| run.id.as_str()).collect()
}

pub async fn a_run_is_read_as_it_was_written(database: &Database) {
    let store = database.store().await;
    store
        .insert_control(&control("control"))
        .await
        .expect("it is kept");
    let mut new = new_run("run_1", "recording");
    new.cache_scope = String::from("run_1");
    new.control_id = Some("control".to_owned());
    assert!(store.insert_run(&new, at(7)).await.expect("it is written"));

    let read = store
        .run(&new.id)
        .await
        .expect("it is read")
        .expect("it is there");
    assert_eq!(read.id, new.id);
    assert_eq!(read.environment, staging());
    assert_eq!(read.flag, flag());
    assert_eq!(read.recording_id.as_str(), "recording");
    assert_eq!(read.transcript_id.as_str(), "transcript-of-recording");
    assert_eq!(read.generation, 1);
    assert_eq!(read.phase, "shadow");
    assert_eq!(read.state, RunState::Starting);
    assert_eq!(read.workflow_id, None);
    assert_eq!(read.failure, None);
    assert_eq!(read.subject, new.subject);
    assert_eq!(read.cache_scope, "run_1");
    assert_eq!(read.control_id.as_deref(), Some("control"));
    assert_eq!(read.started_at, at(7));
    assert_eq!(read.finished_at, None);

    let nobody = store.run(&RunId::new("run_2")).await.expect("it is asked");
    assert!(nobody.is_none());
}

pub async fn a_second_run_of_the_same_generation_is_refused(database: &Database) {
    let store = database.store().await;
    let first = new_run("run_1", "recording");
    let second = new_run("run_2", "recording");
    assert!(
        store
            .insert_run(&first, at(0))
            .await
            .expect("it is written")
    );
    assert!(!store.insert_run(&second, at(1)).await.expect("it is asked"));
    assert!(!store.insert_run(&first, at(2)).await.expect("it is asked"));
    assert!(store.run(&second.id).await.expect("it is read").is_none());
    let kept = store
        .run(&first.id)
        .await
        .expect("it is read")
        .expect("it is there");
    assert_eq!(kept.started_at, at(0), "a refused insert changes nothing");
}

pub async fn of_two_dispatchers_at_once_one_inserts(database: &Database) {
    let store = database.store().await;
    let mut inserting = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = store.clone();
        inserting.spawn(async move {
            let new = new_run(&format!("run_{number}"), "recording");
            store.insert_run(&new, at(0)).await.expect("it is asked")
        });
    }
    let inserted = inserting.join_all().await;
    assert_eq!(inserted.into_iter().filter(|inserted| *inserted).count(), 1);
}

pub async fn generations_and_environments_do_not_meet(database: &Database) {
    let store = database.store().await;
    let mut again = new_run("run_2", "recording");
    again.generation = 2;
    let mut elsewhere = new_run("run_3", "recording");
    elsewhere.environment = EnvironmentName::new("production");
    elsewhere.generation = 3;
    let other = new_run("run_4", "other");
    for new in [&new_run("run_1", "recording"), &again, &elsewhere, &other] {
        assert!(store.insert_run(new, at(0)).await.expect("it is written"));
    }
    let newest = |environment, recording| {
        let store = store.clone();
        async move {
            let recording = RecordingId::new(recording);
            let newest = store.newest_run(&environment, &flag(), &recording).await;
            newest.expect("it is read").map(|run| run.id.to_string())
        }
    };
    assert_eq!(
        newest(staging(), "recording").await.as_deref(),
        Some("run_2")
    );
    let production = EnvironmentName::new("production");
    assert_eq!(
        newest(production, "recording").await.as_deref(),
        Some("run_3")
    );
    assert_eq!(newest(staging(), "nobody").await, None);
}

pub async fn a_run_names_a_control_that_exists(database: &Database) {
    let store = database.store().await;
    let mut new = new_run("run_1", "recording");
    new.control_id = Some("nowhere".to_owned());
    assert!(store.insert_run(&new, at(0)).await.is_err());
    assert!(store.run(&new.id).await.expect("it is read").is_none());
}

pub async fn a_run_ends_once(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let failure = "transcribe_track_1, attempt 4: the service answered 500";
    let ended = store
        .finish_run(&id, RunState::Failed, Some(failure), at(5))
        .await;
    assert!(ended.expect("it is written"));
    let again = store
        .finish_run(&id, RunState::Completed, None, at(6))
        .await;
    assert!(!again.expect("it is asked"));
    let read = store
        .run(&id)
        .await
        .expect("it is read")
        .expect("it is there");
    assert_eq!(read.state, RunState::Failed);
    assert_eq!(read.failure.as_deref(), Some(failure));
    assert_eq!(read.finished_at, Some(at(5)));
    let nobody = store
        .finish_run(&RunId::new("run_2"), RunState::Completed, None, at(6))
        .await;
    assert!(!nobody.expect("it is asked"));
}

pub async fn of_many_that_end_a_run_at_once_one_does(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let mut ending = tokio::task::JoinSet::new();
    for ms in 0..8 {
        let (store, id) = (store.clone(), id.clone());
        ending.spawn(async move {
            let ended = store
                .finish_run(&id, RunState::Completed, None, at(ms))
                .await;
            ended.expect("it is asked")
        });
    }
    let ended = ending.join_all().await;
    assert_eq!(ended.into_iter().filter(|ended| *ended).count(), 1);
}

pub async fn a_failed_run_taken_up_again_is_running_and_has_no_failure(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let first = WorkflowId::new("workflow-1");
    store.mark_running(&id, &first).await.expect("it is marked");
    let ended = store.finish_run(&id, RunState::Failed, Some("pad_track_0: …"), at(5));
    assert!(ended.await.expect("it is written"));
    let claimed = store.claim_start(&id, at(0), at(7)).await;
    assert!(claimed.expect("it is asked"), "nobody else is at it");
    let second = WorkflowId::new("workflow-2");
    store
        .mark_running(&id, &second)
        .await
        .expect("it is marked");
    let read = store
        .run(&id)
        .await
        .expect("it is read")
        .expect("it is there");
    assert_eq!(read.state, RunState::Running);
    assert_eq!(read.workflow_id, Some(second));
    assert_eq!(read.failure, None);
    assert_eq!(read.finished_at, None);
    let again = store
        .finish_run(&id, RunState::Completed, None, at(9))
        .await;
    assert!(again.expect("it is written"), "it may end again");
}

pub async fn a_start_is_claimed_from_nobody_who_may_be_at_it(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let claim = |stale_ms, now_ms| {
        let (store, id) = (store.clone(), id.clone());
        async move {
            let claimed = store.claim_start(&id, at(stale_ms), at(now_ms)).await;
            claimed.expect("it is asked")
        }
    };
    assert!(
        !claim(-1, 10).await,
        "who inserted the run may be starting it"
    );
    assert!(claim(0, 10).await, "that was too long ago");
    assert!(!claim(0, 11).await, "the first claim counts");
    let workflow = WorkflowId::new("workflow-1");
    store
        .mark_running(&id, &workflow)
        .await
        .expect("it is marked");
    assert!(!claim(9, 20).await, "it was started a moment ago");
    assert!(claim(10, 70).await, "the engine may have lost it since");
    let ended = store
        .finish_run(&id, RunState::Completed, None, at(80))
        .await;
    assert!(ended.expect("it is written"));
    assert!(!claim(100, 200).await, "it has ended well");
    let nobody = store
        .claim_start(&RunId::new("run_2"), at(100), at(200))
        .await;
    assert!(!nobody.expect("it is asked"));
}

pub async fn of_many_that_claim_a_start_at_once_one_gets_it(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    let ended = store.finish_run(&id, RunState::Failed, None, at(5)).await;
    assert!(ended.expect("it is written"));
    let mut claiming = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, id) = (store.clone(), id.clone());
        claiming.spawn(async move {
            let claimed = store.claim_start(&id, at(0), at(10)).await;
            claimed.expect("it is asked")
        });
    }
    let claimed = claiming.join_all().await;
    assert_eq!(claimed.into_iter().filter(|claimed| *claimed).count(), 1);
}

pub async fn open_runs_are_the_environments_starting_and_running_oldest_first(database: &Database) {
    let store = database.store().await;
    for (id, ms) in [
        ("run_c", 1),
        ("run_a", 2),
        ("run_b", 2),
        ("run_d", 0),
        ("run_e", 0),
    ] {
        let new = new_run(id, id);
        assert!(store.insert_run(&new, at(ms)).await.expect("it is written"));
    }
    let workflow = WorkflowId::new("workflow");
    store
        .mark_running(&RunId::new("run_b"), &workflow)
        .await
        .expect("it is marked");
    for (id, state) in [
        ("run_d", RunState::Completed),
        ("run_e", RunState::Terminated),
    ] {
        let ended = store.finish_run(&RunId::new(id), state, None, at(3)).await;
        assert!(ended.expect("it is written"));
    }
    let mut elsewhere = new_run("run_0", "recording");
    elsewhere.environment = EnvironmentName::new("production");
    assert!(
        store
            .insert_run(&elsewhere, at(0))
            .await
            .expect("it is written")
    );
    let open = store.open_runs(&staging()).await.expect("they are read");
    assert_eq!(ids(&open), ["run_c", "run_a", "run_b"]);
}

pub async fn recent_runs_are_the_newest_first_and_no_more_than_asked(database: &Database) {
    let store = database.store().await;
    for (id, ms) in [("run_1", 1), ("run_2", 2), ("run_3", 3)] {
        let new = new_run(id, id);
        assert!(store.insert_run(&new, at(ms)).await.expect("it is written"));
    }
    let recent = store.recent_runs(2).await.expect("they are read");
    assert_eq!(ids(&recent), ["run_3", "run_2"]);
}

pub async fn a_run_waits_for_comparison_until_one_is_written_after_its_end(database: &Database) {
    let store = database.store().await;
    store
        .insert_control(&control("control"))
        .await
        .expect("it is kept");
    for id in ["run_1", "run_open", "run_terminated"] {
        let mut new = new_run(id, id);
        new.control_id = Some("control".to_owned());
        assert!(store.insert_run(&new, at(0)).await.expect("it is written"));
    }
    run(&store, "run_without_control").await;
    for (id, state) in [
        ("run_1", RunState::Failed),
        ("run_terminated", RunState::Terminated),
        ("run_without_control", RunState::Completed),
    ] {
        let ended = store.finish_run(&RunId::new(id), state, None, at(5)).await;
        assert!(ended.expect("it is written"));
    }
    let waiting = || async {
        let waiting = store
            .runs_to_compare(&staging())
            .await
            .expect("they are read");
        waiting
            .into_iter()
            .map(|run| run.id.to_string())
            .collect::<Vec<_>>()
    };
    let compare = |id: &str, ms| StoredComparison {
        id: id.to_owned(),
        run_id: RunId::new("run_1"),
        verdict: "candidate_failed".to_owned(),
        policy_digest: "digest".to_owned(),
        epoch: "epoch".to_owned(),
        report: serde_json::json!({}),
        compared_at: at(ms),
        fields: Vec::new(),
        facts: switchyard::store::ComparisonFacts::default(),
    };
    assert_eq!(waiting().await, ["run_1"]);
    store
        .insert_comparison(&compare("cmp_1", 5))
        .await
        .expect("it is written");
    assert!(waiting().await.is_empty());

    // Taken up again and ended later, it waits again.
    let (id, workflow) = (RunId::new("run_1"), WorkflowId::new("workflow-2"));
    let claimed = store.claim_start(&id, at(0), at(7)).await;
    assert!(claimed.expect("it is asked"));
    store
        .mark_running(&id, &workflow)
        .await
        .expect("it is marked");
    assert!(waiting().await.is_empty());
    let ended = store
        .finish_run(&id, RunState::Completed, None, at(9))
        .await;
    assert!(ended.expect("it is written"));
    assert_eq!(waiting().await, ["run_1"]);
    store
        .insert_comparison(&compare("cmp_2", 10))
        .await
        .expect("it is written");
    assert!(waiting().await.is_empty());
}
