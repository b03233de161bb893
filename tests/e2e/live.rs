//! Recordings that come in as they come to Reflector, on the legacy side alone: what every run with
//! Switchyard beside it is measured against.

use std::time::Duration;

use serde_json::{Value, json};
use switchyard::{
    legacy::celery::{Broker, Decision, Limits, Queue, RedisLocation, Tap, TapSettings},
    rollout::{MayDispatch, Position},
};

use crate::miniature::{Except, Legacy, recorded};

const FIRST: &str = "reflector.worker.process.process_multitrack_recording";
const PIPELINE: &str =
    "reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process";
const POLLER: &str = "reflector.worker.process.poll_daily_recordings";
/// Sends the pipeline's messages to a queue that no worker of the legacy reads.
const ROUTED: &str = r#"{"reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process": {"queue": "switchyard"}}"#;

/// The tasks of messages.
fn tasks(messages: &[String]) -> Vec<String> {
    let task = |text: &String| {
        let message: Value = serde_json::from_str(text).expect("JSON");
        message["headers"]["task"]
            .as_str()
            .expect("a name")
            .to_owned()
    };
    messages.iter().map(task).collect()
}

#[tokio::test]
async fn a_recording_runs_through_the_miniature_alone_as_it_was_recorded() {
    let Some(legacy) = Legacy::up("base", &[]).await else {
        return;
    };
    legacy.daily_webhook().await;
    legacy.worker(&[]).await;
    legacy.until_idle(&[]).await;
    let capture = legacy.capture().await;
    let compared = capture.compare(&recorded("base"), &Except::default()).await;
    assert_eq!(compared.differences, [""; 0]);

    // The capture holds all that others can see.
    for file in [
        "db_after.json",
        "pubsub.jsonl",
        "s3.json",
        "requests.json",
        "zulip_1.body.txt",
        "webhook_1.body.json",
        "celery/02_task_pipeline_multitrack_process.json",
        "audio.mp3",
    ] {
        assert!(compared.compared.iter().any(|name| name == file), "{file}");
    }
    let named = "webhook_1.body.json";
    assert!(compared.masked.keys().any(|place| place.starts_with(named)));
    assert_eq!(legacy.requests_to("webhook").await.len(), 1);
    assert_eq!(
        legacy.objects().await.len(),
        list(&capture.json("s3.json")["after"])
    );

    // And a new one begins with nothing.
    legacy.begin_capture().await;
    assert_eq!(legacy.published().await, [Value::Null; 0]);
    assert_eq!(legacy.requests_to("webhook").await, [Value::Null; 0]);
}

fn list(value: &Value) -> usize {
    value.as_array().expect("a list").len()
}

#[tokio::test]
async fn a_recording_whose_messages_all_pass_a_tap_is_as_one_whose_messages_do_not() {
    let Some(legacy) = Legacy::up("base", &[]).await else {
        return;
    };
    legacy.daily_webhook().await;
    legacy.worker(&["-Q", "legacy"]).await;
    tokio::select! {
        () = legacy.until_idle(&[]) => {}
        () = hand_everything_on(&legacy) => {}
    }
    let capture = legacy.capture().await;
    let moved = "celery/moved.json";
    let except = Except {
        files: &[moved],
        ..Except::default()
    };
    let compared = capture.compare(&recorded("base"), &except).await;
    assert_eq!(compared.differences, [""; 0]);

    let moved = capture.json(moved);
    assert_eq!(list(&moved), 6, "each of the six messages, once");
    for message in moved.as_array().expect("a list") {
        assert_eq!(message["redis_list"], "legacy");
        assert_eq!(message["routing_key"], "legacy");
        assert_eq!(message["is_as_pushed_but_for_the_routing_key"], true);
    }
}

/// A tap in front of workers on `legacy` that keeps nothing to itself. Does not end.
async fn hand_everything_on(legacy: &Legacy) {
    let location = RedisLocation::parse(&legacy.place.broker).expect("a URL");
    let broker = Broker::new(&location, "", Limits::default()).expect("a broker");
    let [from, to] = ["celery", "legacy"].map(|name| Queue::new(name).expect("a name"));
    let mut tap = Tap::new(broker, TapSettings::new(from, to)).expect("two queues");
    let celery = MayDispatch::of(&Position::Infrastructure).expect("it is not removed");
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    loop {
        looks.tick().await;
        let tick = tap.tick(async |_| Decision::Forward(celery)).await;
        tick.expect("the tap taps");
    }
}

