//! Telling browsers through Reflector's Redis, once and by the owner alone.

use std::time::Duration;

use futures_util::StreamExt;
use switchyard::{
    legacy::{
        celery::{Limits, RedisLocation},
        reflector::{PublishError, Publisher, Told},
    },
    model::{Published, RecordingId},
};

use crate::{
    deliveries::live,
    redis::{Redis, Server},
};

/// Names nobody else uses: channels do not know databases.
fn unique(kind: &str) -> String {
    format!("{kind}{}", uuid::Uuid::new_v4().simple())
}

fn message(channel: &str, payload: &str) -> Published {
    Published {
        channel: channel.to_owned(),
        payload: payload.to_owned(),
    }
}

/// Somebody who listens to one channel.
struct Browser {
    messages: redis::aio::PubSub,
    publisher: redis::aio::MultiplexedConnection,
    channel: String,
}

impl Browser {
    async fn on(redis: &Redis, channel: &str) -> Self {
        let client = redis::Client::open(&*redis.url).expect("a URL");
        let mut messages = client.get_async_pubsub().await.expect("a connection");
        messages.subscribe(channel).await.expect("it subscribes");
        let publisher = client.get_multiplexed_async_connection().await;
        Self {
            messages,
            publisher: publisher.expect("a connection"),
            channel: channel.to_owned(),
        }
    }

    /// Everything that was published so far.
    async fn heard(&mut self) -> Vec<String> {
        let mut end = redis::cmd("PUBLISH");
        end.arg(&self.channel).arg("the end");
        let _: u64 = end
            .query_async(&mut self.publisher)
            .await
            .expect("it publishes");
        let mut heard = Vec::new();
        let mut messages = self.messages.on_message();
        loop {
            let next = messages.next().await.expect("a message");
            let payload: String = next.get_payload().expect("a text");
            if payload == "the end" {
                return heard;
            }
            heard.push(payload);
        }
    }
}

macro_rules! fresh {
    () => {
        match Redis::fresh().await {
            Some(redis) => redis,
            None => return,
        }
    };
}

fn publisher(redis: &Redis) -> Publisher {
    Publisher::new(&redis.location(), Limits::default()).expect("a publisher")
}

