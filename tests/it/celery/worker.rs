//! With a real Celery worker.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::json;
use switchyard::{
    legacy::celery::{
        Decision, Envelope, Forwarded, Holder, Limits, NewTask, Results, Status, Tap, TapSettings,
        TaskResult,
    },
    model::TranscriptId,
};
use tokio::process::{Child, Command};

use super::{fresh, other, pipeline, queue};
use crate::{phases::celery_there, redis::Redis};

/// Names a Python with Celery 5.5.3 and its Redis client.
const CELERY: &str = "SWITCHYARD_TEST_CELERY";

/// Long enough for a worker to start on a busy machine.
const LIMIT: Duration = Duration::from_mins(2);

/// That Python, or the end of the test where there is none.
macro_rules! python {
    () => {
        match std::env::var(CELERY) {
            Ok(python) => python,
            Err(_) => {
                eprintln!("skipped: {CELERY} names no Python with Celery");
                return;
            }
        }
    };
}

/// A worker on one queue. Ends, without a chance to clear up, when it is dropped.
fn worker(python: &str, redis: &Redis, queue: &str) -> Child {
    let support = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support");
    Command::new(python)
        .args(["-W", "ignore", "-m", "celery", "-A", "celery_app"])
        .args(["worker", "-Q", queue])
        .args(["--pool=solo", "--loglevel=WARNING", "--without-mingle"])
        .args(["--without-gossip", "--without-heartbeat"])
        .current_dir(support)
        .env("REDIS_URL", &redis.url)
        .env("KEY_PREFIX", &redis.prefix)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("C_FORCE_ROOT", "1")
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("a worker starts")
}

async fn result(redis: &Redis, task_id: &str) -> TaskResult {
    let results = Results::new(&redis.location(), &redis.prefix, Limits::default()).unwrap();
    let result = results.wait(task_id, LIMIT).await.unwrap();
    result.unwrap_or_else(|| panic!("task {task_id} has not ended"))
}

#[tokio::test]
async fn what_we_publish_a_worker_runs_and_we_read_its_result() {
    let python = python!();
    let redis = fresh!();
    let _worker = worker(&python, &redis, "celery");
    let keys = ["a/é".to_owned(), "b".to_owned()];
    let task = NewTask::pipeline(&TranscriptId::new("t"), "bucket", &keys, "switchyard@tests");
    let message = task.for_queue(&queue("celery")).unwrap();
    redis
        .broker()
        .push(&celery_there(), &queue("celery"), &message)
        .await
        .unwrap();
    let result = result(&redis, message.id()).await;
    assert_eq!(result.status, Status::Success);
    assert_eq!(result.task_id, message.id());
    assert!(result.date_done.is_some());
    assert_eq!(
        result.result,
        json!({
            "id": message.id(),
            "transcript_id": "t",
            "bucket_name": "bucket",
            "track_keys": keys,
            "routing_key": "celery",
        })
    );
}

#[tokio::test]
async fn what_a_worker_publishes_we_build_to_the_byte() {
    let python = python!();
    let redis = fresh!();
    let support = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support");
    let published = Command::new(python)
        .args(["-c", "import celery_app; celery_app.echo.apply_async(('it\\'s é', [1.5, None, {'a': True}]), {'k': 'v'}, priority=4)"])
        .current_dir(support)
        .env("REDIS_URL", &redis.url)
        .env("KEY_PREFIX", &redis.prefix)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status()
        .await;
    assert!(published.unwrap().success());
    let theirs = redis.texts("celery\u{6}\u{16}3").await.remove(0);
    let read = Envelope::parse(&*theirs).unwrap();
    assert_eq!(read.validate(), Ok(()));
    let body = read.body().unwrap();
    let message: serde_json::Value = serde_json::from_str(&theirs).unwrap();
    let ours = NewTask {
        args: body.args,
        kwargs: body.kwargs,
        id: read.id().to_owned(),
        reply_to: message["properties"]["reply_to"]
            .as_str()
            .unwrap()
            .to_owned(),
        delivery_tag: read.delivery_tag().unwrap().to_owned(),
        priority: 4,
        ..NewTask::new("tests.echo", message["headers"]["origin"].as_str().unwrap())
    };
    assert_eq!(ours.for_queue(&queue("celery")).unwrap().raw(), theirs);
}

#[tokio::test]
async fn what_a_tap_hands_on_is_run_under_the_same_id_and_its_retry_stays_away_from_the_tap() {
    let python = python!();
    let redis = fresh!();
    let _worker = worker(&python, &redis, "legacy");
    let ours = pipeline("t");
    let retry = NewTask::new("tests.retry", "tests@here");
    let retry = retry.for_queue(&queue("celery")).unwrap();
    let broker = redis.broker();
    for message in [&ours, &retry, &other("x")] {
        broker
            .push(&celery_there(), &queue("celery"), message)
            .await
            .unwrap();
    }
    let settings = TapSettings::new(queue("celery"), queue("legacy"));
    let mut tap = Tap::new(broker, settings).unwrap();
    let tick = tap
        .tick(async |_| Decision::Forward(celery_there()))
        .await
        .unwrap();
    assert_eq!((tick.forwarded, tick.passed_on), (1, 2));
    let ran = result(&redis, ours.id()).await.result;
    assert_eq!(ran["id"], ours.id());
    assert_eq!(ran["routing_key"], "legacy");
    let retried = result(&redis, retry.id()).await;
    assert_eq!(retried.result, "legacy");
    assert!(
        tap.tick(async |_| Decision::Forward(celery_there()))
            .await
            .unwrap()
            .is_idle()
    );
}

