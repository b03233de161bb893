//! Providers and stores that fail: declared attempts, a clear end, and a resumed run that pays for
//! nothing twice.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use switchyard::{
    controller::{Again, Dispatched, candidate_outcome},
    model::{Participant, TaskName},
    sandbox::{Fault, FaultKind, Service},
    store::{Attempt, Run},
};

use crate::world::{REQUESTS, Setup, Track, World, short_tracks};

/// Attempts of every task that asks a provider: one, and `retryCount` more.
const ATTEMPTS: u32 = 4;

const fn status(status: u16) -> FaultKind {
    FaultKind::Status {
        status,
        retry_after: None,
        body: None,
    }
}

/// Every way a provider fails, with what is said of it.
fn failures() -> [(FaultKind, &'static str); 6] {
    let busy = FaultKind::Status {
        status: 429,
        retry_after: Some(1),
        body: None,
    };
    [
        (FaultKind::Hang, "no answer within 1.5 s"),
        (status(500), "failed on its side: status 500"),
        (busy, "too busy: status 429, asks to be left alone for 1 s"),
        (FaultKind::BrokenJson, "unusable answer: not JSON"),
        (FaultKind::Cut { after_bytes: 0 }, "connection failed"),
        (FaultKind::Cut { after_bytes: 150 }, "connection failed"),
    ]
}

/// The number of the last request to any provider so far.
fn mark(world: &World) -> u64 {
    let requests = world.sandbox.requests();
    requests.last().map_or(0, |request| request.n)
}

/// How often a provider was asked about what, since a mark.
fn asked(world: &World, service: Service, since: u64) -> BTreeMap<String, u32> {
    let mut asked = BTreeMap::new();
    for request in world.sandbox.requests_to(service) {
        if request.n > since {
            *asked.entry(request.about).or_default() += 1;
        }
    }
    asked
}

async fn attempts_at(world: &World, run: &Run, task_ref: &str) -> Vec<Attempt> {
    let mut attempts = world.attempts(&run.id).await;
    attempts.retain(|attempt| attempt.task_ref == task_ref);
    attempts
}

async fn reported(world: &World, run: &Run, task_ref: &str) -> Value {
    let output = world.store.output(&run.id, task_ref).await.expect("a read");
    output.expect("it was reported").output
}

async fn participants(world: &World, run: &Run) -> Vec<Participant> {
    let outcome = candidate_outcome(&world.store, run).await;
    outcome.expect("an outcome").participants
}

/// How many attempts there were at each task that has completed.
async fn done(world: &World, run: &Run) -> BTreeMap<String, usize> {
    let attempts = world.attempts(&run.id).await;
    let mut done = BTreeMap::new();
    for attempt in attempts.iter().filter(|one| one.status == "completed") {
        let of_task = |one: &&Attempt| one.task_ref == attempt.task_ref;
        let count = attempts.iter().filter(of_task).count();
        done.insert(attempt.task_ref.clone(), count);
    }
    done
}

/// Waits for something to be so.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        while !is_so().await {
            looks.tick().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(1), waiting).await;
    waited.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

/// Takes a failed run up again: it must complete, and nothing that had completed is done again.
async fn resumed(world: &World, failed: &Run) -> Run {
    let before = done(world, failed).await;
    let dispatched = world.dispatch(Again::Resume).await;
    assert_eq!(dispatched, Dispatched::Resumed(failed.id.clone()));
    let run = world.ended(&failed.id).await;
    assert_eq!(run.failure, None);
    let after = done(world, &run).await;
    for (task_ref, attempts) in before {
        assert_eq!(after[&task_ref], attempts, "`{task_ref}` was done again");
    }
    assert_eq!(after[TaskName::MixdownTracks.as_str()], 1);
    run
}

