//! A run's steps leave the row the legacy left, and may all be done twice.

use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection};
use switchyard::{
    contract::python_json,
    legacy::reflector::write::{Column, RowWrite, RowWriter, WriteError, Written, apply},
    model::{Event, TranscriptId},
};

use super::world::{CASES, Columns, World, live, rows, rows_at_dispatch, transcript};

fn column(column: Column, value: Value) -> RowWrite {
    RowWrite {
        columns: vec![(column, value)],
        ..RowWrite::default()
    }
}

fn event(name: &str, data: Value) -> RowWrite {
    RowWrite {
        event: Some(Event {
            event: name.to_owned(),
            data,
        }),
        ..RowWrite::default()
    }
}

fn begin() -> RowWrite {
    RowWrite {
        reset: true,
        ..column(Column::Status, json!("processing"))
    }
}

/// The row a recorded run left.
fn left(case: &str) -> Value {
    rows(case, "db_after")["transcript"][0].clone()
}

/// What a run would have to write to leave that row, in the legacy's order.
fn steps(left: &Value) -> Vec<RowWrite> {
    let mut steps = vec![
        begin(),
        column(Column::Participants, left["participants"].clone()),
    ];
    for told in left["events"].as_array().expect("a list") {
        let (name, data) = (told["event"].as_str().expect("a name"), &told["data"]);
        let mut step = event(name, data.clone());
        let columns: &[(Column, &str)] = match name {
            "DURATION" => &[(Column::Duration, "duration")],
            "FINAL_TITLE" => &[(Column::Title, "title")],
            "FINAL_SHORT_SUMMARY" => &[(Column::ShortSummary, "short_summary")],
            "FINAL_LONG_SUMMARY" => &[(Column::LongSummary, "long_summary")],
            "STATUS" => &[(Column::Status, "value")],
            _ => &[],
        };
        for (column, field) in columns {
            step.columns.push((*column, data[field].clone()));
        }
        steps.push(step);
        if name == "DURATION" {
            steps.push(column(
                Column::AudioLocation,
                left["audio_location"].clone(),
            ));
        }
    }
    for (name, value) in [
        (Column::AudioDeleted, &left["audio_deleted"]),
        (Column::ZulipMessageId, &left["zulip_message_id"]),
    ] {
        if !value.is_null() {
            steps.push(column(name, value.clone()));
        }
    }
    steps
}

async fn write(writer: &RowWriter, id: &TranscriptId, step: &RowWrite) -> Written {
    let written = writer.apply(&live(), id, step).await;
    written.expect("it is written")
}

#[tokio::test]
async fn the_steps_of_every_recorded_run_leave_the_row_the_legacy_left() {
    for case in CASES {
        let Some((mut world, writer)) = World::at_dispatch(case).await else {
            return;
        };
        world.change("set timezone = 'UTC'").await;
        let (id, expected) = (transcript(case), left(case));
        for step in steps(&expected) {
            write(&writer, &id, &step).await;
        }
        let row = world.row(&id).await;
        for (column, value) in expected.as_object().expect("a row") {
            assert_eq!(&row[column], value, "{column} of {case}");
        }
        for column in ["events", "topics", "participants"] {
            let printed = python_json::to_string_spaced(&expected[column]).expect("it is JSON");
            assert_eq!(
                world.text(&id, column).await,
                Some(printed),
                "{column} of {case}"
            );
        }
        world.remove().await;
    }
}

#[tokio::test]
async fn every_step_done_twice_changes_nothing_the_second_time() {
    let Some((mut world, writer)) = World::at_dispatch("consent_denied").await else {
        return;
    };
    let id = transcript("consent_denied");
    for step in steps(&left("consent_denied")) {
        let first = write(&writer, &id, &step).await;
        assert!(first.changed(), "{step:?}");
        assert_eq!(first.event, step.event.is_some());
        let before = world.everything().await;
        assert_eq!(write(&writer, &id, &step).await, Written::default());
        assert_eq!(world.everything().await, before, "{step:?}");
    }
    world.remove().await;
}

#[tokio::test]
async fn a_step_repeated_after_later_ones_changes_nothing() {
    let Some((mut world, writer)) = World::at_dispatch("base").await else {
        return;
    };
    let (id, expected) = (transcript("base"), left("base"));
    let steps = steps(&expected);
    for step in &steps {
        write(&writer, &id, step).await;
    }
    // People edit what they were shown.
    world
        .change("update transcript set title = 'Ours', long_summary = 'Edited'")
        .await;
    let before = world.everything().await;
    for step in steps.iter().filter(|step| step.event.is_some()) {
        assert!(!write(&writer, &id, step).await.changed(), "{step:?}");
    }
    assert_eq!(world.everything().await, before);
    world.remove().await;
}

#[tokio::test]
async fn a_title_people_gave_stays_and_the_new_one_is_told() {
    let Some((mut world, writer)) = World::at_dispatch("base").await else {
        return;
    };
    let id = transcript("base");
    world.change("update transcript set title = 'Ours'").await;
    let mut step = event("FINAL_TITLE", json!({ "title": "Made" }));
    step.columns.push((Column::Title, json!("Made")));
    let written = write(&writer, &id, &step).await;
    assert_eq!(written.columns, ["events"]);
    let row = world.row(&id).await;
    assert_eq!(row["title"], "Ours");
    assert_eq!(row["events"][0]["data"]["title"], "Made");
    world.remove().await;
}

