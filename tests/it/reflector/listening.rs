use std::{fs, time::Duration};

use redis::{Client, aio::MultiplexedConnection};
use serde_json::{Value, json};
use switchyard::{
    legacy::{
        celery::RedisLocation,
        reflector::{WatchLimits, Watcher},
    },
    model::{OutcomeStatus, TranscriptId},
};

use super::world::{CASES, folder, recorded, transcript};
use crate::redis::Server;

/// Long enough for a message that is under way, however busy the machine is.
const GRACE: Duration = Duration::from_secs(3);

fn listener(url: &str) -> Watcher {
    let location = RedisLocation::parse(url).expect("a URL");
    let limits = WatchLimits {
        grace: GRACE,
        ..WatchLimits::default()
    };
    Watcher::start(&location, limits).expect("it starts")
}

/// Reflector as far as it publishes.
struct Publisher(MultiplexedConnection);

impl Publisher {
    async fn on(server: &Server) -> Self {
        let client = Client::open(server.url()).expect("a URL");
        let connection = client.get_multiplexed_async_connection().await;
        Self(connection.expect("a connection"))
    }

    /// Returns how many listen.
    async fn publish(&mut self, channel: &str, payload: &str) -> u64 {
        let mut command = redis::cmd("PUBLISH");
        command.arg(channel).arg(payload);
        let told = command.query_async(&mut self.0).await;
        told.expect("Redis publishes")
    }

    async fn status(&mut self, id: &TranscriptId, value: &str) {
        let payload = json!({ "event": "STATUS", "data": { "value": value } });
        self.publish(&format!("ts:{id}"), &payload.to_string())
            .await;
    }

    /// Waits until so many listen.
    async fn until_heard_by(&mut self, listeners: u64) {
        while self.publish("ts:nobody", "{}").await != listeners {
            tokio::task::yield_now().await;
        }
    }
}

/// Every message of a recorded run, Celery's among them: channel and payload.
fn messages(case: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(folder(case).join("pubsub.jsonl")).expect("a fixture");
    text.lines()
        .map(|line| {
            let message: Value = serde_json::from_str(line).expect("a line is JSON");
            let part = |name: &str| message[name].as_str().expect("a text").to_owned();
            (part("channel"), part("data"))
        })
        .collect()
}

#[tokio::test]
async fn what_a_run_publishes_is_heard_whole_and_to_the_byte() {
    let Some(server) = Server::start() else {
        return;
    };
    let watcher = listener(&server.url());
    watcher.subscribed().await;
    let mut publisher = Publisher::on(&server).await;
    // A rerun is of the same transcript as `base`, so it has a turn of its own.
    for cases in [&CASES[..7], &CASES[7..]] {
        for case in cases {
            watcher.watch(&transcript(case)).unwrap();
        }
        // Runs overlap: a message of each in turn.
        let mut runs: Vec<_> = cases
            .iter()
            .map(|case| messages(case).into_iter())
            .collect();
        while !runs.is_empty() {
            runs.retain_mut(|run| run.len() > 0);
            for run in &mut runs {
                if let Some((channel, payload)) = run.next() {
                    publisher.publish(&channel, &payload).await;
                }
            }
        }
        for case in cases {
            let heard = watcher.over(&transcript(case)).await.unwrap();
            let expected = recorded(case).outcome;
            assert_eq!(heard.published, expected.published, "{case}");
            assert_eq!(heard.ended, Some(expected.status), "{case}");
            assert!(heard.complete, "{case}");
            assert_eq!(watcher.over(&transcript(case)).await, None, "{case}");
        }
    }
}

#[tokio::test]
async fn a_run_during_which_redis_went_away_is_not_told_to_be_whole() {
    let Some(server) = Server::start() else {
        return;
    };
    let port = server.port();
    let watcher = listener(&server.url());
    let id = TranscriptId::new("t");
    watcher.watch(&id).unwrap();
    watcher.subscribed().await;
    Publisher::on(&server).await.status(&id, "processing").await;
    drop(server);

    let Some(server) = Server::start_on(port) else {
        return;
    };
    let mut publisher = Publisher::on(&server).await;
    publisher.until_heard_by(1).await;
    publisher.status(&id, "ended").await;
    let heard = watcher.over(&id).await.unwrap();
    assert_eq!(heard.ended, Some(OutcomeStatus::Ended));
    assert!(!heard.complete);

    // The next one is.
    watcher.watch(&id).unwrap();
    publisher.status(&id, "processing").await;
    publisher.status(&id, "error").await;
    let heard = watcher.over(&id).await.unwrap();
    assert_eq!(heard.ended, Some(OutcomeStatus::Error));
    assert!(heard.complete);
    assert_eq!(heard.published.len(), 2);
}

#[tokio::test]
async fn a_redis_that_comes_late_is_found() {
    let Some(server) = Server::start() else {
        return;
    };
    let (port, url) = (server.port(), server.url());
    drop(server);
    let watcher = listener(&url);
    let id = TranscriptId::new("t");
    watcher.watch(&id).unwrap();
    assert!(!watcher.is_subscribed());
    let Some(server) = Server::start_on(port) else {
        return;
    };
    watcher.subscribed().await;
    let waiting = watcher.clone();
    let over = tokio::spawn(async move { waiting.over(&"t".into()).await });
    // It was watched before anybody listened, but its run began after.
    let mut publisher = Publisher::on(&server).await;
    publisher.status(&id, "processing").await;
    publisher.status(&id, "ended").await;
    assert!(over.await.unwrap().unwrap().complete);
}

#[tokio::test]
async fn a_watcher_that_is_dropped_listens_no_more() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut publisher = Publisher::on(&server).await;
    let watcher = listener(&server.url());
    let clone = watcher.clone();
    watcher.subscribed().await;
    drop(watcher);
    publisher.until_heard_by(1).await;
    drop(clone);
    publisher.until_heard_by(0).await;
}
