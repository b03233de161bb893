//! Mirrors come, are filled, and go without a trace.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use switchyard::{
    legacy::reflector::write::{MIRROR_USER, WriteError},
    model::TranscriptId,
};

use super::world::{World, transcript};

const MIRROR: &str = "d0d0d0d0-0000-4000-8000-000000000001";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_766_000_000, 0).expect("a time")
}

fn mirror() -> TranscriptId {
    MIRROR.into()
}

#[tokio::test]
async fn a_mirror_is_private_locked_and_tied_to_nothing_of_the_original() {
    let Some(mut world) = World::after("base").await else {
        return;
    };
    let (writer, original) = (world.writer(), transcript("base"));
    let inserted = writer.insert_mirror(&original, &mirror(), now()).await;
    assert!(inserted.expect("it is inserted"));
    world.change("set timezone = 'UTC'").await;
    let row = world.row(&mirror()).await;
    let expected = json!({
        "id": MIRROR, "name": "", "status": "idle", "locked": true, "duration": 0,
        "created_at": "2025-12-17T19:33:20+00:00", "long_summary": null, "topics": [],
        "events": [], "source_language": "en", "target_language": "en", "user_id": MIRROR_USER,
        "title": null, "short_summary": null, "audio_location": "local", "share_mode": "private",
        "participants": [], "reviewed": false, "meeting_id": null, "zulip_message_id": null,
        "source_kind": "room", "recording_id": null, "audio_deleted": null, "room_id": null,
        "webvtt": null, "search_vector_en": "", "workflow_run_id": null,
    });
    assert_eq!(row, expected);
    world.remove().await;
}

#[tokio::test]
async fn a_mirror_comes_and_goes_and_leaves_nothing() {
    let Some(mut world) = World::after("base").await else {
        return;
    };
    let (writer, original) = (world.writer(), transcript("base"));
    let before = world.everything().await;
    assert!(writer.mirror_is_gone(&mirror()).await.expect("an answer"));
    for is_new in [true, false] {
        let inserted = writer.insert_mirror(&original, &mirror(), now()).await;
        assert_eq!(inserted.expect("it is there"), is_new);
    }
    assert!(!writer.mirror_is_gone(&mirror()).await.expect("an answer"));
    let set = format!("update transcript set status = 'processing' where id = '{MIRROR}'");
    world.change(&set).await;
    let given = writer.give_participants(&original, &mirror()).await;
    assert!(given.expect("it is filled"));
    for is_there in [true, false] {
        let removed = writer.remove_mirror(&mirror()).await;
        assert_eq!(removed.expect("it is gone"), is_there);
    }
    assert!(writer.mirror_is_gone(&mirror()).await.expect("an answer"));
    assert_eq!(world.everything().await, before);
    world.remove().await;
}

#[tokio::test]
async fn participants_are_given_once_and_only_while_the_run_has_none() {
    let Some(mut world) = World::after("base").await else {
        return;
    };
    let (writer, original) = (world.writer(), transcript("base"));
    let inserted = writer.insert_mirror(&original, &mirror(), now()).await;
    assert!(inserted.expect("it is inserted"));
    let of = |status: &str, participants: &str| {
        format!(
            "update transcript set status = '{status}', participants = '{participants}'
             where id = '{MIRROR}'"
        )
    };
    for too_early_or_late in [
        of("idle", "[]"),
        of("ended", "[]"),
        of("processing", r#"[{"id": "own"}]"#),
    ] {
        world.change(&too_early_or_late).await;
        let before = world.everything().await;
        let given = writer.give_participants(&original, &mirror()).await;
        assert!(!given.expect("an answer"), "{too_early_or_late}");
        assert_eq!(world.everything().await, before);
    }

    world.change(&of("processing", "[]")).await;
    let given = writer.give_participants(&original, &mirror()).await;
    assert!(given.expect("an answer"));
    let expected = world.text(&original, "participants").await;
    assert_eq!(world.text(&mirror(), "participants").await, expected);
    let before = world.everything().await;
    let given = writer.give_participants(&original, &mirror()).await;
    assert!(given.expect("it has them"));
    assert_eq!(world.everything().await, before);
    world.remove().await;
}

#[tokio::test]
async fn an_original_without_participants_has_none_to_give() {
    for none in ["'[]'", "'null'", "null"] {
        let Some(mut world) = World::after("base").await else {
            return;
        };
        let (writer, original) = (world.writer(), transcript("base"));
        world
            .change(&format!("update transcript set participants = {none}"))
            .await;
        let inserted = writer.insert_mirror(&original, &mirror(), now()).await;
        assert!(inserted.expect("it is inserted"));
        let set = format!("update transcript set status = 'processing' where id = '{MIRROR}'");
        world.change(&set).await;
        let given = writer.give_participants(&original, &mirror()).await;
        assert!(given.expect("an answer"), "{none}");
        assert_eq!(
            world.row(&mirror()).await["participants"],
            Value::Array(vec![])
        );
        world.remove().await;
    }
}

#[tokio::test]
async fn a_users_transcript_is_neither_overwritten_nor_filled_nor_removed() {
    let Some(mut world) = World::after("base").await else {
        return;
    };
    let (writer, original) = (world.writer(), transcript("base"));
    world
        .change(&format!(
            "insert into transcript (id, source_kind, user_id, recording_id, status, participants)
             values ('ana', 'room', 'user-ana', null, 'processing', '[]'),
                 ('tied', 'room', '{MIRROR_USER}', 'r', 'processing', '[]')"
        ))
        .await;
    let before = world.everything().await;
    for id in ["ana", "tied", original.as_str()] {
        let id = id.into();
        let refused = |error: WriteError| matches!(error, WriteError::NotAMirror(_));
        assert!(writer.remove_mirror(&id).await.is_err_and(refused));
        let inserted = writer.insert_mirror(&original, &id, now()).await;
        assert!(inserted.is_err_and(refused));
        let given = writer.give_participants(&original, &id).await;
        assert!(!given.expect("an answer"));
    }
    assert_eq!(world.everything().await, before);
    world.remove().await;
}

#[tokio::test]
async fn a_mirror_of_nothing_is_not_made() {
    let Some(world) = World::after("base").await else {
        return;
    };
    let writer = world.writer();
    let made = writer.insert_mirror(&"gone".into(), &mirror(), now()).await;
    let is_gone = |error: WriteError| matches!(error, WriteError::NoTranscript(_));
    assert!(made.is_err_and(is_gone));
    world.remove().await;
}

#[tokio::test]
async fn a_run_counts_as_active_unless_it_is_the_one_that_asks() {
    let Some(mut world) = World::after("base").await else {
        return;
    };
    let (writer, id) = (world.writer(), transcript("base"));
    let active = writer.other_legacy_runs_active(&mirror()).await;
    assert!(!active.expect("an answer"), "all have ended");
    world
        .change("update transcript set status = 'processing'")
        .await;
    let active = writer.other_legacy_runs_active(&mirror()).await;
    assert!(active.expect("an answer"));
    let active = writer.other_legacy_runs_active(&id).await;
    assert!(!active.expect("an answer"));
    world.remove().await;
}