#[tokio::test]
async fn what_a_killed_worker_was_running_comes_back_on_the_legacy_queue() {
    let python = python!();
    let redis = fresh!();
    let broker = redis.broker();
    let task = NewTask::new("tests.hang", "tests@here");
    let message = task.for_queue(&queue("celery")).unwrap();
    broker
        .push(&celery_there(), &queue("celery"), &message)
        .await
        .unwrap();
    let held = broker
        .take(&queue("celery"), &Holder::random(), 1)
        .await
        .unwrap();
    let forwarded = broker.forward(&held[0], &queue("legacy")).await.unwrap();
    assert_eq!(forwarded, Forwarded::Rewritten);

    let mut first = worker(&python, &redis, "legacy");
    began(&redis).await;
    first.kill().await.unwrap();
    assert_eq!(broker.length(&queue("legacy")).await.unwrap(), 0);
    // As if an hour had passed.
    let tag = message.delivery_tag().unwrap().as_bytes();
    let _: u64 = redis
        .ask("ZADD", "unacked_index", &[b"XX", b"1", tag])
        .await;
    // Not touched by us, whatever its age.
    assert_eq!(broker.recover_older(Duration::ZERO).await.unwrap(), 0);

    let _second = worker(&python, &redis, "legacy");
    assert_eq!(result(&redis, message.id()).await.result, "legacy");
    assert_eq!(broker.length(&queue("celery")).await.unwrap(), 0);
}

#[tokio::test]
async fn what_a_dead_tap_parked_a_kombu_worker_can_put_back() {
    let python = python!();
    let redis = fresh!();
    let broker = redis.broker();
    broker
        .push(&celery_there(), &queue("celery"), &other("x"))
        .await
        .unwrap();
    let held = broker
        .take(&queue("celery"), &Holder::random(), 1)
        .await
        .unwrap();
    let id = held[0].envelope().unwrap().id().to_owned();
    let index: Vec<String> = redis.ask("ZRANGE", "unacked_index", &[b"0", b"-1"]).await;
    let _: u64 = redis
        .ask("ZADD", "unacked_index", &[b"XX", b"1", index[0].as_bytes()])
        .await;
    let _worker = worker(&python, &redis, "celery");
    assert_eq!(result(&redis, &id).await.result, "x");
    assert_eq!(broker.recover_older(Duration::ZERO).await.unwrap(), 0);
}

/// Waits for a task to say that it has begun.
async fn began(redis: &Redis) {
    let client = ::redis::Client::open(&*redis.url).unwrap();
    let config = ::redis::AsyncConnectionConfig::new().set_response_timeout(Some(2 * LIMIT));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .unwrap();
    let mut wait = ::redis::cmd("BLPOP");
    wait.arg(redis.key("began")).arg(LIMIT.as_secs());
    let said: Option<(String, String)> = wait.query_async(&mut connection).await.unwrap();
    said.expect("the task begins");
}

/// Leaves messages on both queues and one in the hands of a tap that is stopped for good; workers
/// on both queues run them all.
async fn drained(python: &str, redis: &Redis, from: &str, legacy: &str) {
    let broker = redis.broker();
    let mut left = Vec::new();
    for name in [from, legacy, from] {
        let key = ["k".to_owned()];
        let task = NewTask::pipeline(&TranscriptId::new("t"), "bucket", &key, "tests@here");
        let message = task.for_queue(&queue(name)).unwrap();
        broker
            .push(&celery_there(), &queue(name), &message)
            .await
            .unwrap();
        left.push(message);
    }
    let dead = Holder::random();
    let held = broker.take(&queue(from), &dead, 1).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(broker.recover_older(Duration::ZERO).await.unwrap(), 1);

    let _worker = worker(python, redis, &format!("{legacy},{from}"));
    for message in &left {
        let ran = result(redis, message.id()).await;
        assert_eq!(ran.status, Status::Success);
    }
    for name in [from, legacy] {
        assert_eq!(broker.length(&queue(name)).await.unwrap(), 0, "{name}");
    }
    assert_eq!(broker.held().await.unwrap(), 0);
}

#[tokio::test]
async fn workers_on_both_queues_drain_what_a_tap_on_a_routed_queue_leaves() {
    let python = python!();
    let redis = fresh!();
    drained(&python, &redis, "switchyard", "celery").await;
}

#[tokio::test]
async fn workers_on_both_queues_drain_what_a_tap_on_the_default_queue_leaves() {
    let python = python!();
    let redis = fresh!();
    drained(&python, &redis, "celery", "legacy").await;
}

#[tokio::test]
async fn workers_tell_which_queues_they_take_from_and_nothing_is_left_of_the_question() {
    let python = python!();
    let redis = fresh!();
    let broker = redis.broker();
    let _workers = [
        worker(&python, &redis, "celery"),
        worker(&python, &redis, "celery,switchyard"),
    ];
    // A worker that has run a task listens to questions too.
    let mut found = broker.consumers().await.unwrap();
    while found.values().sum::<usize>() < 3 {
        found = broker.consumers().await.unwrap();
    }
    let expected = [("celery".to_owned(), 2), ("switchyard".to_owned(), 1)];
    assert_eq!(found, expected.into());
    let keys = redis.keys().await;
    let left = keys.iter().find(|key| key.contains("reply.celery.pidbox"));
    assert_eq!(left, None);
}
