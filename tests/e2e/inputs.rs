//! Recordings that are not as they should be: each ends as the legacy's would, or in a clear error.

use switchyard::{
    controller::{Again, candidate_outcome},
    model::{Outcome, RecordingId},
    sandbox::Service,
    store::Run,
};

use crate::world::{Setup, Track, World, short_tracks};

async fn world_of(tracks: Vec<Track>) -> World {
    World::start(Setup {
        tracks: Some(tracks),
        ..Setup::default()
    })
    .await
}

/// Three tracks of which the second is another.
fn second(track: Track) -> Vec<Track> {
    let mut tracks = short_tracks();
    tracks[1] = track;
    tracks
}

/// What is said of a run that must fail, and without asking anybody for words.
async fn failure_of(tracks: Vec<Track>) -> String {
    let world = world_of(tracks).await;
    let (_, failure) = world.failed(Again::Resume).await;
    for service in [Service::Transcription, Service::Llm] {
        assert_eq!(world.requests_to(service), 0);
    }
    world.end().await;
    failure
}

async fn outcome(world: &World, run: &Run) -> Outcome {
    let outcome = candidate_outcome(&world.store, run).await;
    outcome.expect("an outcome")
}

/// What padding reported of a track.
async fn padded(world: &World, run: &Run, index: usize) -> serde_json::Value {
    let task_ref = format!("pad_track_{index}");
    let output = world
        .store
        .output(&run.id, &task_ref)
        .await
        .expect("a read");
    output.expect("it was padded").output
}

/// A track of so many bytes; 20 ms take about 90 of them.
fn beginning_of_a_track(index: usize, bytes: usize) -> Track {
    let mut track = Track::fixture(index, "mono_off0.webm");
    if let Some(content) = &mut track.content {
        content.truncate(bytes);
    }
    track
}

fn key(index: usize) -> String {
    Track::of(index, Vec::new()).key
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_without_tracks_has_nothing_to_mix() {
    assert_eq!(
        failure_of(Vec::new()).await,
        "mixdown_tracks, attempt 1: the recording has no camera audio track; there is nothing to mix"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_track_is_a_meeting() {
    let world = world_of(vec![Track::fixture(0, "mono_off0.webm")]).await;
    let run = world.completed(Again::Resume).await;
    let outcome = outcome(&world, &run).await;
    assert!(!outcome.words.is_empty());
    assert!(outcome.words.iter().all(|word| word.speaker == 0));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_tracks_stay_in_order() {
    // Of different lengths, since equal ones would be transcribed only once.
    let tracks = (0..40).map(|index| beginning_of_a_track(index, 700 + 100 * index));
    let world = world_of(tracks.collect()).await;
    let run = world.completed(Again::Resume).await;
    assert_eq!(world.requests_to(Service::Transcription), 40);
    for index in 0..40 {
        assert_eq!(padded(&world, &run, index).await["track_index"], index);
    }
    let people = outcome(&world, &run).await.participants;
    let speakers: Vec<_> = people.iter().map(|person| person.speaker).collect();
    assert!(
        speakers.iter().copied().eq((0..40).map(Some)),
        "{speakers:?}"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_track_that_is_no_audio_is_named() {
    let cases = [
        ("html.webm", "expected audio, found "),
        ("zero_bytes.webm", "expected audio, found an empty file"),
        ("truncated_head.webm", "damaged audio: "),
    ];
    for (content, cause) in cases {
        let failure = failure_of(second(Track::fixture(1, content))).await;
        let begin = format!("pad_track_1, attempt 1: track 1 (`{}`): {cause}", key(1));
        assert!(failure.starts_with(&begin), "{content}: {failure}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_track_that_is_not_there_is_named() {
    let gone = Track {
        content: None,
        key: key(1),
    };
    assert_eq!(
        failure_of(second(gone)).await,
        format!(
            "pad_track_1, attempt 1: objects: reading `daily-recordings/{}`: status 404, NoSuchKey",
            key(1)
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncated_track_is_used_as_far_as_it_goes() {
    let world = world_of(second(Track::fixture(1, "truncated.webm"))).await;
    let run = world.completed(Again::Resume).await;
    let padded = padded(&world, &run, 1).await;
    assert_eq!(padded["truncated"], true);
    let begin = padded["offset_ms"].as_f64().expect("a number") / 1000.0;
    let end = padded["samples"].as_f64().expect("a number") / 48_000.0;
    // Of ten seconds 60 % are left.
    assert!((5.5..6.0).contains(&(end - begin)), "{begin} to {end}");
    world.end().await;
}

/// Somebody whose microphone never sent a packet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_track_without_a_packet_is_left_out_of_the_mix_and_not_transcribed() {
    let world = world_of(second(Track::fixture(1, "empty.webm"))).await;
    let run = world.completed(Again::Resume).await;
    assert_eq!(padded(&world, &run, 1).await["samples"], 0);
    assert_eq!(world.requests_to(Service::Transcription), 2);
    let outcome = outcome(&world, &run).await;
    assert_eq!(outcome.participants.len(), 3);
    assert!(outcome.words.iter().all(|word| word.speaker != 1));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tracks_without_a_packet_are_nothing_to_mix() {
    let tracks = (0..2).map(|index| Track::fixture(index, "empty.webm"));
    assert_eq!(
        failure_of(tracks.collect()).await,
        "mixdown_tracks, attempt 1: no track of the recording holds any audio; there is nothing to mix"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenth_of_a_second_is_a_meeting() {
    let world = world_of(vec![beginning_of_a_track(0, 700)]).await;
    let run = world.completed(Again::Resume).await;
    let outcome = outcome(&world, &run).await;
    let length = outcome.duration_ms.expect("a length");
    // The mix is as long as the track and the encoder's delay of 23 ms.
    assert!((80.0..200.0).contains(&length), "{length}");
    assert!(!outcome.waveform.is_empty());
    world.end().await;
}

/// Legacy 3.2: a track whose name tells no participant is mixed and transcribed all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_track_with_an_odd_name_has_a_voice_but_no_participant() {
    let mut odd = Track::fixture(1, "stereo_off1234.webm");
    "example/standup/cam-audio (copy 2).webm".clone_into(&mut odd.key);
    let world = world_of(second(odd)).await;
    let run = world.completed(Again::Resume).await;
    let reported = world.store.output(&run.id, "get_participants").await;
    let reported = reported.expect("a read").expect("it was reported").output;
    assert_eq!(reported["unnamed_tracks"], serde_json::json!([1]));
    let outcome = outcome(&world, &run).await;
    let speakers: Vec<_> = outcome.participants.iter().map(|one| one.speaker).collect();
    assert_eq!(speakers, [Some(0), Some(2)]);
    assert!(outcome.words.iter().any(|word| word.speaker == 1));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_daily_does_not_know_is_processed_without_names() {
    let mut world = world_of(short_tracks()).await;
    world.subject.recording.id = RecordingId::new("no-such-recording");
    let run = world.completed(Again::Resume).await;
    let reported = world.store.output(&run.id, "get_recording").await;
    let reported = reported.expect("a read").expect("it was reported").output;
    assert_eq!(reported["found"], false);
    let degraded = reported["degraded"].as_str().expect("it says why");
    let cause = "get_recording, attempt 1 of 4: daily: asking for recording `no-such-recording`: \
                 refused: status 404";
    assert!(degraded.starts_with(cause), "{degraded}");
    assert_eq!(outcome(&world, &run).await.participants, []);
    world.end().await;
}
