use std::time::Duration;

use chrono::DateTime;
use serde_json::json;
use switchyard::{
    legacy::reflector::{Reflector, ReflectorError, TranscriptStatus, WhichPast},
    model::Outcome,
};

use super::world::{CASES, Columns, UI, World, recorded, rows, rows_at_dispatch, transcript};

#[tokio::test]
async fn subjects_are_read_from_rows_as_from_the_record() {
    for case in CASES {
        let Some(mut world) = World::fresh(Columns::All).await else {
            return;
        };
        world.fill(&rows_at_dispatch(case)).await;
        let expected = recorded(case).subject;
        let id = &expected.transcript.id;
        let subject = world.reflector.subject(id, None, &format!("{UI}/")).await;
        assert_eq!(subject.unwrap().as_ref(), Some(&expected), "{case}");
        world.remove().await;
    }
}

#[tokio::test]
async fn outcomes_are_read_from_rows_as_from_the_record() {
    for case in CASES {
        let Some(world) = World::after(case).await else {
            return;
        };
        let expected = Outcome {
            failure: None,
            published: Vec::new(),
            zulip: None,
            webhook: None,
            objects: Vec::new(),
            deleted: Vec::new(),
            steps: Vec::new(),
            usage: Vec::new(),
            ..recorded(case).outcome
        };
        let snapshot = world.reflector.snapshot(&transcript(case)).await.unwrap();
        let snapshot = snapshot.expect("it is over");
        assert_eq!(snapshot.outcome, expected, "{case}");
        assert!(!snapshot.edited, "{case}");
        world.remove().await;
    }
}

