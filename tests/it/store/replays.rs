//! Replays and their recordings are noted, and a run belongs to one of them.

use switchyard::{
    model::{Origin, RecordingId, RunId, TranscriptId, UsageKind},
    store::{ItemState, Replay, ReplayItem, ReplayState, Skipped, Store},
};

use super::samples::{at, control, new_run, staging, usage};
use crate::{database::Database, phases::about};

fn replay(id: &str) -> Replay {
    Replay {
        id: id.to_owned(),
        from: at(0),
        to: at(1000),
        room: Some("room".into()),
        at_most: 20,
        per_hour: 60,
        budget_usd: Some(2.5),
        anew: true,
        state: ReplayState::Finding,
        reason: String::new(),
        by_server: false,
        started_by: "ana".to_owned(),
        started_at: at(2000),
        ended_at: None,
    }
}

fn item(transcript: &str, place: i64) -> ReplayItem {
    ReplayItem {
        transcript: TranscriptId::new(transcript),
        recording: RecordingId::new(format!("recording-of-{transcript}")),
        place,
        state: ItemState::Waiting,
        control_id: None,
        run: None,
        skipped: None,
        verdict: None,
        started_at: None,
        ended_at: None,
    }
}

async fn begun(store: &Store, id: &str, items: &[ReplayItem]) {
    let (about, replay) = (about("staging"), replay(id));
    let written = store.insert_replay(&about, &replay, at(2000));
    written.await.expect("it is written");
    let begun = store.begin_replay(id, items, at(2001)).await;
    assert!(begun.expect("it is written"));
}

/// What a replay writes.
pub async fn write_replay(store: &Store) {
    begun(store, "rpl_1", &[item("t1", 1), item("t2", 2)]).await;
    let (transcript, second) = (TranscriptId::new("t1"), TranscriptId::new("t2"));
    let kept = store.insert_control(&control("ctl_replay")).await;
    kept.expect("it is kept");
    let mut run = new_run("run_replay", "recording-of-t1");
    run.origin = Origin::Replay;
    store.insert_run(&run, at(2002)).await.expect("a run");
    let noted = store.note_replay_control("rpl_1", &transcript, "ctl_replay");
    noted.await.expect("it is noted");
    let noted = store.note_replay_run("rpl_1", &transcript, &run.id, at(2003));
    assert!(noted.await.expect("it is noted"));
    let ended = store.end_replay_item("rpl_1", &transcript, Some("match"), at(2004));
    ended.await.expect("it ends");
    let skipped = store.skip_replay_item("rpl_1", &second, Skipped::Edited, at(2005));
    skipped.await.expect("it is skipped");
    let (about, bounds) = (about("staging"), (30, Some(1.5)));
    let bounded = store.bound_replay(&about, "rpl_1", bounds, "bo", at(2006));
    bounded.await.expect("it is bounded");
    let paused = store.pause_replay(&about, "rpl_1", "bo", at(2006)).await;
    assert!(paused.expect("it is paused"));
    let again = store.pause_replay(&about, "rpl_1", "bo", at(2006)).await;
    assert!(!again.expect("it is asked"), "only one under way is paused");
    let taken = store.take_up_replay(&about, "rpl_1", "bo", at(2006));
    taken.await.expect("it is taken up");
    let again = (ReplayState::Stopped, ReplayState::UnderWay);
    let moved = store.move_replay("rpl_1", again, "", at(2006)).await;
    assert!(moved.expect("it goes on"));
    let over = (ReplayState::UnderWay, ReplayState::Ended);
    assert!(
        store
            .move_replay("rpl_1", over, "", at(2007))
            .await
            .expect("it is over")
    );
}

