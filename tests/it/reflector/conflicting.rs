//! Writing beside the legacy, whose transactions are SERIALIZABLE, and beside people.

use serde_json::json;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, PgConnection};
use switchyard::{
    legacy::reflector::write::{RowWrite, RowWriter, WriteError, Written, apply},
    model::{Event, TranscriptId},
};
use tokio::task::JoinHandle;

use super::world::{World, live, transcript};

fn duration(milliseconds: f64) -> RowWrite {
    RowWrite {
        event: Some(Event {
            event: "DURATION".to_owned(),
            data: json!({ "duration": milliseconds }),
        }),
        ..RowWrite::default()
    }
}

/// A connection that does as the legacy does.
struct Legacy(PgConnection);

impl Legacy {
    /// Has begun a transaction and read the table, not only the row.
    async fn begun(world: &World) -> Self {
        let connection = PgConnection::connect(&world.database.url).await;
        let mut legacy = Self(connection.expect("it"));
        legacy.begin().await;
        legacy
    }

    async fn begin(&mut self) {
        self.run("begin isolation level serializable")
            .await
            .expect("it begins");
        self.run("select * from transcript")
            .await
            .expect("it reads");
    }

    async fn run(&mut self, sql: &str) -> sqlx::Result<()> {
        self.0
            .execute(AssertSqlSafe(sql.to_owned()))
            .await
            .map(drop)
    }

    async fn append(&mut self, id: &TranscriptId) -> sqlx::Result<()> {
        let event = r#"[{"event": "WAVEFORM", "data": {"waveform": [1.0]}}]"#;
        let sql = format!("update transcript set events = '{event}' where id = '{id}'");
        self.run(&sql).await
    }
}

fn in_background(
    writer: &RowWriter,
    id: &TranscriptId,
    step: RowWrite,
) -> JoinHandle<Result<Written, WriteError>> {
    let (writer, id) = (writer.clone(), id.clone());
    tokio::spawn(async move { writer.apply(&live(), &id, &step).await })
}

/// Waits until a writer of ours waits for a lock, in another session or transaction than the one
/// given; returns which.
async fn waiting(world: &mut World, other: Option<&(i32, String)>) -> (i32, String) {
    let sql = "select pid, xact_start::text from pg_stat_activity
        where datname = current_database() and application_name = 'switchyard'
            and wait_event_type = 'Lock' and xact_start is not null";
    loop {
        let query = sqlx::query_as(sql).fetch_optional(&mut world.owner);
        let found: Option<(i32, String)> = query.await.expect("it is answered");
        match found {
            Some(found) if Some(&found) != other => return found,
            _ => tokio::task::yield_now().await,
        }
    }
}

async fn events(world: &mut World, id: &TranscriptId) -> Vec<String> {
    let row = world.row(id).await;
    let events = row["events"].as_array().expect("a list");
    let name = |event: &serde_json::Value| event["event"].as_str().map(str::to_owned);
    events.iter().filter_map(name).collect()
}

#[tokio::test]
async fn neither_write_is_lost_when_the_legacy_was_first() {
    let Some((mut world, writer)) = World::at_dispatch("base").await else {
        return;
    };
    let id = transcript("base");
    let mut legacy = Legacy::begun(&world).await;
    legacy.append(&id).await.expect("it is written");
    let ours = in_background(&writer, &id, duration(1.0));
    waiting(&mut world, None).await;
    legacy.run("commit").await.expect("it is kept");
    assert!(ours.await.expect("it ends").expect("it is written").event);
    assert_eq!(events(&mut world, &id).await, ["WAVEFORM", "DURATION"]);
    world.remove().await;
}

#[tokio::test]
async fn a_step_many_carry_out_at_once_is_written_once() {
    let Some((mut world, writer)) = World::at_dispatch("base").await else {
        return;
    };
    let id = transcript("base");
    let many: Vec<_> = (0..8)
        .map(|_| in_background(&writer, &id, duration(1.0)))
        .collect();
    let mut told = 0;
    for one in many {
        let written = one.await.expect("it ends").expect("it is written");
        told += usize::from(written.event);
    }
    assert_eq!(told, 1);
    assert_eq!(events(&mut world, &id).await, ["DURATION"]);
    world.remove().await;
}

