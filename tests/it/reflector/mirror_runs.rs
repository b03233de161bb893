//! The legacy runs a recording a second time, out of sight, and nothing of that is left.

mod by_itself;
mod miniature;
mod site;

use std::time::Duration;

use serde_json::json;
use switchyard::{
    app::FROM_MIRROR,
    compare::{Comparison, Field, FieldVerdict},
    model::TranscriptId,
    store::{Mirror, MirrorOutcome, MirrorState},
};
use tokio_util::sync::CancellationToken;

use self::site::{BUCKETS, Ending, Site, Worker};
use super::world::transcript;

/// A site, or the end of the test where a server is missing.
macro_rules! site {
    () => {
        match Site::after_a_run().await {
            Some(site) => site,
            None => return,
        }
    };
}

fn original() -> TranscriptId {
    transcript("base")
}

/// Nobody stops it.
fn never() -> CancellationToken {
    CancellationToken::new()
}

async fn run(site: &Site) -> anyhow::Result<Mirror> {
    site.mirrors().run(&original(), &never()).await
}

fn comparison(mirror: &Mirror) -> Comparison {
    let comparison = mirror.comparison.clone().expect("it was compared");
    serde_json::from_value(comparison).expect("it reads back")
}

const ANOTHER_RUN: &str = "insert into transcript (id, status, created_at, source_kind)
    values ('another', 'processing', '2026-01-01T00:00:00Z', 'room')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_measures_the_control_and_leaves_nothing() {
    let mut site = site!();
    site.put_mix().await;
    let before = site.outside().await;
    let worker = Worker::new(&site, Ending::AsRecorded).await.start();
    let mirror = run(&site).await.expect("it ends");
    assert_eq!(mirror.state, MirrorState::Removed);
    assert_eq!(
        mirror.outcome,
        Some(MirrorOutcome::Compared),
        "{:?}",
        mirror.reason
    );
    assert_eq!(mirror.verdict.as_deref(), Some("match"));
    let fields = comparison(&mirror).fields;
    let measured = |field| fields.iter().any(|result| result.field == field);
    assert!(measured(Field::LongSummary) && measured(Field::Audio));
    assert!(!measured(Field::Zulip) && !measured(Field::Webhook));
    let control = mirror.control_id.as_deref().expect("it was kept");
    let control = site.app.store.control(control).await.expect("a read");
    let control = control.expect("it is there");
    assert_eq!(control.source, FROM_MIRROR);
    assert_eq!(control.outcome.participants.len(), 3);
    assert_eq!(site.outside().await, before);
    assert_eq!(site.mirror().await, mirror);
    assert_eq!(worker.runs(), 1);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_control_does_otherwise_the_second_time_is_named() {
    let site = site!();
    let _worker = Worker::new(&site, Ending::Reworded).await.start();
    let mirror = run(&site).await.expect("it ends");
    assert_eq!(
        mirror.outcome,
        Some(MirrorOutcome::Compared),
        "{:?}",
        mirror.reason
    );
    let comparison = comparison(&mirror);
    let title = comparison.field(Field::Title).expect("it is measured");
    assert_ne!(title.verdict, FieldVerdict::Match);
    let words = comparison.field(Field::Words).expect("it is measured");
    assert_eq!(words.verdict, FieldVerdict::Match);
    site.remove().await;
}

/// Whoever does a step dies after it, or before it could note it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_that_dies_at_any_step_is_finished_by_the_next_process() {
    let mut site = site!();
    let before = site.outside().await;
    let worker = Worker::new(&site, Ending::AsRecorded).await.start();
    for (died, state) in MirrorState::ALL[..5].iter().enumerate() {
        for was_noted in [true, false] {
            let mirrors = site.mirrors();
            let mut mirror = mirrors.plan(&original()).await.expect("it is planned");
            let mut seen = MirrorState::Planned;
            while mirror.state < *state {
                seen = mirror.state;
                let done = mirrors.step(&mut mirror, &never()).await;
                done.expect("a step");
            }
            drop(mirrors);
            if !was_noted {
                let id = &mirror.transcript;
                let unnoted = format!(
                    "update mirrors set state = '{}', outcome = null where mirror_transcript_id = '{id}'",
                    seen.as_str()
                );
                site.change(&unnoted).await;
            }
            site.later();
            let finished = run(&site).await.expect("it ends");
            assert_eq!(finished.transcript, mirror.transcript);
            assert_eq!(finished.outcome, Some(MirrorOutcome::Compared), "{state:?}");
            assert_eq!(site.outside().await, before, "{state:?} noted {was_noted}");
            let mirrors_so_far = 2 * died + usize::from(!was_noted) + 1;
            assert_eq!(worker.runs(), mirrors_so_far, "{state:?} noted {was_noted}");
        }
    }
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removing_twice_is_harmless() {
    let mut site = site!();
    let before = site.outside().await;
    let _worker = Worker::new(&site, Ending::AsRecorded).await.start();
    run(&site).await.expect("it ends");
    site.change("update mirrors set state = 'compared'").await;
    site.later();
    let again = site.mirrors().clean_up(&never()).await.expect("it ends");
    assert_eq!(again.expect("one was left").state, MirrorState::Removed);
    assert_eq!(site.outside().await, before);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_mirror_begins_while_another_run_is_active() {
    let mut site = site!();
    site.world.change(ANOTHER_RUN).await;
    let before = site.outside().await;
    let refused = run(&site).await.expect_err("it is refused").to_string();
    assert!(refused.contains("at work on `another`"), "{refused}");
    assert!(refused.contains("more than a day ago"), "{refused}");
    assert_eq!(site.outside().await, before);
    let mirrors = site.app.store.mirrors(&site.app.name, 1).await;
    assert!(mirrors.expect("a list").is_empty());
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_begins_before_the_mirror_s_goes_first() {
    let mut site = site!();
    let mirrors = site.mirrors();
    let mut mirror = mirrors.plan(&original()).await.expect("it is planned");
    mirrors.step(&mut mirror, &never()).await.expect("a step");
    assert_eq!(mirror.state, MirrorState::Inserted);
    drop(mirrors);
    site.world.change(ANOTHER_RUN).await;
    site.later();
    let mirror = run(&site).await.expect("it ends");
    assert_eq!(mirror.outcome, Some(MirrorOutcome::Refused));
    assert_eq!(mirror.state, MirrorState::Removed);
    assert!(site.redis.keys().await.is_empty());
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_that_ends_in_error_is_reported_and_removed() {
    let mut site = site!();
    let before = site.outside().await;
    let _worker = Worker::new(&site, Ending::Error).await.start();
    let mirror = run(&site).await.expect("it ends");
    assert_eq!(mirror.outcome, Some(MirrorOutcome::Failed));
    let reason = mirror.reason.expect("a reason");
    assert_eq!(reason, "the legacy run ended in `error` (HTTPError)");
    assert_eq!(site.outside().await, before);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_without_the_original_s_participants_measures_nothing() {
    let mut site = site!();
    let before = site.outside().await;
    let mirrors = site.mirrors();
    let mut mirror = mirrors.plan(&original()).await.expect("it is planned");
    while mirror.state != MirrorState::Dispatched {
        mirrors.step(&mut mirror, &never()).await.expect("a step");
    }
    // Nobody watches while the worker is at it.
    let worker = Worker::new(&site, Ending::WithoutParticipants).await;
    let message = worker.take().await;
    worker.work(&message).await;
    drop(mirrors);
    site.later();
    let mirror = run(&site).await.expect("it ends");
    assert_eq!(mirror.outcome, Some(MirrorOutcome::NotComparable));
    assert_eq!(mirror.verdict, None);
    assert_eq!(site.outside().await, before);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_no_worker_takes_is_withdrawn() {
    let mut site = site!();
    let before = site.outside().await;
    let mirrors = site.mirrors_within(Duration::ZERO);
    let mirror = mirrors.run(&original(), &never()).await.expect("it ends");
    assert_eq!(mirror.outcome, Some(MirrorOutcome::TimedOut));
    let reason = mirror.reason.expect("a reason");
    assert!(
        reason.contains("no legacy worker took the task"),
        "{reason}"
    );
    assert_eq!(site.outside().await, before);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_never_answers_is_waited_for_until_it_can_leave_nothing() {
    let mut site = site!();
    let before = site.outside().await;
    let mirrors = site.mirrors();
    let mut mirror = mirrors.plan(&original()).await.expect("it is planned");
    while mirror.state != MirrorState::Dispatched {
        mirrors.step(&mut mirror, &never()).await.expect("a step");
    }
    drop(mirrors);
    let worker = Worker::new(&site, Ending::AsRecorded).await;
    let message = worker.take().await;
    site.later();
    let hanging = site.mirrors_within(Duration::ZERO);
    let left = hanging.run(&original(), &never()).await;
    let left = format!("{:#}", left.expect_err("it is not over"));
    assert!(left.contains("still holds Celery task"), "{left}");
    assert_eq!(site.mirror().await.outcome, Some(MirrorOutcome::TimedOut));
    // It may not begin another one meanwhile.
    let other = site.mirrors().run(&"other".into(), &never()).await;
    let other = other.expect_err("it is refused").to_string();
    assert!(other.contains("is not finished"), "{other}");

    // The row is gone, so the worker's run fails; what it put before is found.
    let key = format!("{}/audio.mp3", mirror.transcript);
    site.put(BUCKETS[0], &key, b"late".to_vec()).await;
    let failed = json!({"exc_type": "NotFound", "exc_message": [], "exc_module": "x"});
    worker.store(message.id(), "FAILURE", &failed, None).await;
    let cleaned = site.mirrors().clean_up(&never()).await.expect("it ends");
    assert_eq!(cleaned.expect("one was left").state, MirrorState::Removed);
    assert_eq!(site.outside().await, before);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cleaning_up_takes_back_what_no_worker_has_begun() {
    let mut site = site!();
    let before = site.outside().await;
    for state in [
        MirrorState::Planned,
        MirrorState::Inserted,
        MirrorState::Dispatched,
    ] {
        let mirrors = site.mirrors();
        let mut mirror = mirrors.plan(&original()).await.expect("it is planned");
        while mirror.state != state {
            mirrors.step(&mut mirror, &never()).await.expect("a step");
        }
        drop(mirrors);
        let expected = usize::from(state == MirrorState::Dispatched);
        assert_eq!(site.queued().await.len(), expected);
        let held = site.mirrors().clean_up(&never()).await;
        let held = format!("{:#}", held.expect_err("somebody may be at it"));
        assert!(held.contains("another process is at work"), "{held}");
        site.later();
        let cleaned = site.mirrors().clean_up(&never()).await.expect("it ends");
        let cleaned = cleaned.expect("one was left");
        assert_eq!(cleaned.outcome, Some(MirrorOutcome::Abandoned), "{state:?}");
        assert_eq!(site.outside().await, before, "{state:?}");
    }
    let none = site.mirrors().clean_up(&never()).await.expect("an answer");
    assert_eq!(none, None);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transcript_that_is_no_mirror_is_never_touched() {
    let mut site = site!();
    let mirrors = site.mirrors();
    mirrors.plan(&original()).await.expect("it is planned");
    drop(mirrors);
    let id = original();
    let lie = format!("update mirrors set mirror_transcript_id = '{id}', state = 'compared'");
    site.change(&lie).await;
    site.later();
    let before = site.outside().await;
    let refused = site.mirrors().clean_up(&never()).await;
    let refused = format!("{:#}", refused.expect_err("it is refused"));
    assert!(refused.contains("is no mirror of ours"), "{refused}");
    assert_eq!(site.outside().await, before);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_whose_tracks_are_gone_is_not_mirrored() {
    let mut site = site!();
    for object in site.objects.list(BUCKETS[1], "").await.expect("a list") {
        let deleted = site.objects.delete(BUCKETS[1], &object.key).await;
        deleted.expect("it is deleted");
    }
    let refused = run(&site).await.expect_err("it is refused").to_string();
    assert!(refused.contains("is no longer in bucket"), "{refused}");
    site.world
        .change("update transcript set audio_deleted = true")
        .await;
    let refused = run(&site).await.expect_err("it is refused").to_string();
    assert!(refused.contains("was deleted"), "{refused}");
    site.world
        .change("update transcript set audio_deleted = null")
        .await;
    assert_eq!(site.queued().await, Vec::<String>::new());
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ended_in_error_is_not_mirrored() {
    let mut site = site!();
    site.world
        .change("update transcript set status = 'error'")
        .await;
    let refused = run(&site).await.expect_err("it is refused").to_string();
    assert!(refused.contains("ended in `error`"), "{refused}");
    assert_eq!(site.queued().await, Vec::<String>::new());
    site.remove().await;
}
