//! What happens to messages whose holder is gone.

use std::time::Duration;

use switchyard::legacy::celery::{Forwarded, Holder};

use super::{fresh, other, queue};
use crate::redis::Redis;

/// Publishes so many messages, the first to be taken first.
async fn published(redis: &Redis, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for number in 0..count {
        let message = other(&format!("t{number}"));
        redis.publish("celery", message.raw()).await;
        texts.push(message.raw().to_owned());
    }
    texts
}

#[tokio::test]
async fn what_a_dead_holder_held_comes_back_in_order_and_before_what_waits() {
    let redis = fresh!();
    let texts = published(&redis, 5).await;
    let broker = redis.broker();
    let holder = Holder::random();
    drop(broker.take(&queue("celery"), &holder, 2).await.unwrap());
    drop(broker.take(&queue("celery"), &holder, 1).await.unwrap());
    assert_eq!(redis.texts("celery").await, texts[3..]);
    // A process that comes after knows only the broker.
    assert_eq!(
        redis.broker().recover_older(Duration::ZERO).await.unwrap(),
        3
    );
    assert_eq!(redis.texts("celery").await, texts);
    assert_eq!(
        redis.keys().await,
        [redis.key("celery"), redis.key("switchyard.sequence")]
    );
}

#[tokio::test]
async fn only_ones_own_and_only_old_messages_come_back() {
    let redis = fresh!();
    let texts = published(&redis, 2).await;
    let broker = redis.broker();
    let (mine, theirs) = (Holder::new("a.1").unwrap(), Holder::new("a.2").unwrap());
    broker.take(&queue("celery"), &mine, 1).await.unwrap();
    let held = broker.take(&queue("celery"), &theirs, 1).await.unwrap();
    assert_eq!(
        broker.recover_older(Duration::from_mins(10)).await.unwrap(),
        0
    );
    assert_eq!(broker.recover(&mine).await.unwrap(), 1);
    assert_eq!(redis.texts("celery").await, texts[..1]);
    let forwarded = broker.forward(&held[0], &queue("legacy")).await.unwrap();
    assert_eq!(forwarded, Forwarded::Rewritten);
}

#[tokio::test]
async fn what_celery_s_workers_hold_is_never_touched() {
    let redis = fresh!();
    let message = other("a");
    let tag = message.delivery_tag().unwrap().as_bytes();
    let parked = format!(r#"[{}, "", "celery"]"#, message.raw());
    let _: u64 = redis.ask("ZADD", "unacked_index", &[b"1", tag]).await;
    let _: u64 = redis
        .ask("HSET", "unacked", &[tag, parked.as_bytes()])
        .await;
    published(&redis, 1).await;
    let broker = redis.broker();
    broker
        .take(&queue("celery"), &Holder::random(), 1)
        .await
        .unwrap();
    assert_eq!(broker.recover_older(Duration::ZERO).await.unwrap(), 1);
    let kept: Vec<String> = redis.ask("HVALS", "unacked", &[]).await;
    assert_eq!(kept, [parked]);
    assert_eq!(redis.ask::<u64>("ZCARD", "unacked_index", &[]).await, 1);
}

#[tokio::test]
async fn messages_come_back_to_the_list_of_their_priority_byte_by_byte() {
    let redis = fresh!();
    let broker = redis.broker();
    let list = "cel/ery\u{6}\u{16}3";
    let texts: [&[u8]; 3] = [
        br#"{"headers": {}, "properties": {"delivery_info": {}}, "x": "\/\u00e9"}"#,
        b"no message at all",
        b"\xff\xfe",
    ];
    for text in texts {
        redis.publish(list, text).await;
    }
    let held = broker
        .take(&queue("cel/ery"), &Holder::random(), 5)
        .await
        .unwrap();
    assert_eq!(held.len(), 3);
    // What kombu could not read is kept out of its sight.
    assert_eq!(redis.ask::<u64>("HLEN", "unacked", &[]).await, 1);
    assert_eq!(broker.recover_older(Duration::ZERO).await.unwrap(), 3);
    assert_eq!(redis.list(list).await, texts);
}

#[tokio::test]
async fn what_kombu_put_back_first_is_not_put_back_again() {
    let redis = fresh!();
    published(&redis, 1).await;
    let broker = redis.broker();
    broker
        .take(&queue("celery"), &Holder::random(), 1)
        .await
        .unwrap();
    let _: u64 = redis.ask("DEL", "unacked", &[]).await;
    let _: u64 = redis.ask("DEL", "unacked_index", &[]).await;
    assert_eq!(broker.recover_older(Duration::ZERO).await.unwrap(), 0);
    assert_eq!(broker.held().await.unwrap(), 0);
}