#[tokio::test]
async fn our_write_stays_when_a_legacy_transaction_was_open_meanwhile() {
    let Some((mut world, writer)) = World::at_dispatch("base").await else {
        return;
    };
    let id = transcript("base");
    let mut legacy = Legacy::begun(&world).await;
    let written = writer.apply(&live(), &id, &duration(1.0)).await;
    assert!(written.expect("it is written").event);
    // This is why a row has one writer at a time.
    let error = legacy.append(&id).await.expect_err("it is aborted");
    let code = error
        .as_database_error()
        .and_then(|error| error.code().map(String::from));
    assert_eq!(code.as_deref(), Some("40001"));
    assert_eq!(events(&mut world, &id).await, ["DURATION"]);
    world.remove().await;
}

#[tokio::test]
async fn a_write_that_changes_nothing_does_not_abort_the_legacy_on_the_same_row() {
    let Some((world, writer)) = World::at_dispatch("base").await else {
        return;
    };
    let id = transcript("base");
    let written = writer.apply(&live(), &id, &duration(1.0)).await;
    assert!(written.expect("it is written").changed());
    let mut legacy = Legacy::begun(&world).await;
    let again = writer.apply(&live(), &id, &duration(1.0)).await;
    assert!(!again.expect("it is looked at").changed());
    legacy.append(&id).await.expect("it is written");
    legacy.run("commit").await.expect("it is kept");
    world.remove().await;
}

#[tokio::test]
async fn legacy_transactions_on_other_rows_are_never_aborted() {
    let Some((mut world, writer)) = World::at_dispatch("base").await else {
        return;
    };
    let id = transcript("base");
    world
        .change("insert into transcript (id, source_kind) values ('other', 'room')")
        .await;
    let other = "other".into();
    let mut legacy = Legacy::begun(&world).await;
    for round in 0..40 {
        // Ours in the midst of the legacy's: before its write, and between that and its commit.
        for step in [round * 2, round * 2 + 1] {
            if step % 2 == 1 {
                legacy.append(&other).await.expect("it is written");
            }
            let written = writer.apply(&live(), &id, &duration(f64::from(step))).await;
            assert!(written.expect("it is written").event);
        }
        legacy.run("commit").await.expect("it is kept");
        legacy.begin().await;
    }
    assert_eq!(events(&mut world, &id).await.len(), 80);
    world.remove().await;
}

#[tokio::test]
async fn a_lock_that_is_held_too_long_is_waited_for_again() {
    let Some((mut world, writer)) = World::at_dispatch("base").await else {
        return;
    };
    let id = transcript("base");
    let mut somebody = Legacy::begun(&world).await;
    somebody.append(&id).await.expect("it is written");
    let ours = in_background(&writer, &id, duration(1.0));
    let first = waiting(&mut world, None).await;
    let second = waiting(&mut world, Some(&first)).await;
    assert_ne!(first.1, second.1, "another transaction");
    somebody.run("rollback").await.expect("it gives up");
    assert!(ours.await.expect("it ends").expect("it is written").event);
    assert_eq!(events(&mut world, &id).await, ["DURATION"]);
    world.remove().await;
}

#[tokio::test]
async fn a_connection_lost_midway_is_replaced() {
    let Some((mut world, writer)) = World::at_dispatch("base").await else {
        return;
    };
    let id = transcript("base");
    let mut somebody = Legacy::begun(&world).await;
    somebody.append(&id).await.expect("it is written");
    let ours = in_background(&writer, &id, duration(1.0));
    let first = waiting(&mut world, None).await;
    world
        .change(&format!("select pg_terminate_backend({})", first.0))
        .await;
    let second = waiting(&mut world, Some(&first)).await;
    assert_ne!(first.0, second.0, "another connection");
    somebody.run("rollback").await.expect("it gives up");
    assert!(ours.await.expect("it ends").expect("it is written").event);
    world.remove().await;
}

#[tokio::test]
async fn in_a_callers_transaction_a_held_lock_is_an_error_that_may_be_tried_again() {
    let Some((world, _)) = World::at_dispatch("base").await else {
        return;
    };
    let id = transcript("base");
    let mut somebody = Legacy::begun(&world).await;
    somebody.append(&id).await.expect("it is written");
    let mut connection = AnyConnection::connect(&world.database.url)
        .await
        .expect("it");
    let mut tx = connection.begin().await.expect("it begins");
    let error = apply(&mut tx, &live(), &id, &duration(1.0)).await;
    let error = error.expect_err("the row is held");
    assert!(matches!(&error, WriteError::Conflict { code, .. } if code == "55P03"));
    assert!(error.is_transient());
    tx.rollback().await.expect("it is undone");
    world.remove().await;
}
