//! The same calls leave the same rows on both databases.

use serde_json::json;
use switchyard::{
    model::{RunState, UsageKind, WorkflowId},
    store::{ComparisonFacts, IntentKind, Spooled, Store, StoredComparison, StoredField},
};

use super::access::write_access;
use super::deliveries::write_deliveries;
use super::evidence::write_noise;
use super::exports::write_export;
use super::health::write_health;
use super::ledger::write_live;
use super::mirroring::write_mirrorings;
use super::mirrors::write_mirror;
use super::moves::write_moves;
use super::recordings::signed;
use super::repeats::write_repeats;
use super::replays::write_replay;
use super::retention::write_retention;
use super::reviews::write_reviews;
use super::routes::write_routes;
use super::rules::write_rules;
use super::samples::{at, attempt, control, intent, new_run, output, usage};
use super::served::write_versions;
use super::sharing::write_shared;
use super::traces::write_told;
use crate::database::{Database, Kind};

/// Every call that writes, in the order of a run that fails once and is resumed.
async fn write_everything(store: &Store) -> anyhow::Result<()> {
    store.insert_control(&control("control")).await?;
    let mut new = new_run("run_1", "recording");
    new.control_id = Some("control".to_owned());
    let id = new.id.clone();
    store.insert_run(&new, at(1)).await?;
    store
        .insert_run(&new_run("run_2", "recording"), at(2))
        .await?;
    store
        .mark_running(&id, &WorkflowId::new("workflow-1"))
        .await?;

    let seconds = [usage(UsageKind::GpuSeconds, "whisper", 0.1)];
    store
        .begin_attempt(&id, &attempt("task-1", "transcribe_track_0", 1, 3))
        .await?;
    store
        .note_usage(&id, "transcribe_track_0", "task-1", &seconds)
        .await?;
    store
        .end_attempt("task-1", "failed", Some("attempt 1: 500"), at(4))
        .await?;
    store
        .finish_run(&id, RunState::Failed, Some("attempt 1: 500"), at(5))
        .await?;

    let failed = store.run(&id).await?.expect("it is there");
    store
        .take_up(&failed, at(0), signed("run_1", "retry"), at(6))
        .await?;
    store.claim_start(&id, at(0), at(6)).await?;
    store
        .mark_running(&id, &WorkflowId::new("workflow-2"))
        .await?;
    store
        .begin_attempt(&id, &attempt("task-2", "transcribe_track_0", 1, 6))
        .await?;
    store
        .keep_answer(
            "",
            "transcription",
            "hash",
            &json!({ "text": "naïve ☕" }),
            at(7),
        )
        .await?;
    store
        .keep_answer("", "transcription", "hash", &json!("another"), at(8))
        .await?;
    let mut made = output(
        "transcribe_track_0",
        "hash-1",
        json!({ "words": 2, "gain": 0.5 }),
    );
    made.document = Some(json!([{ "text": "naïve", "start": 0.300_000_000_000_000_04 }]));
    let intended = [
        intent(IntentKind::PutObject, "bucket/key", "12"),
        intent(IntentKind::Message, "ts:1", "{\"event\": \"TRANSCRIPT\"}"),
    ];
    store
        .check_in(&id, "task-2", &made, &intended, &seconds, at(9))
        .await?;
    made.input_hash = String::from("hash-2");
    store
        .check_in(&id, "task-2", &made, &intended[1..], &seconds, at(10))
        .await?;
    store
        .end_attempt("task-2", "completed", None, at(11))
        .await?;
    for (task_id, result) in [
        ("task-2", "{}"),
        ("task-3", "{}"),
        ("task-3", "{\"again\": 1}"),
    ] {
        let spooled = Spooled {
            task_id: task_id.to_owned(),
            workflow_id: "workflow-2".to_owned(),
            result: result.to_owned(),
            give_up_at: at(1000),
        };
        store.spool(&spooled, at(12)).await?;
    }
    store.unspool("task-2").await?;
    store
        .finish_run(&id, RunState::Completed, None, at(13))
        .await?;
    let comparison = StoredComparison {
        id: "cmp_1".to_owned(),
        run_id: id,
        verdict: "match".to_owned(),
        policy_digest: "digest".to_owned(),
        epoch: "epoch".to_owned(),
        report: json!({ "z": 1, "a": [0.1, 1e300, -0.0] }),
        compared_at: at(14),
        fields: vec![StoredField::judged("title", "match")],
        facts: ComparisonFacts::default(),
    };
    store.insert_comparison(&comparison).await
}

/// Leaves rows in every table but the embedded engine's.
pub async fn write_to_every_table(store: &Store) {
    write_everything(store).await.expect("it is written");
    write_noise(store).await;
    write_routes(store).await;
    write_health(store).await;
    write_live(store).await;
    write_versions(store).await;
    write_mirrorings(store).await;
    write_mirror(store).await;
    write_moves(store).await.expect("it is written");
    write_rules(store).await;
    write_replay(store).await;
    write_reviews(store).await;
    write_export(store).await;
    write_shared(store).await.expect("it is written");
    write_access(store).await.expect("it is written");
    write_told(store).await;
    write_deliveries(store).await;
    write_retention(store).await;
    write_repeats(store).await.expect("it is written");
}

#[tokio::test]
async fn the_same_calls_leave_the_same_rows_on_both_databases() {
    let Some(postgres) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let sqlite = Database::fresh(Kind::Sqlite).await.expect("always there");
    for database in [&sqlite, &postgres] {
        write_to_every_table(&database.store().await).await;
    }
    let tables = sqlite.tables().await;
    assert_eq!(tables, postgres.tables().await);
    for table in tables {
        let rows = sqlite.rows(&table).await;
        assert_eq!(rows, postgres.rows(&table).await, "table `{table}`");
        // What the embedded engine writes is held to the same by its own tests.
        assert!(
            !rows.is_empty() || table.starts_with("engine_"),
            "nothing wrote to `{table}`"
        );
    }
    postgres.remove().await;
}
