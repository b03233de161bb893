//! The recorded cases: the candidate on what the control was seen to do, field by field.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use switchyard::{
    compare::{Comparison, FieldVerdict, Verdict},
    controller::{Again, candidate_outcome},
    model::RunState,
    sandbox::{Fault, FaultKind, Service},
};

use crate::world::{Setup, World, fixtures, short_tracks};

async fn world_of(case: &'static str) -> World {
    let world = World::start(Setup {
        case,
        ..Setup::default()
    })
    .await;
    // Each case has a recording id of its own, and all are the same meeting.
    world
        .sandbox
        .vary(Service::Daily, Some("any_recording"))
        .expect("a variant");
    world
}

async fn compared(world: &World) -> Comparison {
    let run = world.completed(Again::Resume).await;
    world.compared(&run).await.comparison
}

fn reasons(comparison: &Comparison, verdict: FieldVerdict) -> BTreeMap<String, String> {
    let fields = comparison.fields.iter();
    fields
        .filter(|field| field.verdict == verdict)
        .map(|field| (field.field.to_string(), field.reason.clone()))
        .collect()
}

/// Everything agrees but the mix, of which only `base` kept the control's.
fn assert_agrees_but_for_the_lost_mix(comparison: &Comparison) {
    assert_eq!(
        reasons(comparison, FieldVerdict::Differs),
        BTreeMap::default()
    );
    let lost = (
        "audio".to_owned(),
        "the control's mix was not read".to_owned(),
    );
    assert_eq!(
        reasons(comparison, FieldVerdict::NotComparable),
        BTreeMap::from([lost])
    );
    assert_eq!(comparison.verdict, Verdict::NotComparable);
}

fn answering(body: Value) -> FaultKind {
    FaultKind::Status {
        status: 200,
        retry_after: None,
        body: Some(body),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meeting_without_a_word_ends_without_title_and_summaries() {
    let world = world_of("all_tracks_wordless").await;
    let silence = answering(json!({"text": "", "words": []}));
    world
        .sandbox
        .fault(Fault::always(Service::Transcription, silence));
    let run = world.completed(Again::Resume).await;
    let outcome = candidate_outcome(&world.store, &run)
        .await
        .expect("an outcome");
    let texts = [
        &outcome.title,
        &outcome.short_summary,
        &outcome.long_summary,
    ];
    assert_eq!(texts, [&None; 3]);
    assert_eq!((outcome.words, outcome.topics), (Vec::new(), Vec::new()));
    assert_eq!(outcome.webvtt.as_deref(), Some("WEBVTT\n"));
    assert_eq!(world.requests_to(Service::Llm), 0);
    let zulip = outcome.zulip.expect("a message").body;
    assert!(zulip.contains("Unnamed+recording"), "{zulip}");
    assert_agrees_but_for_the_lost_mix(&world.compared(&run).await.comparison);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denied_consent_takes_away_what_the_control_took_away() {
    let world = world_of("consent_denied").await;
    // In this case the control was given one answer for all topics.
    let calls = fixtures().join("standup/expected/consent_denied/llm_calls.json");
    let calls = std::fs::read(calls).expect("it is there");
    let calls: Value = serde_json::from_slice(&calls).expect("JSON");
    let mut calls = calls["calls"].as_array().expect("a list").iter();
    let topic = calls.find(|call| call["kind"] == "topic.json");
    let message = json!({"content": topic.expect("it was asked")["answer"]});
    let answer = answering(json!({"choices": [{"message": message}]}));
    world
        .sandbox
        .fault(Fault::always(Service::Llm, answer).about("topic.json"));
    assert_agrees_but_for_the_lost_mix(&compared(&world).await);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_track_and_a_repaired_answer_make_what_the_control_made() {
    let world = world_of("silent_track").await;
    let variants = [
        (Service::Transcription, "silent"),
        (Service::Llm, "invalid_answer"),
    ];
    for (service, variant) in variants {
        let varied = world.sandbox.vary(service, Some(variant));
        varied.expect("a variant");
    }
    assert_agrees_but_for_the_lost_mix(&compared(&world).await);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reprocessed_recording_edits_the_message_as_the_control_did() {
    let world = world_of("reprocess_zulip_patch").await;
    assert_agrees_but_for_the_lost_mix(&compared(&world).await);
    world.end().await;
}

/// The control neither pads a track that begins at 0 nor fills its gap, so that everything after
/// it comes early in the mix. The candidate does both, on purpose.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_in_a_track_from_the_beginning_is_filled_and_that_differs_from_the_control() {
    let world = world_of("start0_track").await;
    let comparison = compared(&world).await;
    let differs = reasons(&comparison, FieldVerdict::Differs);
    let fields: Vec<_> = differs.keys().map(String::as_str).collect();
    // Events, messages and webhook repeat the duration, whose field answers for it.
    assert_eq!(fields, ["duration", "waveform"]);
    assert_eq!(
        differs["duration"],
        "difference 187 ms must be at most 50 ms"
    );
    assert_eq!(comparison.verdict, Verdict::Differs);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transcription_that_fails_fails_both_sides() {
    let world = World::start(Setup {
        case: "transcription_failure",
        tracks: Some(short_tracks()),
        ..Setup::default()
    })
    .await;
    world
        .sandbox
        .vary(Service::Transcription, Some("failure"))
        .expect("a variant");
    let run = world.run(Again::Resume).await;
    assert_eq!(run.state, RunState::Failed);
    let comparison = world.compared(&run).await.comparison;
    assert_eq!(comparison.verdict, Verdict::BothFailed);
    world.end().await;
}