#[tokio::test]
async fn a_run_that_begins_empties_what_an_earlier_one_told_and_keeps_the_rest() {
    let Some(mut world) = World::after("base").await else {
        return;
    };
    let (writer, id) = (world.writer(), transcript("base"));
    let before = world.row(&id).await;
    write(&writer, &id, &begin()).await;
    let row = world.row(&id).await;
    for column in ["events", "topics", "participants"] {
        assert_eq!(world.text(&id, column).await.as_deref(), Some("[]"));
    }
    assert_eq!(row["webvtt"], "WEBVTT\n");
    assert_eq!(row["status"], "processing");
    for column in [
        "title",
        "short_summary",
        "long_summary",
        "duration",
        "audio_location",
        "zulip_message_id",
    ] {
        assert_eq!(row[column], before[column], "{column}");
    }
    world.remove().await;
}

#[tokio::test]
async fn the_callers_rows_and_the_transcripts_change_together_or_not_at_all() {
    let Some((mut world, _)) = World::at_dispatch("base").await else {
        return;
    };
    let id = transcript("base");
    world
        .change("create schema own; create table own.ledger (id text)")
        .await;
    let mut connection = AnyConnection::connect(&world.database.url)
        .await
        .expect("it");
    let step = event("DURATION", json!({ "duration": 1.5 }));
    for (is_kept, ledger) in [(false, 0_i64), (true, 1)] {
        let mut tx = connection.begin().await.expect("it begins");
        let insert = sqlx::query("insert into own.ledger values ('effect')");
        insert.execute(&mut *tx).await.expect("it is inserted");
        let written = apply(&mut tx, &live(), &id, &step).await;
        assert!(written.expect("it is written").event);
        if is_kept {
            tx.commit().await.expect("it is kept");
        } else {
            tx.rollback().await.expect("it is undone");
        }
        let count = sqlx::query_scalar("select count(*) from own.ledger");
        let found: i64 = count.fetch_one(&mut world.owner).await.expect("a number");
        assert_eq!(found, ledger);
        let events = world.text(&id, "events").await;
        assert_eq!(
            events.is_some_and(|events| events.contains("DURATION")),
            is_kept
        );
    }
    world.remove().await;
}

#[tokio::test]
async fn the_workflow_is_noted_where_reflector_has_a_place_for_it() {
    for (columns, is_noted) in [(Columns::All, true), (Columns::WithoutWorkflows, false)] {
        let Some(mut world) = World::fresh(columns).await else {
            return;
        };
        world.fill(&rows_at_dispatch("base")).await;
        let (writer, id) = (world.writer(), transcript("base"));
        let step = column(Column::WorkflowId, json!("w-1"));
        assert_eq!(write(&writer, &id, &step).await.changed(), is_noted);
        let before = world.everything().await;
        assert!(!write(&writer, &id, &step).await.changed());
        assert_eq!(world.everything().await, before);
        assert_eq!(
            before
                .iter()
                .any(|row| row.contains(r#""workflow_id":"w-1""#)),
            is_noted
        );
        // The rest of a run needs no such column.
        for step in steps(&left("base")) {
            write(&writer, &id, &step).await;
        }
        assert_eq!(world.row(&id).await["status"], "ended");
        world.remove().await;
    }
}

#[tokio::test]
async fn a_nul_a_model_wrote_reaches_no_column() {
    let Some((mut world, writer)) = World::at_dispatch("base").await else {
        return;
    };
    let id = transcript("base");
    let mut title = event("FINAL_TITLE", json!({ "title": "A\0B" }));
    title.columns.push((Column::Title, json!("A\0B")));
    let words = json!([{ "text": " a\0b", "start": 0.5, "end": 1.0, "speaker": 0 }]);
    let topic = event(
        "TOPIC",
        json!({
            "id": "t", "title": "T\0", "summary": "S", "timestamp": 0.5, "duration": 0,
            "transcript": " a\0b", "words": words,
        }),
    );
    for step in [title, topic] {
        assert!(write(&writer, &id, &step).await.event);
        assert!(!write(&writer, &id, &step).await.changed());
    }
    let row = world.row(&id).await;
    assert_eq!(row["title"], "A\u{fffd}B");
    assert_eq!(row["topics"][0]["title"], "T\u{fffd}");
    assert!(
        row["webvtt"]
            .as_str()
            .expect("a text")
            .contains("a\u{fffd}b")
    );
    // What `jsonb` does not take would stop whoever casts to it.
    world
        .text(&id, "events::jsonb::text || topics::jsonb")
        .await;
    world.remove().await;
}

#[tokio::test]
async fn a_transcript_that_is_gone_is_an_error_that_trying_again_does_not_mend() {
    let Some((world, writer)) = World::at_dispatch("base").await else {
        return;
    };
    let error = writer.apply(&live(), &"gone".into(), &begin()).await;
    let error = error.expect_err("there is none");
    assert!(matches!(&error, WriteError::NoTranscript(id) if id.as_str() == "gone"));
    assert!(!error.is_transient());
    world.remove().await;
}

#[tokio::test]
async fn a_refusal_does_not_quote_what_was_written() {
    let Some((mut world, writer)) = World::at_dispatch("base").await else {
        return;
    };
    world
        .change("alter table transcript add check (title is distinct from 'hush')")
        .await;
    let step = column(Column::Title, json!("hush"));
    let error = writer.apply(&live(), &transcript("base"), &step).await;
    let error = error.expect_err("it is refused");
    assert!(matches!(&error, WriteError::Refused { code, .. } if code == "23514"));
    assert!(!format!("{error} {error:?}").contains("hush"));
    world.remove().await;
}