/// Legacy 3.1 and 3.2: a meeting is not lost because Daily does not answer.
async fn goes_on_without_daily(about: &str, step: TaskName, expected: &[&str]) {
    let world = World::start(Setup {
        tracks: Some(vec![Track::fixture(0, "mono_off0.webm")]),
        ..Setup::default()
    })
    .await;
    let lasting = failures().map(|(kind, cause)| (kind, cause, ATTEMPTS));
    let refusals = [
        (status(401), "refused: status 401; check the API key", 1),
        (status(404), "refused: status 404; check the URL", 1),
    ];
    for (kind, cause, attempts) in lasting.into_iter().chain(refusals) {
        let since = mark(&world);
        world
            .sandbox
            .fault(Fault::always(Service::Daily, kind).about(about));
        let run = world.completed(Again::Anew).await;
        world.sandbox.clear_faults();

        let trail = attempts_at(&world, &run, step.as_str()).await;
        let (last, failed) = trail.split_last().expect("there were attempts");
        assert_eq!(last.status, "completed");
        assert_eq!(trail.len(), attempts as usize, "{cause}");
        for attempt in failed {
            let told = attempt.cause.as_deref().unwrap_or_default();
            assert!(attempt.status == "failed" && told.contains(cause), "{told}");
        }
        let requests = if attempts == 1 {
            1
        } else {
            attempts * REQUESTS
        };
        assert_eq!(
            asked(&world, Service::Daily, since)[about],
            requests,
            "{cause}"
        );

        let output = reported(&world, &run, step.as_str()).await;
        let degraded = output["degraded"].as_str().expect("it says why");
        let begin = format!("{step}, attempt {attempts} of {ATTEMPTS}: daily: asking for ");
        assert!(
            degraded.starts_with(&begin) && degraded.contains(cause),
            "{degraded}"
        );
        let people = participants(&world, &run).await;
        let names: Vec<_> = people.iter().map(|person| person.name.as_str()).collect();
        assert_eq!(names, expected, "{cause}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_daily_does_not_describe_is_processed_without_participants() {
    goes_on_without_daily("recording", TaskName::GetRecording, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meeting_whose_participants_daily_does_not_list_has_numbered_speakers() {
    goes_on_without_daily("participants", TaskName::GetParticipants, &["Speaker 0"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_track_that_is_not_transcribed_fails_the_run_and_is_all_that_is_asked_again() {
    let world = World::start(Setup {
        tracks: Some(short_tracks()),
        ..Setup::default()
    })
    .await;
    for (kind, cause) in failures() {
        let since = mark(&world);
        world
            .sandbox
            .fault(Fault::always(Service::Transcription, kind).about("track 1"));
        let (run, failure) = world.failed(Again::Fresh).await;
        let begin = "transcribe_track_1, attempt 4: transcription: transcribing a track";
        assert!(
            failure.starts_with(begin) && failure.contains(cause),
            "{failure}"
        );
        let trail = attempts_at(&world, &run, "transcribe_track_1").await;
        assert_eq!(trail.len(), ATTEMPTS as usize);
        assert_no_url_is_told(&world, &run).await;

        world.sandbox.clear_faults();
        let run = resumed(&world, &run).await;
        let expected = [
            ("track 0", 1),
            ("track 1", ATTEMPTS * REQUESTS + 1),
            ("track 2", 1),
        ];
        let expected = expected.map(|(track, times)| (track.to_owned(), times));
        let found = asked(&world, Service::Transcription, since);
        assert_eq!(found, BTreeMap::from(expected), "{cause}");
        assert_eq!(participants(&world, &run).await.len(), 3);
    }
    world.end().await;
}

/// The URL of a padded track opens it to whoever reads it.
async fn assert_no_url_is_told(world: &World, run: &Run) {
    let id = run.workflow_id.as_ref().expect("it was started");
    let client = &world.shadow.client;
    let workflow = client.workflow(id, true).await.expect("it is there");
    let of_tasks = workflow.tasks.into_iter().flat_map(|task| {
        let output = Value::Object(task.output_data).to_string();
        [task.reason_for_incompletion, Some(output)]
    });
    let attempts = world.attempts(&run.id).await;
    let told = of_tasks
        .chain(attempts.into_iter().map(|attempt| attempt.cause))
        .chain([workflow.reason_for_incompletion, run.failure.clone()]);
    for text in told.flatten() {
        assert!(!text.contains("://") && !text.contains("X-Amz"), "{text}");
    }
}

/// The worker learns late that a run has failed, and goes on asking what it was asking.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_resumed_at_once_waits_for_answers_that_are_on_their_way() {
    let world = World::start(Setup {
        tracks: Some(short_tracks()),
        patience: Duration::from_mins(1),
        ..Setup::default()
    })
    .await;
    let late = Fault::always(Service::Transcription, FaultKind::Hang).times(1);
    world.sandbox.fault(late.about("track 2"));
    let refused = Fault::always(Service::Transcription, status(401)).times(1);
    world.sandbox.fault(refused.about("track 1"));
    let dispatched = world.dispatch(Again::Resume).await;
    until("track 2 is on its way", async || {
        asked(&world, Service::Transcription, 0).contains_key("track 2")
    })
    .await;
    let run = world.ended(dispatched.run()).await;
    let failure = run.failure.clone().unwrap_or_default();
    let cause = "transcribe_track_1, attempt 1: transcription: transcribing a track spoken in \
                 `en`: refused: status 401; check the API key";
    assert!(failure.starts_with(cause), "{failure}");

    world.dispatch(Again::Resume).await;
    until("track 2 is tried again", async || {
        attempts_at(&world, &run, "transcribe_track_2").await.len() == 2
    })
    .await;
    world.sandbox.release();
    let run = world.ended(&run.id).await;
    assert_eq!(run.failure, None);
    let expected = [("track 0", 1), ("track 1", 2), ("track 2", 1)];
    let expected = expected.map(|(track, times)| (track.to_owned(), times));
    let found = asked(&world, Service::Transcription, 0);
    assert_eq!(found, BTreeMap::from(expected));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transcription_that_fails_once_fails_no_run() {
    let world = World::start(Setup {
        tracks: Some(short_tracks()),
        ..Setup::default()
    })
    .await;
    // More than one attempt sends, so that the engine's retry is needed as well.
    let outage = Fault::always(Service::Transcription, status(503)).times(REQUESTS + 1);
    world.sandbox.fault(outage.about("track 2"));
    let run = world.completed(Again::Resume).await;
    let trail = attempts_at(&world, &run, "transcribe_track_2").await;
    assert_eq!(trail.len(), 2);
    assert_eq!(
        asked(&world, Service::Transcription, 0)["track 2"],
        REQUESTS + 2
    );
    world.end().await;
}

/// One question the model does not answer, in every way, at another place each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_fails_ends_the_run_and_no_question_is_asked_twice() {
    let world = World::start(Setup {
        tracks: Some(short_tracks()),
        ..Setup::default()
    })
    .await;
    world.completed(Again::Fresh).await;
    let usual = asked(&world, Service::Llm, 0);
    assert_eq!(usual.values().sum::<u32>(), 18);
    let places = [
        ("title", "generate_title"),
        ("topic.analysis 1", "detect_topics"),
        ("recap", "generate_summary"),
        ("topic.json 2", "detect_topics"),
        (
            "subject.detail Load test of the search service",
            "generate_summary",
        ),
        ("subject.paragraph Launch date", "generate_summary"),
    ];
    for ((kind, cause), (about, step)) in failures().into_iter().zip(places) {
        let since = mark(&world);
        world
            .sandbox
            .fault(Fault::always(Service::Llm, kind).about(about));
        let (run, failure) = world.failed(Again::Fresh).await;
        let begin = format!("{step}, attempt 4: llm: asking model `golden-model`: ");
        assert!(
            failure.starts_with(&begin) && failure.contains(cause),
            "{failure}"
        );

        world.sandbox.clear_faults();
        resumed(&world, &run).await;
        let mut expected = usual.clone();
        for (question, times) in &mut expected {
            if question.contains(about) {
                *times += ATTEMPTS * REQUESTS;
            }
        }
        assert_eq!(asked(&world, Service::Llm, since), expected, "{about}");
    }
    world.end().await;
}

/// An answer of the model in which nothing can be found.
fn chatter() -> FaultKind {
    let message = json!({"role": "assistant", "content": "I am afraid I cannot do that."});
    FaultKind::Status {
        status: 200,
        retry_after: None,
        body: Some(json!({"choices": [{"message": message, "finish_reason": "stop"}]})),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_the_model_never_puts_into_shape_ends_the_run_until_it_is_asked_again() {
    let world = World::start(Setup {
        tracks: Some(short_tracks()),
        ..Setup::default()
    })
    .await;
    let fault = Fault::always(Service::Llm, chatter()).about("topic.json 1");
    world.sandbox.fault(fault);
    let (run, failure) = world.failed(Again::Resume).await;
    assert_eq!(
        failure,
        "detect_topics, attempt 1: llm: none of 4 answers fits the form; the last: there is no \
         JSON object in it"
    );
    let before = asked(&world, Service::Llm, 0);
    assert_eq!(before["topic.json 1"], 4);

    world.sandbox.clear_faults();
    resumed(&world, &run).await;
    let after = asked(&world, Service::Llm, 0);
    assert_eq!(after["topic.json 1"], 5);
    for about in ["topic.analysis 0", "topic.json 0", "topic.analysis 1"] {
        assert_eq!(after[about], 1, "{about} was asked again");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_in_the_wrong_shape_is_repaired() {
    let world = World::start(Setup {
        tracks: Some(short_tracks()),
        ..Setup::default()
    })
    .await;
    world
        .sandbox
        .vary(Service::Llm, Some("invalid_answer"))
        .expect("a variant");
    let run = world.completed(Again::Resume).await;
    let asked = asked(&world, Service::Llm, 0);
    assert_eq!((asked["topic.analysis 1"], asked["topic.json 1"]), (1, 2));
    assert_eq!(attempts_at(&world, &run, "detect_topics").await.len(), 1);
    world.end().await;
}

/// Legacy 6.5: a summary without subjects is better than none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_finds_no_subjects_leaves_the_recap_alone() {
    let world = World::start(Setup {
        tracks: Some(short_tracks()),
        ..Setup::default()
    })
    .await;
    let faults = [
        ("subjects.json", chatter(), "none of 4 answers", 1, 4),
        (
            "subjects.analysis",
            status(500),
            "status 500",
            4,
            4 * REQUESTS,
        ),
        ("subjects.json", status(400), "status 400", 1, 1),
    ];
    for (about, kind, cause, attempts, requests) in faults {
        let since = mark(&world);
        world
            .sandbox
            .fault(Fault::always(Service::Llm, kind).about(about));
        let run = world.completed(Again::Fresh).await;
        world.sandbox.clear_faults();
        assert_eq!(asked(&world, Service::Llm, since)[about], requests);
        let trail = attempts_at(&world, &run, "generate_summary").await;
        assert_eq!(trail.len(), attempts);
        let output = reported(&world, &run, "generate_summary").await;
        assert_eq!(output["subject_count"], 0);
        let degraded = output["degraded"].as_str().expect("it says why");
        let begin = format!("generate_summary, attempt {attempts} of 4: llm: ");
        assert!(
            degraded.starts_with(&begin) && degraded.contains(cause),
            "{degraded}"
        );
        let outcome = candidate_outcome(&world.store, &run).await;
        let outcome = outcome.expect("an outcome");
        let recap = outcome.short_summary.expect("a recap");
        assert_eq!(
            outcome.long_summary,
            Some(format!("# Quick recap\n\n{recap}\n"))
        );
    }
    // What went missing for a moment is not missing for ever.
    let run = world.completed(Again::Fresh).await;
    let output = reported(&world, &run, "generate_summary").await;
    assert_eq!(
        (&output["subject_count"], &output["degraded"]),
        (&json!(4), &Value::Null)
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speakers_nobody_can_name_are_no_reason_to_fail() {
    let world = World::start(Setup {
        tracks: Some(short_tracks()),
        ..Setup::default()
    })
    .await;
    world
        .sandbox
        .fault(Fault::always(Service::Daily, status(404)));
    let fault = Fault::always(Service::Llm, status(400)).about("participants.analysis");
    world.sandbox.fault(fault);
    let run = world.completed(Again::Resume).await;
    let output = reported(&world, &run, "generate_summary").await;
    assert_eq!(output["subject_count"], 4);
    let degraded = output["degraded"].as_str().expect("it says why");
    assert!(degraded.contains("refused: status 400"), "{degraded}");
    assert_eq!(participants(&world, &run).await, []);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_outlives_an_object_store_that_is_away_for_a_while() {
    let world = World::start(Setup {
        tracks: Some(short_tracks()),
        ..Setup::default()
    })
    .await;
    world.cut_the_object_store_off();
    let dispatched = world.dispatch(Again::Resume).await;
    until("an attempt has failed", async || {
        let attempts = world.attempts(dispatched.run()).await;
        attempts.iter().any(|attempt| attempt.status == "failed")
    })
    .await;
    world.let_the_object_store_back();
    let run = world.ended(dispatched.run()).await;
    assert_eq!(run.failure, None);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_store_that_stays_away_fails_the_run_until_it_is_back() {
    let world = World::start(Setup {
        tracks: Some(short_tracks()),
        ..Setup::default()
    })
    .await;
    world.cut_the_object_store_off();
    let (run, failure) = world.failed(Again::Resume).await;
    let is_of_a_track = failure.starts_with("pad_track_")
        && failure.contains(", attempt 4: objects: reading `daily-recordings/example/standup/")
        && failure.contains("connection failed");
    assert!(is_of_a_track, "{failure}");
    world.let_the_object_store_back();
    resumed(&world, &run).await;
    assert_eq!(world.requests_to(Service::Daily), 2);
    world.end().await;
}

/// Restart without reprocessing: what is paid for depends on what the tracks hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_track_is_transcribed_again_and_the_others_are_not() {
    let world = World::start(Setup {
        tracks: Some(short_tracks()),
        ..Setup::default()
    })
    .await;
    world.completed(Again::Resume).await;

    let since = mark(&world);
    world.completed(Again::Anew).await;
    for service in [Service::Transcription, Service::Llm] {
        assert_eq!(
            asked(&world, service, since),
            BTreeMap::new(),
            "nothing changed"
        );
    }

    let since = mark(&world);
    let other = Track::fixture(1, "drift.webm");
    let (bucket, key) = (
        &world.subject.recording.bucket_name,
        &world.subject.track_keys[1],
    );
    let content = other.content.expect("a fixture has content");
    let put = world
        .objects
        .put_bytes(bucket, key, content, Some("video/webm"));
    put.await.expect("it is put");
    world.completed(Again::Anew).await;
    let transcribed = asked(&world, Service::Transcription, since);
    assert_eq!(transcribed, BTreeMap::from([("track 1".to_owned(), 1)]));
    // The words came out the same, so nothing that is made of them is asked for again.
    assert_eq!(asked(&world, Service::Llm, since), BTreeMap::new());
    world.end().await;
}
