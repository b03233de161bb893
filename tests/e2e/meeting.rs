//! The bundled meeting, from dispatch to verdict.

use std::collections::BTreeMap;

use switchyard::{
    compare::{FieldVerdict, Verdict},
    controller::{Again, Dispatched, candidate_outcome},
    model::{Outcome, TaskName},
    report::ReportData,
    sandbox::Service,
};

use crate::world::{Setup, World, short_tracks};

fn verdicts(report: &ReportData) -> BTreeMap<String, FieldVerdict> {
    let fields = &report.comparison.fields;
    fields
        .iter()
        .map(|field| (field.field.to_string(), field.verdict))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_candidate_makes_of_the_meeting_what_the_control_made() {
    let world = World::start(Setup::default()).await;
    let run = world.completed(Again::Resume).await;
    let report = world.compared(&run).await;
    for field in &report.comparison.fields {
        assert_ne!(
            field.verdict,
            FieldVerdict::Differs,
            "{}: {} {:?}",
            field.field,
            field.reason,
            field.differences
        );
    }
    assert_eq!(report.comparison.verdict, Verdict::WithinNoise);
    let exact = [
        "words",
        "topics_count",
        "topics_titles",
        "title",
        "short_summary",
        "long_summary",
        "webvtt",
        "participants",
        "zulip",
        "objects",
    ];
    let found = verdicts(&report);
    for field in exact {
        assert_eq!(
            found.get(field),
            Some(&FieldVerdict::Match),
            "{field}: {found:?}"
        );
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_number_in_a_summary_is_never_a_match() {
    let world = World::start(Setup {
        answers: "providers-second-draw",
        ..Setup::default()
    })
    .await;
    let run = world.completed(Again::Resume).await;
    let report = world.compared(&run).await;
    assert_eq!(report.comparison.verdict, Verdict::Differs);
    assert_eq!(verdicts(&report)["long_summary"], FieldVerdict::Differs);
    world.end().await;
}

/// Promise 1: in shadow nothing outside our rows, our prefix and read calls happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shadow_run_shows_nothing_to_anybody() {
    let world = World::start(Setup {
        case: "consent_denied",
        tracks: Some(short_tracks()),
        ..Setup::default()
    })
    .await;
    let before = world.all_objects().await;
    let run = world.completed(Again::Resume).await;
    let prefix = format!("shadow/{}/", run.id);
    let (own, others): (Vec<_>, Vec<_>) = world
        .all_objects()
        .await
        .into_iter()
        .partition(|object| object.key.starts_with(&prefix));
    assert_eq!(
        others, before,
        "something outside the run's prefix has changed"
    );
    // Somebody denied consent: the run's own copy of the audio is gone too.
    assert_eq!(own, []);
    assert_eq!(world.requests_to(Service::Zulip), 0);
    assert_eq!(world.requests_to(Service::Webhook), 0);
    for request in world.sandbox.requests_to(Service::Daily) {
        assert_eq!(request.method, "GET");
    }
    let outcome = candidate_outcome(&world.store, &run)
        .await
        .expect("an outcome");
    assert!(outcome.audio_deleted && !outcome.deleted.is_empty());
    assert!(outcome.zulip.is_some() && outcome.webhook.is_some());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_ran_is_left_alone_unless_it_is_wanted_again() {
    let world = World::start(Setup {
        tracks: Some(short_tracks()),
        ..Setup::default()
    })
    .await;
    let run = world.completed(Again::Resume).await;
    let (gpu, llm) = (
        world.requests_to(Service::Transcription),
        world.requests_to(Service::Llm),
    );
    assert_eq!(
        world.dispatch(Again::Resume).await,
        Dispatched::Finished(run.id.clone())
    );
    let anew = world.completed(Again::Anew).await;
    assert_eq!((anew.generation, run.generation), (2, 1));
    assert_eq!(
        world.requests_to(Service::Transcription),
        gpu,
        "the same audio was paid for twice"
    );
    assert_eq!(
        world.requests_to(Service::Llm),
        llm,
        "the same question was paid for twice"
    );
    let fresh = world.completed(Again::Fresh).await;
    assert_eq!(fresh.generation, 3);
    assert_eq!(world.requests_to(Service::Transcription), 2 * gpu);
    assert_eq!(world.requests_to(Service::Llm), 2 * llm);
    world.end().await;
}

/// Two people dispatch the same recording at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dispatching_twice_at_once_starts_one_run() {
    let world = World::start(Setup {
        tracks: Some(short_tracks()),
        ..Setup::default()
    })
    .await;
    let (one, other) = tokio::join!(world.dispatch(Again::Resume), world.dispatch(Again::Resume));
    assert_eq!(one.run(), other.run());
    world.ended(one.run()).await;
    let attempts = world.attempts(one.run()).await;
    let mixed = attempts
        .iter()
        .filter(|attempt| attempt.task_name == TaskName::MixdownTracks.as_str());
    assert_eq!(mixed.count(), 1);
    world.end().await;
}

/// What may differ between two runs of the same recording: ids, and the times things took.
fn comparable(mut outcome: Outcome) -> Outcome {
    outcome.steps.clear();
    outcome.usage.clear();
    for topic in &mut outcome.topics {
        topic.id = String::new();
    }
    for event in outcome
        .events
        .iter_mut()
        .filter(|event| event.event == "TOPIC")
    {
        event.data["id"] = serde_json::Value::Null;
    }
    // Title and summaries are made side by side, and either may be told first.
    outcome
        .events
        .sort_by(|one, other| one.event.cmp(&other.event));
    outcome.published.clear();
    outcome.webhook = None;
    outcome
}

/// Promise 7: the same result whichever engine is behind the wire.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_conductor_gives_the_same_outcome_as_the_embedded_engine() {
    let Ok(url) = std::env::var("SWITCHYARD_TEST_CONDUCTOR") else {
        eprintln!("skipped: SWITCHYARD_TEST_CONDUCTOR names no server");
        return;
    };
    let mut outcomes = Vec::new();
    for conductor in [None, Some(url.parse().expect("it is a URL"))] {
        let world = World::start(Setup {
            conductor,
            ..Setup::default()
        })
        .await;
        let run = world.completed(Again::Resume).await;
        let outcome = candidate_outcome(&world.store, &run).await;
        outcomes.push(comparable(outcome.expect("an outcome")));
        world.end().await;
    }
    assert_eq!(outcomes[0], outcomes[1]);
}