#[tokio::test]
async fn a_transcript_that_is_processed_again_takes_every_audio_track_and_ends_well() {
    let Some(legacy) = Legacy::up("reprocess_zulip_patch", &[]).await else {
        return;
    };
    let before = legacy.transcript().await;
    let id = before["id"].as_str().expect("an id");
    assert_eq!(legacy.process(id).await, 200);
    legacy.worker(&[]).await;
    legacy.until_idle(&[]).await;

    let after = legacy.transcript().await;
    assert_eq!(after["status"], "ended");
    assert_ne!(after["topics"][0]["id"], before["topics"][0]["id"]);
    // The screen's audio too, unlike the first time: nobody speaks on the last of them.
    assert_eq!(legacy.requests_to("transcription").await.len(), 4);
    let zulip = legacy.requests_to("zulip").await;
    assert_eq!(zulip.len(), 1);
    assert_eq!(zulip[0]["method"], "PATCH");
    assert_eq!(legacy.requests_to("webhook").await.len(), 1);
}

#[tokio::test]
async fn a_recording_no_webhook_told_of_is_found_by_the_poller() {
    let env = [("LEGACY_POLL_SECONDS", "1"), ("LEGACY_TASK_ROUTES", ROUTED)];
    let Some(legacy) = Legacy::up("base", &env).await else {
        return;
    };
    let worker = legacy.worker(&[]).await;
    legacy.beat().await;
    let is_routed = async || !legacy.queue("switchyard").await.is_empty();
    legacy.until("a message is routed to us", is_routed).await;

    assert_eq!(tasks(&legacy.queue("switchyard").await)[0], PIPELINE);
    let transcript = legacy.transcript().await;
    assert_eq!(transcript["status"], "idle");
    assert_eq!(
        transcript["recording_id"],
        legacy.rows().await["recording"][0]["id"]
    );
    legacy.kill(worker).await;
}

#[tokio::test]
async fn a_pipeline_whose_worker_was_killed_is_run_by_no_other() {
    let Some(legacy) = Legacy::up("base", &[]).await else {
        return;
    };
    legacy
        .fault(&json!({"service": "daily", "kind": "hang"}))
        .await;
    legacy.daily_webhook().await;
    let worker = legacy.worker(&[]).await;
    let is_at_it = async || !legacy.requests_to("daily").await.is_empty();
    legacy.until("the pipeline asks Daily", is_at_it).await;
    legacy.kill(worker).await;
    legacy.release().await;

    // Neither the queue nor the poller has it any more.
    legacy.worker(&[]).await;
    legacy.call(POLLER, &json!({})).await;
    legacy.until_idle(&[PIPELINE]).await;
    assert_eq!(legacy.queue("celery").await, [""; 0]);
    assert_eq!(legacy.transcript().await["status"], "processing");
}

#[tokio::test]
async fn workers_on_another_queue_leave_new_messages_where_producers_put_them() {
    let to_legacy = format!(r#"{{"{POLLER}": {{"queue": "legacy"}}}}"#);
    let env = [("LEGACY_TASK_ROUTES", &*to_legacy)];
    let Some(legacy) = Legacy::up("base", &env).await else {
        return;
    };
    let elsewhere = legacy.worker(&["-Q", "legacy"]).await;
    legacy.call(POLLER, &json!({})).await;
    legacy.until_idle(&[FIRST]).await;
    let other = "11111111-2222-4333-8444-00000000ffff";
    legacy.daily_webhook_of(other).await;
    legacy.stop(elsewhere).await;
    assert_eq!(tasks(&legacy.queue("celery").await), [FIRST, FIRST]);

    // Workers, which publish too, may have other routes.
    let to_us = [("LEGACY_TASK_ROUTES", ROUTED)];
    legacy.worker_with(&[], &to_us).await;
    legacy.until_idle(&[PIPELINE]).await;
    assert_eq!(tasks(&legacy.queue("switchyard").await), [PIPELINE; 2]);
    assert_eq!(list(&legacy.rows().await["recording"]), 2);
}