pub async fn a_replay_is_read_as_it_was_written(database: &Database) {
    let store = database.store().await;
    let (about, new) = (about("staging"), replay("rpl_1"));
    let written = store.insert_replay(&about, &new, at(2000));
    written.await.expect("it is written");
    let found = store.replay(&staging(), "rpl_1").await.expect("a read");
    assert_eq!(found, Some(new.clone()));
    assert_eq!(store.replays(&staging(), 5).await.expect("a list"), [new]);
    let elsewhere = "production".into();
    assert_eq!(
        store.replay(&elsewhere, "rpl_1").await.expect("a read"),
        None
    );

    let mut skipped = item("gone", 2);
    skipped.state = ItemState::Skipped;
    skipped.skipped = Some(Skipped::AudioDeleted);
    skipped.ended_at = Some(at(5));
    let items = [item("t", 1), skipped];
    let begun = store.begin_replay("rpl_1", &items, at(6)).await;
    assert!(begun.expect("it is written"));
    let again = store.begin_replay("rpl_1", &[item("u", 3)], at(7)).await;
    assert!(!again.expect("an answer"), "it has its recordings");
    let found = store.replay_items("rpl_1").await.expect("a list");
    assert_eq!(found, items);
    for why in Skipped::ALL {
        assert_eq!(Skipped::parse(why.as_str()), Some(why));
    }
    store.close().await;
}

pub async fn a_run_belongs_to_one_recording_of_one_replay(database: &Database) {
    let store = database.store().await;
    begun(&store, "rpl_1", &[item("t", 1)]).await;
    begun(&store, "rpl_2", &[item("t", 1)]).await;
    let mut run = new_run("run_1", "recording-of-t");
    run.origin = Origin::Replay;
    store.insert_run(&run, at(1)).await.expect("a run");
    let recording = RecordingId::new("recording-of-t");
    let runs = store.runs_of_recording(&about("staging"), &recording).await;
    let runs = runs.expect("a list");
    assert_eq!(runs.len(), 1);
    assert!(!runs[0].is_noted && !runs[0].is_live && runs[0].origin == Origin::Replay);

    let transcript = TranscriptId::new("t");
    let id = RunId::new("run_1");
    let note = async |replay: &str| {
        let noted = store.note_replay_run(replay, &transcript, &id, at(2));
        noted.await.expect("an answer")
    };
    assert!(note("rpl_1").await);
    assert!(!note("rpl_1").await, "it does not wait any more");
    assert!(!note("rpl_2").await, "another has that run");
    let runs = store.runs_of_recording(&about("staging"), &recording).await;
    assert!(runs.expect("a list")[0].is_noted);

    let used = [usage(UsageKind::TokensIn, "m", 10.0)];
    for task in ["task-1", "task-2"] {
        let noted = store.note_usage(&run.id, "generate_title", task, &used);
        noted.await.expect("it is noted");
    }
    let used = store.usages_of_replay("rpl_1").await.expect("a list");
    assert_eq!(used.len(), 1);
    assert!((used[0].1.usage.amount - 20.0).abs() < 1e-9);
    assert!(
        store
            .usages_of_replay("rpl_2")
            .await
            .expect("a list")
            .is_empty()
    );
    store.close().await;
}

pub async fn a_replay_that_is_over_stays_so(database: &Database) {
    let store = database.store().await;
    begun(&store, "rpl_1", &[]).await;
    let about = about("staging");
    let cancel = async || {
        let cancelled = store.cancel_replay(&about, "rpl_1", "bo", at(3000));
        cancelled.await.expect("an answer")
    };
    assert!(cancel().await);
    assert!(!cancel().await);
    let over = (ReplayState::UnderWay, ReplayState::Ended);
    let moved = store.move_replay("rpl_1", over, "", at(3001)).await;
    assert!(!moved.expect("an answer"));
    let found = store.replay(&staging(), "rpl_1").await.expect("a read");
    let found = found.expect("it is there");
    assert_eq!(found.state, ReplayState::Cancelled);
    assert_eq!(found.ended_at, Some(at(3000)));
    let audit = store
        .recent_audit(&staging(), &super::samples::flag(), 5)
        .await;
    let actions: Vec<_> = audit
        .expect("a list")
        .into_iter()
        .map(|sealed| sealed.entry.action)
        .collect();
    assert_eq!(actions, ["replay_cancel", "replay"]);
    store.close().await;
}