#[tokio::test]
async fn messages_arrive_in_order_and_to_the_byte() {
    let redis = fresh!();
    let (publisher, recording) = (publisher(&redis), RecordingId::new(unique("r")));
    let channel = unique("ts:");
    let mut browser = Browser::on(&redis, &channel).await;
    let payloads: Vec<_> = (0..200)
        .map(|n| format!(r#"{{"event": "N{n}", "data": "\u00e9 é \"{n}\""}}"#))
        .collect();
    for payload in &payloads {
        let told = publisher
            .publish(
                &live(1),
                &recording,
                &unique("k"),
                &message(&channel, payload),
            )
            .await;
        assert_eq!(told.unwrap(), Told::Published);
    }
    assert_eq!(browser.heard().await, payloads);
}

#[tokio::test]
async fn a_message_that_is_tried_again_is_told_once() {
    let redis = fresh!();
    let (publisher, recording) = (publisher(&redis), RecordingId::new(unique("r")));
    let (channel, key) = (unique("ts:"), unique("k"));
    let mut browser = Browser::on(&redis, &channel).await;
    let tries = (0..20).map(|_| {
        let (publisher, recording) = (publisher.clone(), recording.clone());
        let (key, message) = (key.clone(), message(&channel, "once"));
        tokio::spawn(async move {
            let told = publisher
                .publish(&live(1), &recording, &key, &message)
                .await;
            told.expect("Redis answers")
        })
    });
    let mut times = 0;
    for told in futures_util::future::join_all(tries).await {
        match told.expect("it ends") {
            Told::Published => times += 1,
            other => assert_eq!(other, Told::AlreadyTold),
        }
    }
    assert_eq!(times, 1);
    // A process that was started again does not tell it either.
    let again = self::publisher(&redis)
        .publish(&live(1), &recording, &key, &message(&channel, "once"))
        .await;
    assert_eq!(again.unwrap(), Told::AlreadyTold);
    assert_eq!(browser.heard().await, ["once"]);
}

#[tokio::test]
async fn an_earlier_owner_tells_nothing_and_leaves_the_message_to_the_later_one() {
    let redis = fresh!();
    let (publisher, recording) = (publisher(&redis), RecordingId::new(unique("r")));
    let (channel, key) = (unique("ts:"), unique("k"));
    let mut browser = Browser::on(&redis, &channel).await;
    let tell = async |epoch, key: &str, payload: &str| {
        let message = message(&channel, payload);
        let told = publisher
            .publish(&live(epoch), &recording, key, &message)
            .await;
        told.expect("Redis answers")
    };
    assert_eq!(tell(1, &unique("k"), "by the first").await, Told::Published);
    assert!(publisher.raise(&recording, 2).await.unwrap());
    assert_eq!(tell(1, &key, "by the first").await, Told::Fenced);
    assert_eq!(tell(2, &key, "by the second").await, Told::Published);
    // Whoever publishes fences the ones before, even if nobody raised the epoch.
    assert_eq!(
        tell(10, &unique("k"), "by the tenth").await,
        Told::Published
    );
    assert_eq!(tell(9, &unique("k"), "by the ninth").await, Told::Fenced);
    assert!(!publisher.raise(&recording, 9).await.unwrap());
    assert!(publisher.raise(&recording, 10).await.unwrap(), "again");
    assert_eq!(tell(10, &unique("k"), "still").await, Told::Published);
    let heard = browser.heard().await;
    assert_eq!(
        heard,
        ["by the first", "by the second", "by the tenth", "still"]
    );
    // Another recording has an owner of its own.
    let other = RecordingId::new(unique("r"));
    let told = publisher
        .publish(&live(1), &other, &unique("k"), &message(&channel, "x"))
        .await;
    assert_eq!(told.unwrap(), Told::Published);
}

#[tokio::test]
async fn what_is_remembered_is_forgotten_in_the_end() {
    let redis = fresh!();
    let (publisher, recording) = (publisher(&redis), RecordingId::new(unique("r")));
    let key = unique("k");
    let told = publisher
        .publish(&live(1), &recording, &key, &message(&unique("ts:"), "x"))
        .await;
    assert_eq!(told.unwrap(), Told::Published);
    let raised = RecordingId::new(unique("r"));
    assert!(publisher.raise(&raised, 1).await.unwrap());
    let mut connection = redis::Client::open(&*redis.url)
        .expect("a URL")
        .get_multiplexed_async_connection()
        .await
        .expect("a connection");
    let (week, day) = (7 * 24 * 3600, 24 * 3600);
    for (key, most) in [
        (format!("switchyard:epoch:{recording}"), week),
        (format!("switchyard:epoch:{raised}"), week),
        (format!("switchyard:published:{key}"), day),
    ] {
        let mut ttl = redis::cmd("TTL");
        let left: i64 = ttl
            .arg(&key)
            .query_async(&mut connection)
            .await
            .expect("an answer");
        assert!((most - 600..=most).contains(&left), "{key}: {left}");
    }
}

#[tokio::test]
async fn a_redis_that_is_gone_or_silent_is_told_in_time_and_without_its_password() {
    let recording = RecordingId::new("r");
    let silent = crate::standup::loopback().await;
    let port = silent.local_addr().expect("it is bound").port();
    let gone = {
        let listener = crate::standup::loopback().await;
        listener.local_addr().expect("it is bound").port()
    };
    for port in [port, gone] {
        let location = RedisLocation::parse(&format!("redis://:hush@127.0.0.1:{port}"));
        let limits = Limits {
            connect: Duration::from_millis(300),
            answer: Duration::from_millis(300),
        };
        let publisher = Publisher::new(&location.unwrap(), limits).expect("a publisher");
        let told = publisher
            .publish(&live(1), &recording, "k", &message("ts:t", "hush"))
            .await;
        let raised = publisher.raise(&recording, 2).await;
        for error in [told.map(drop), raised.map(drop)].map(Result::unwrap_err) {
            assert!(
                matches!(error, PublishError::Unreachable { .. }),
                "{error:?}"
            );
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_redis_that_refuses_is_told_apart_and_nothing_is_published() {
    let redis = fresh!();
    let (publisher, recording) = (publisher(&redis), RecordingId::new(unique("r")));
    let channel = unique("ts:");
    let mut browser = Browser::on(&redis, &channel).await;
    let mut connection = browser.publisher.clone();
    let mut spoil = redis::cmd("LPUSH");
    spoil.arg(format!("switchyard:epoch:{recording}")).arg("x");
    let _: u64 = spoil
        .query_async(&mut connection)
        .await
        .expect("it is a list");
    let told = publisher
        .publish(&live(1), &recording, &unique("k"), &message(&channel, "x"))
        .await;
    assert!(
        matches!(told, Err(PublishError::Refused { .. })),
        "{told:?}"
    );
    assert!(browser.heard().await.is_empty());
}

#[tokio::test]
async fn a_redis_that_comes_back_is_used_again() {
    let Some(server) = Server::start() else {
        return;
    };
    let (port, url) = (server.port(), server.url());
    let location = RedisLocation::parse(&url).expect("a URL");
    let publisher = Publisher::new(&location, Limits::default()).expect("a publisher");
    let recording = RecordingId::new("r");
    let tell = async |key: &str| {
        let message = message("ts:t", "x");
        publisher.publish(&live(1), &recording, key, &message).await
    };
    assert_eq!(tell("a").await.unwrap(), Told::Published);
    drop(server);
    let gone = tell("b").await;
    assert!(
        matches!(gone, Err(PublishError::Unreachable { .. })),
        "{gone:?}"
    );
    let Some(_server) = Server::start_on(port) else {
        return;
    };
    assert_eq!(tell("b").await.unwrap(), Told::Published);
}
