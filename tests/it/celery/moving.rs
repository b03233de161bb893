//! Taking messages and handing them on.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use switchyard::legacy::celery::{BrokerError, Envelope, Forwarded, Holder, Queue};

use super::{fresh, on_legacy, other, pipeline, queue};
use crate::{
    phases::celery_there,
    redis::{Redis, Server},
};

#[tokio::test]
async fn a_taken_message_is_parked_where_kombu_finds_it() {
    let redis = fresh!();
    let message = pipeline("a");
    redis.publish("celery", message.raw()).await;
    let held = redis.broker();
    let held = held.take(&queue("celery"), &Holder::random(), 5).await;
    assert_eq!(held.unwrap()[0].raw(), message.raw().as_bytes());

    assert!(redis.texts("celery").await.is_empty());
    let index: Vec<String> = redis.ask("ZRANGE", "unacked_index", &[b"0", b"-1"]).await;
    let parked: Vec<String> = redis.ask("HGETALL", "unacked", &[]).await;
    assert_eq!(index, parked[..1]);
    assert_eq!(parked[1], format!(r#"[{}, "", "celery"]"#, message.raw()));
}

#[tokio::test]
async fn a_forwarded_message_differs_in_its_routing_key_alone_and_is_parked_no_more() {
    let redis = fresh!();
    let broker = redis.broker();
    let message = pipeline("a");
    redis.publish("celery", message.raw()).await;
    let held = broker
        .take(&queue("celery"), &Holder::random(), 1)
        .await
        .unwrap();
    assert_eq!(broker.held().await.unwrap(), 1);
    let forwarded = broker.forward(&held[0], &queue("legacy")).await.unwrap();
    assert_eq!(forwarded, Forwarded::Rewritten);
    assert_eq!(redis.texts("legacy").await, [on_legacy(&message)]);
    assert_eq!(
        redis.keys().await,
        [redis.key("legacy"), redis.key("switchyard.sequence")]
    );
}

#[tokio::test]
async fn an_acknowledged_message_is_nowhere() {
    let redis = fresh!();
    let broker = redis.broker();
    redis.publish("celery", pipeline("a").raw()).await;
    let held = broker
        .take(&queue("celery"), &Holder::random(), 1)
        .await
        .unwrap();
    assert!(broker.acknowledge(&held[0]).await.unwrap());
    assert_eq!(redis.keys().await, [redis.key("switchyard.sequence")]);
    assert!(!broker.acknowledge(&held[0]).await.unwrap());
}

/// What a kombu worker does with a message that was parked for too long.
async fn restored_by_kombu(redis: &Redis) {
    let index: Vec<String> = redis.ask("ZRANGE", "unacked_index", &[b"0", b"-1"]).await;
    let parked: String = redis.ask("HGET", "unacked", &[index[0].as_bytes()]).await;
    let (message, _, routing_key): (Value, String, String) = serde_json::from_str(&parked).unwrap();
    let _: u64 = redis
        .ask("ZREM", "unacked_index", &[index[0].as_bytes()])
        .await;
    let _: u64 = redis.ask("HDEL", "unacked", &[index[0].as_bytes()]).await;
    let _: u64 = redis
        .ask("RPUSH", &routing_key, &[message.to_string().as_bytes()])
        .await;
}

#[tokio::test]
async fn a_message_somebody_put_back_is_not_forwarded_a_second_time() {
    let redis = fresh!();
    let broker = redis.broker();
    redis.publish("celery", pipeline("a").raw()).await;
    let first = broker
        .take(&queue("celery"), &Holder::random(), 1)
        .await
        .unwrap();
    restored_by_kombu(&redis).await;
    // Another tap has it now: the same message, with the same delivery tag.
    let second = broker
        .take(&queue("celery"), &Holder::random(), 1)
        .await
        .unwrap();
    let legacy = queue("legacy");
    assert_eq!(
        broker.forward(&first[0], &legacy).await.unwrap(),
        Forwarded::NotHeld
    );
    assert!(!broker.acknowledge(&first[0]).await.unwrap());
    assert_eq!(
        broker.forward(&second[0], &legacy).await.unwrap(),
        Forwarded::Rewritten
    );
    assert_eq!(redis.texts("legacy").await.len(), 1);
    assert_eq!(broker.held().await.unwrap(), 0);
}

#[tokio::test]
async fn the_same_text_published_twice_is_handed_on_twice() {
    let redis = fresh!();
    let broker = redis.broker();
    for _ in 0..2 {
        redis.publish("celery", pipeline("a").raw()).await;
    }
    let held = broker
        .take(&queue("celery"), &Holder::random(), 5)
        .await
        .unwrap();
    let forwarded = broker.forward_all(&held, &queue("legacy")).await.unwrap();
    assert_eq!(forwarded, [Forwarded::Rewritten, Forwarded::Rewritten]);
    assert_eq!(redis.texts("legacy").await.len(), 2);
}

#[tokio::test]
async fn priorities_are_taken_in_kombu_s_order_and_kept() {
    let redis = fresh!();
    let broker = redis.broker();
    for step in [9, 3, 0, 6] {
        let list = if step == 0 {
            "celery".to_owned()
        } else {
            format!("celery\u{6}\u{16}{step}")
        };
        for turn in ["first", "second"] {
            redis
                .publish(&list, other(&format!("{step} {turn}")).raw())
                .await;
        }
    }
    let mut held = Vec::new();
    for _ in 0..3 {
        held.extend(
            broker
                .take(&queue("celery"), &Holder::random(), 3)
                .await
                .unwrap(),
        );
    }
    let name = |envelope: &Envelope| envelope.body().unwrap().args[0].clone();
    let names: Vec<Value> = held
        .iter()
        .map(|held| name(&held.envelope().unwrap()))
        .collect();
    let order = [
        "0 first", "0 second", "3 first", "3 second", "6 first", "6 second", "9 first", "9 second",
    ];
    assert_eq!(json!(names), json!(order));

    broker.forward_all(&held, &queue("legacy")).await.unwrap();
    for (list, count) in [
        ("legacy", 2),
        ("legacy\u{6}\u{16}3", 2),
        ("legacy\u{6}\u{16}9", 2),
    ] {
        assert_eq!(redis.texts(list).await.len(), count, "{list:?}");
    }
}

#[tokio::test]
async fn a_key_prefix_is_on_every_key_and_nothing_outside_is_seen() {
    let redis = fresh!();
    let plain = redis.broker();
    let inner = Redis::open(redis.url.clone(), redis.key("team-a:")).await;
    let broker = inner.broker();
    redis.publish("celery", other("outside").raw()).await;
    broker
        .push(&celery_there(), &queue("celery"), &pipeline("a"))
        .await
        .unwrap();
    let held = broker
        .take(&queue("celery"), &Holder::random(), 5)
        .await
        .unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(broker.recover_older(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(inner.texts("celery").await, [pipeline_text(&held[0])]);
    let held = broker
        .take(&queue("celery"), &Holder::random(), 5)
        .await
        .unwrap();
    broker.forward(&held[0], &queue("legacy")).await.unwrap();
    assert_eq!(inner.texts("legacy").await.len(), 1);
    assert_eq!(plain.length(&queue("celery")).await.unwrap(), 1);
    let ours = |key: &String| key.starts_with(&inner.prefix) || *key == redis.key("celery");
    assert!(
        redis.keys().await.iter().all(ours),
        "{:?}",
        redis.keys().await
    );
}

fn pipeline_text(held: &switchyard::legacy::celery::Held) -> String {
    String::from_utf8(held.raw().to_vec()).unwrap()
}

#[tokio::test]
async fn a_task_with_an_eta_is_handed_on_at_once_with_its_eta() {
    let redis = fresh!();
    let broker = redis.broker();
    let mut message: Value = serde_json::from_str(other("a").raw()).unwrap();
    message["headers"]["eta"] = json!("2036-11-23T07:36:27.009155+00:00");
    redis.publish("celery", message.to_string()).await;
    let held = broker
        .take(&queue("celery"), &Holder::random(), 1)
        .await
        .unwrap();
    broker.forward(&held[0], &queue("legacy")).await.unwrap();
    message["properties"]["delivery_info"]["routing_key"] = json!("legacy");
    assert_eq!(redis.texts("legacy").await, [message.to_string()]);
}

#[tokio::test]
async fn two_takers_share_the_messages_and_none_is_handed_on_twice_or_lost() {
    let redis = fresh!();
    let published: Vec<String> = (0..400).map(|number| format!("t{number}")).collect();
    for name in &published {
        redis.publish("celery", other(name).raw()).await;
    }
    let drain = async |at_most: usize| {
        let (broker, holder) = (redis.broker(), Holder::random());
        loop {
            let held = broker
                .take(&queue("celery"), &holder, at_most)
                .await
                .unwrap();
            if held.is_empty() {
                return;
            }
            let forwarded = broker.forward_all(&held, &queue("legacy")).await.unwrap();
            assert!(forwarded.iter().all(|one| *one == Forwarded::Rewritten));
        }
    };
    tokio::join!(drain(1), drain(7), drain(3));
    let arrived = redis.texts("legacy").await;
    assert_eq!(arrived.len(), published.len());
    let distinct: BTreeSet<String> = arrived.into_iter().collect();
    assert_eq!(distinct.len(), published.len());
}

#[tokio::test]
async fn when_redis_is_full_nothing_is_taken_and_nothing_lost() {
    let Some(server) = Server::start() else {
        return;
    };
    let redis = Redis::open(server.url(), String::new()).await;
    let broker = redis.broker();
    redis.publish("celery", pipeline("a").raw()).await;
    let _: String = redis.ask("CONFIG", "SET", &[b"maxmemory", b"1"]).await;
    let refused = broker.take(&queue("celery"), &Holder::random(), 5).await;
    assert!(
        matches!(refused, Err(BrokerError::Refused { .. })),
        "{refused:?}"
    );
    assert_eq!(redis.texts("celery").await.len(), 1);
    let _: String = redis.ask("CONFIG", "SET", &[b"maxmemory", b"0"]).await;
    let held = broker
        .take(&queue("celery"), &Holder::random(), 5)
        .await
        .unwrap();
    let _: String = redis.ask("CONFIG", "SET", &[b"maxmemory", b"1"]).await;
    let refused = broker.forward(&held[0], &queue("legacy")).await;
    assert!(
        matches!(refused, Err(BrokerError::Refused { .. })),
        "{refused:?}"
    );
    let _: String = redis.ask("CONFIG", "SET", &[b"maxmemory", b"0"]).await;
    assert_eq!(
        broker.forward(&held[0], &queue("legacy")).await.unwrap(),
        Forwarded::Rewritten
    );
}

#[tokio::test]
async fn waiting_ends_when_a_message_comes_and_takes_nothing() {
    let redis = fresh!();
    let broker = redis.broker();
    let celery: Queue = queue("celery");
    assert!(
        !broker
            .wait(&celery, Duration::from_millis(20))
            .await
            .unwrap()
    );
    let message = pipeline("a");
    let publish = redis.publish("celery", message.raw());
    let (found, ()) = tokio::join!(broker.wait(&celery, Duration::from_secs(20)), publish);
    assert!(found.unwrap());
    assert!(broker.wait(&celery, Duration::from_secs(20)).await.unwrap());
    assert_eq!(redis.texts("celery").await, [message.raw()]);
}