#[tokio::test]
async fn a_deployment_without_the_workflow_columns_is_read_the_same() {
    let Some(mut world) = World::fresh(Columns::WithoutWorkflows).await else {
        return;
    };
    world.fill(&rows("base", "db_after")).await;
    let id = transcript("base");
    let subject = world.reflector.subject(&id, None, UI).await.unwrap();
    assert_eq!(
        subject.unwrap().recording,
        recorded("base").subject.recording
    );
    assert!(world.reflector.snapshot(&id).await.unwrap().is_some());
    let check = world.reflector.check().await.unwrap();
    assert_eq!(check.faults, []);
    assert_eq!(check.schema.revision.as_deref(), Some("bbafedfa510c"));
    assert!(!check.schema.has_workflow_id && !check.schema.has_workflow_run_id);
    world.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_tasks_may_read_than_there_are_connections() {
    let Some(world) = World::after("base").await else {
        return;
    };
    let id = transcript("base");
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let (reflector, id) = (world.reflector.clone(), id.clone());
            tokio::spawn(async move {
                assert!(reflector.subject(&id, None, UI).await?.is_some());
                assert!(reflector.snapshot(&id).await?.is_some());
                assert!(reflector.status(&id).await?.is_some());
                assert!(reflector.check().await?.faults.is_empty());
                let which = WhichPast::since(DateTime::UNIX_EPOCH);
                reflector.past(&which, None, 1).await
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap().len(), 1);
    }
    world.remove().await;
}

#[tokio::test]
async fn what_people_edit_later_is_not_taken_for_the_runs_own() {
    let Some(mut world) = World::after("base").await else {
        return;
    };
    let id = transcript("base");
    world
        .change("update transcript set title = 'Renamed', short_summary = '', long_summary = null")
        .await;
    let snapshot = world.reflector.snapshot(&id).await.unwrap().unwrap();
    assert_eq!(snapshot.outcome.title, recorded("base").outcome.title);
    assert!(snapshot.outcome.long_summary.is_some() && !snapshot.edited);

    world
        .change(r#"update transcript set topics = replace(topics::text, '"speaker":0', '"speaker":7')::json"#)
        .await;
    let snapshot = world.reflector.snapshot(&id).await.unwrap().unwrap();
    assert!(snapshot.edited);
    world.remove().await;
}

#[tokio::test]
async fn a_run_that_is_not_over_has_no_outcome() {
    let Some(mut world) = World::after("base").await else {
        return;
    };
    let id = transcript("base");
    for (value, status) in [
        ("idle", TranscriptStatus::Idle),
        ("uploaded", TranscriptStatus::Uploaded),
        ("recording", TranscriptStatus::Recording),
        ("processing", TranscriptStatus::Processing),
        ("error", TranscriptStatus::Error),
        ("ended", TranscriptStatus::Ended),
    ] {
        world
            .change(&format!("update transcript set status = '{value}'"))
            .await;
        assert_eq!(world.reflector.status(&id).await.unwrap(), Some(status));
        let snapshot = world.reflector.snapshot(&id).await.unwrap();
        assert_eq!(snapshot.is_some(), status.is_over(), "{value}");
    }
    world.change("update transcript set status = 'odd'").await;
    let error = world.reflector.status(&id).await.unwrap_err();
    assert!(matches!(error, ReflectorError::Row(_)), "{error}");
    world.remove().await;
}

#[tokio::test]
async fn a_transcript_nobody_knows_is_nothing() {
    let Some(world) = World::fresh(Columns::All).await else {
        return;
    };
    let id = "00000000-0000-4000-8000-000000000000".into();
    let reflector = &world.reflector;
    assert_eq!(reflector.subject(&id, None, UI).await.unwrap(), None);
    assert_eq!(reflector.snapshot(&id).await.unwrap(), None);
    assert_eq!(reflector.status(&id).await.unwrap(), None);
    world.remove().await;
}

#[tokio::test]
async fn json_null_and_sql_null_are_the_same() {
    let Some(mut world) = World::fresh(Columns::All).await else {
        return;
    };
    world.fill(&rows_at_dispatch("base")).await;
    let id = transcript("base");
    let keys = ["a/b-cam-audio-1".to_owned()];
    let mut found = Vec::new();
    for null in ["null", "'null'"] {
        world
            .change(&format!(
                "update recording set track_keys = {null};
                 update transcript set participants = {null}, events = {null}, topics = {null};
                 update meeting set calendar_metadata = {null}"
            ))
            .await;
        let subject = world.reflector.subject(&id, Some(&keys), UI).await;
        let subject = subject.unwrap().unwrap();
        assert!(subject.recording.track_keys.is_empty());
        assert!(subject.transcript.participants.is_empty());
        assert_eq!(subject.track_keys, keys);
        found.push(subject);

        world.change("update transcript set status = 'error'").await;
        let snapshot = world.reflector.snapshot(&id).await.unwrap().unwrap();
        assert!(snapshot.outcome.events.is_empty() && snapshot.outcome.topics.is_empty());
    }
    assert_eq!(found[0], found[1]);
    world.remove().await;
}

#[tokio::test]
async fn times_are_told_as_python_prints_them_whatever_the_servers_zone() {
    let Some(mut world) = World::fresh(Columns::All).await else {
        return;
    };
    let mut tables = rows_at_dispatch("base");
    tables["transcript"][0]["created_at"] = json!("2026-01-02T03:04:05.5+02:00");
    tables["meeting"][0]["calendar_event_id"] = json!("event-1");
    tables["calendar_event"] = json!([{
        "id": "event-1", "room_id": tables["room"][0]["id"], "ics_uid": "uid-1",
        "title": "Standup", "start_time": "2026-01-02T03:00:00+02:00",
        "end_time": "2026-01-02T04:00:00.25Z", "attendees": [{ "email": "ana@example.test" }],
        "last_synced": "2026-01-02T00:00:00Z", "created_at": "2026-01-02T00:00:00Z",
        "updated_at": "2026-01-02T00:00:00Z", "is_deleted": false
    }]);
    world.fill(&tables).await;
    let zone = format!(
        "alter role {0} set timezone = 'Asia/Kolkata'; alter role {0} set datestyle = 'German'",
        world.reader
    );
    world.change(&zone).await;
    let subject = world
        .reflector
        .subject(&transcript("base"), None, UI)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        subject.transcript.created_at,
        "2026-01-02T01:04:05.500000+00:00"
    );
    let event = subject.calendar_event.unwrap();
    assert_eq!(
        event.start_time.as_deref(),
        Some("2026-01-02T01:00:00+00:00")
    );
    assert_eq!(
        event.end_time.as_deref(),
        Some("2026-01-02T04:00:00.250000+00:00")
    );
    assert_eq!(
        event.attendees,
        Some(json!([{ "email": "ana@example.test" }]))
    );
    world.remove().await;
}

#[tokio::test]
async fn consents_are_the_recordings_and_rows_that_are_gone_are_no_rows() {
    let Some(mut world) = World::fresh(Columns::All).await else {
        return;
    };
    world.fill(&rows_at_dispatch("consent_denied")).await;
    let id = transcript("consent_denied");
    world
        .change("update transcript set meeting_id = 'gone', room_id = 'gone'")
        .await;
    let subject = world.reflector.subject(&id, None, UI).await;
    let subject = subject.unwrap().unwrap();
    assert_eq!(subject.consents.len(), 3);
    assert_eq!(subject.room, None);
    assert_eq!(subject.calendar_event, None);

    for gone in ["'gone'", "null"] {
        world
            .change(&format!("update transcript set recording_id = {gone}"))
            .await;
        let error = world.reflector.subject(&id, None, UI).await.unwrap_err();
        assert!(matches!(error, ReflectorError::NoRecording(_)), "{error}");
    }
    world.remove().await;
}

#[tokio::test]
async fn past_recordings_are_listed_oldest_first_and_page_by_page() {
    let Some(mut world) = World::fresh(Columns::All).await else {
        return;
    };
    world.fill(&rows("base", "db_after")).await;
    // Copies: three at the same moment, one later, and some that are no past recordings.
    world
        .change(
            "create temp table copies as select * from (values
                ('b', 'ended', 0), ('c', 'ended', 0), ('a', 'ended', 0), ('d', 'ended', 1),
                ('e', 'error', 0), ('f', 'processing', 0)) v (id, status, minutes);
             insert into transcript (id, status, created_at, duration, source_kind, recording_id)
             select c.id, c.status, '2027-01-01'::timestamptz + c.minutes * interval '1 minute',
                 1000, 'room', t.recording_id from copies c, transcript t;
             insert into recording (id, bucket_name, object_key, recorded_at, track_keys) values
                 ('file', 'b', 'k', now(), 'null'), ('mute', 'b', 'k', now(), '[]');
             insert into transcript (id, status, created_at, source_kind, recording_id) values
                 ('g', 'ended', '2027-01-01', 'room', 'file'),
                 ('h', 'ended', '2027-01-01', 'room', 'mute'),
                 ('i', 'ended', '2027-01-01', 'file', null)",
        )
        .await;
    let from = DateTime::parse_from_rfc3339("2026-12-31T00:00:00Z");
    let from = from.unwrap().to_utc();
    let mut found = Vec::new();
    loop {
        let which = WhichPast::since(from);
        let page = world.reflector.past(&which, found.last(), 2).await.unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    let ids: Vec<_> = found.iter().map(|past| past.transcript.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c", "d"]);
    assert_eq!(found[0].recording, recorded("base").subject.recording.id);
    assert_eq!(found[0].duration_ms, Some(1000.0));
    assert_eq!(found[0].room, None);

    let mut which = WhichPast::since(from);
    which.to = Some(found[3].created_at);
    let found = world.reflector.past(&which, None, 9).await.unwrap();
    let ids: Vec<_> = found.iter().map(|past| past.transcript.as_str()).collect();
    assert_eq!(
        ids,
        ["a", "b", "c"],
        "up to a time, which is not among them"
    );
    which.room = Some("no such room".into());
    assert_eq!(world.reflector.past(&which, None, 9).await.unwrap(), []);
    world.remove().await;
}

#[tokio::test]
async fn a_role_that_may_write_still_changes_nothing() {
    let Some(mut world) = World::after("base").await else {
        return;
    };
    let before = world.everything().await;
    let reflector = Reflector::open(&world.database.url).unwrap();
    let id = transcript("base");
    assert!(reflector.subject(&id, None, UI).await.unwrap().is_some());
    assert!(reflector.snapshot(&id).await.unwrap().is_some());
    assert!(reflector.status(&id).await.unwrap().is_some());
    assert!(reflector.check().await.unwrap().may_write);
    let all = WhichPast::since(DateTime::UNIX_EPOCH);
    assert_eq!(reflector.past(&all, None, 9).await.unwrap().len(), 1);
    assert_eq!(world.everything().await, before);
    reflector.close().await;
    world.remove().await;
}

#[tokio::test]
async fn postgresql_itself_keeps_our_reads_from_writing() {
    let Some(mut world) = World::after("base").await else {
        return;
    };
    // A table that writes when it is read.
    world
        .change(
            "create table trapped (id int);
             create function trap() returns boolean language plpgsql as
                 'begin insert into trapped values (1); return true; end';
             alter table transcript rename to real_transcript;
             create view transcript as select * from real_transcript where trap()",
        )
        .await;
    let reflector = Reflector::open(&world.database.url).unwrap();
    let error = reflector.status(&transcript("base")).await.unwrap_err();
    assert!(matches!(error, ReflectorError::Refused { .. }), "{error}");
    let error = format!("{:#}", anyhow::Error::from(error));
    assert!(error.contains("read-only transaction"), "{error}");
    reflector.close().await;
    world.remove().await;
}

#[tokio::test]
async fn a_table_somebody_locks_is_not_waited_for_long() {
    let Some(mut world) = World::after("base").await else {
        return;
    };
    world
        .change("begin; lock table transcript in access exclusive mode")
        .await;
    let id = transcript("base");
    let status = world.reflector.status(&id);
    let status = tokio::time::timeout(Duration::from_secs(10), status).await;
    let error = status.expect("it gives up").unwrap_err();
    assert!(matches!(error, ReflectorError::Slow { .. }), "{error}");
    world.change("rollback").await;
    assert!(world.reflector.status(&id).await.is_ok());
    world.remove().await;
}
