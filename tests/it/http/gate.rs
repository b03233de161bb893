//! The gate over HTTP, and second runs of the control held against the first by the controller.

use serde_json::json;
use switchyard::{
    model::{GateVerdict, RecordingId, RunState, TranscriptId},
    store::{Lease, Mirror, MirrorOutcome, MirrorState},
};

use super::server::{Server, after, noon};
use crate::phases;

#[tokio::test]
async fn the_gate_says_what_is_missing_and_who_can_do_it() {
    let server = Server::without_engine().await;
    let told = server.get("/api/v1/gate").await;
    assert_eq!(told.status, 200);
    let told = told.json();
    assert_eq!(told["verdict"], "not_yet");
    assert_eq!(told["environment"], "staging");
    assert_eq!(told["evidence"]["recordings"], 0);
    let failures = &told["lines"][0];
    let expected = json!({
        "name": "failures",
        "state": "not_yet",
        "observed": "0 of 0 recordings with a failure, 0 counted, 0 replayed",
        "bound": "74 recordings, to rule out failures at 5 % of them",
        "missing": "74 more clean recordings",
        "who": "time",
        "eta_days": null,
    });
    assert_eq!(*failures, expected);
    assert_eq!(told["soak"]["verdict"], "not_yet");
    assert_eq!(
        told["soak"]["lines"][0]["missing"],
        "188 more recordings served well"
    );
    assert_eq!(told["reasons"].as_array().map(Vec::len), Some(5));
    assert_eq!(told["fields"].as_array().map(Vec::len), Some(24));
}

#[tokio::test]
async fn a_mirror_of_a_compared_recording_is_held_against_both_once() {
    let server = Server::without_engine().await;
    let (run, shadow) = (server.running("run_a", 1).await, &server.shadow);
    let ended = shadow
        .store
        .finish_run(&run, RunState::Completed, None, after(60));
    assert!(ended.await.expect("it ends"));
    server.compare(&run).await;
    assert_eq!(shadow.measure_noise().await.expect("an answer"), 0);

    let run = shadow
        .store
        .run(&run)
        .await
        .expect("a run")
        .expect("it is there");
    let control = run.control_id.clone().expect("it has one");
    let mut mirror = Mirror {
        transcript: TranscriptId::new("mirror"),
        environment: shadow.environment.clone(),
        original: run.transcript_id.clone(),
        recording_id: RecordingId::new(run.recording_id.as_str()),
        bucket_name: "bucket".to_owned(),
        track_keys: Vec::new(),
        task_id: "task".to_owned(),
        state: MirrorState::Planned,
        reverse_of: None,
        original_control_id: control.clone(),
        control_id: None,
        verdict: None,
        comparison: None,
        outcome: None,
        reason: None,
        started_at: noon(),
        dispatched_at: None,
        changed_at: noon(),
    };
    let lease = Lease {
        holder: "a",
        until: after(3600),
    };
    let store = &shadow.store;
    assert!(
        store
            .insert_mirror(&mirror, lease)
            .await
            .expect("an answer")
    );
    mirror.state = MirrorState::Removed;
    mirror.outcome = Some(MirrorOutcome::Compared);
    // Another draw that came out the same.
    mirror.control_id = Some(control);
    assert!(store.save_mirror(&mirror, "a").await.expect("an answer"));

    assert_eq!(shadow.measure_noise().await.expect("an answer"), 1);
    assert_eq!(shadow.measure_noise().await.expect("an answer"), 0, "once");
    let mut about = phases::about("staging");
    about.epoch = shadow.epoch();
    let (evidence, decision) = store.gate(&about, after(120)).await.expect("it is read");
    // The candidate made nothing at all, of the very first.
    assert_eq!((evidence.recordings, evidence.failures), (1, 1));
    assert_eq!(decision.verdict, GateVerdict::Fail);
    let title = decision.fields.iter().find(|row| row.name == "title");
    let title = title.expect("it is a field");
    assert_eq!((title.noise_pairs, title.noise_differs), (1, 0));
    assert_eq!(title.mean_excess, Some(1.0));
}
