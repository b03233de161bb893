//! The tap.

use std::{cell::RefCell, future::pending, time::Duration};

use futures_util::FutureExt;
use switchyard::{
    legacy::celery::{Decision, Envelope, NewTask, Tap, TapSettings},
    model::TranscriptId,
};

use super::{fresh, on_legacy, other, pipeline, queue, transcript};
use crate::{phases::celery_there, redis::Redis};

fn tap(redis: &Redis) -> Tap {
    let settings = TapSettings::new(queue("celery"), queue("legacy"));
    Tap::new(redis.broker(), settings).expect("two queues")
}

/// A new task on the transcript of that name; without a parent it wants it anew.
fn once(name: &str, has_parent: bool) -> Envelope {
    let mut task = NewTask::pipeline(&TranscriptId::new(name), "bucket", &[], "tests@here");
    task.parent_id = has_parent.then(|| "parent".to_owned());
    task.for_queue(&queue("celery")).expect("a valid task")
}

async fn forward(_: &Envelope) -> Decision {
    Decision::Forward(celery_there())
}

#[tokio::test]
async fn everything_is_handed_on_in_order_and_only_our_task_is_asked_about() {
    let redis = fresh!();
    let messages = [
        other("a"),
        pipeline("b"),
        other("c"),
        other("d"),
        pipeline("e"),
    ];
    for message in &messages {
        redis.publish("celery", message.raw()).await;
    }
    let asked = RefCell::new(Vec::new());
    let tick = tap(&redis)
        .tick(async |envelope| {
            asked.borrow_mut().push(transcript(envelope));
            // What was before it has gone, it has not.
            Decision::Forward(celery_there())
        })
        .await
        .unwrap();
    assert_eq!(*asked.borrow(), ["b", "e"]);
    assert_eq!((tick.forwarded, tick.passed_on, tick.withheld), (2, 3, 0));
    let expected: Vec<String> = messages.iter().map(on_legacy).collect();
    assert_eq!(redis.texts("legacy").await, expected);
    assert!(tap(&redis).tick(forward).await.unwrap().is_idle());
}

#[tokio::test]
async fn a_withheld_message_ends_and_is_parked_until_the_decision_is_made() {
    let redis = fresh!();
    let ours = pipeline("a");
    redis.publish("celery", ours.raw()).await;
    let tick = tap(&redis)
        .tick(async |_| {
            assert_eq!(redis.ask::<u64>("HLEN", "unacked", &[]).await, 1);
            Decision::Withhold(Some(celery_there()))
        })
        .await
        .unwrap();
    assert_eq!((tick.forwarded, tick.withheld), (0, 1));
    assert_eq!(tick.ended, [ours.id()]);
    let mark = format!("switchyard.withheld:{}", ours.id());
    let marks = ["switchyard.sequence", "switchyard.settled:a", &mark];
    let keys = marks.map(|name| redis.key(name));
    assert_eq!(redis.keys().await, keys);
}

#[tokio::test]
async fn a_step_that_is_dropped_midway_is_made_up_for_by_the_next() {
    let redis = fresh!();
    let messages = [other("a"), pipeline("b"), other("c")];
    for message in &messages {
        redis.publish("celery", message.raw()).await;
    }
    let mut tap = tap(&redis);
    let reached = tokio::sync::Notify::new();
    {
        let step = tap.tick(async |_| {
            reached.notify_one();
            pending().await
        });
        tokio::pin!(step);
        tokio::select! {
            _ = &mut step => panic!("it waits for a decision"),
            () = reached.notified() => {}
        }
    }
    assert_eq!(redis.texts("legacy").await, [on_legacy(&messages[0])]);
    assert!(redis.texts("celery").await.is_empty());
    let tick = tap.tick(forward).await.unwrap();
    assert_eq!((tick.forwarded, tick.passed_on), (1, 1));
    let expected: Vec<String> = messages.iter().map(on_legacy).collect();
    assert_eq!(redis.texts("legacy").await, expected);
}

#[tokio::test]
async fn what_a_dead_tap_held_is_put_back_by_another() {
    let redis = fresh!();
    redis.publish("celery", pipeline("a").raw()).await;
    let mut dead = tap(&redis);
    let reached = tokio::sync::Notify::new();
    let step = dead.tick(async |_| {
        reached.notify_one();
        pending().await
    });
    tokio::select! {
        _ = step => panic!("it waits for a decision"),
        () = reached.notified() => {}
    }
    drop(dead);
    let mut living = tap(&redis);
    assert!(living.tick(forward).await.unwrap().is_idle());
    assert_eq!(living.recover(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(living.tick(forward).await.unwrap().forwarded, 1);
}

#[tokio::test]
async fn what_is_put_back_while_it_is_decided_about_is_left_to_who_takes_it_next() {
    let redis = fresh!();
    redis.publish("celery", pipeline("a").raw()).await;
    let mut slow = tap(&redis);
    let tick = slow
        .tick(async |_| {
            let mut quick = tap(&redis);
            quick.recover(Duration::ZERO).await.unwrap();
            assert_eq!(quick.tick(forward).await.unwrap().forwarded, 1);
            Decision::Withhold(Some(celery_there()))
        })
        .await
        .unwrap();
    assert_eq!((tick.withheld, tick.not_held), (0, 1));
    assert_eq!(redis.texts("legacy").await.len(), 1);
}

/// The same request as two tasks, such as a webhook's and the poller's, one of them answered in doubt.
#[tokio::test]
async fn what_was_settled_of_a_transcript_holds_for_its_later_tasks_until_it_is_wanted_anew() {
    let (on, off) = (
        Decision::Forward(celery_there()),
        Decision::Withhold(Some(celery_there())),
    );
    let redis = fresh!();
    let mut tap = tap(&redis);
    let cases = [
        ("a", on, true, off, on),
        ("b", off, true, on, off),
        ("c", on, false, off, off),
        ("d", off, false, on, on),
    ];
    for (name, first, is_once, second, expected) in cases {
        let tasks = [(once(name, true), first), (once(name, is_once), second)];
        for (message, decision) in tasks {
            redis.publish("celery", message.raw()).await;
            let tick = tap.tick(async |_| decision).await.unwrap();
            assert_eq!(tick.forwarded + tick.withheld, 1);
        }
        let last = once(name, true);
        redis.publish("celery", last.raw()).await;
        let tick = tap.tick(async |_| second).await.unwrap();
        let settled = if tick.forwarded == 1 { on } else { off };
        assert_eq!(settled, expected, "{name}");
    }
    assert_eq!(redis.texts("legacy").await.len(), 3 + 1 + 2);
}

#[tokio::test]
async fn what_cannot_be_read_is_handed_on_byte_by_byte_and_reported() {
    let redis = fresh!();
    let bytes: &[&[u8]] = &[b"\xff not text", b"not json", b"{}", b"[1]"];
    for text in bytes {
        redis.publish("celery", text).await;
    }
    let mut tap = tap(&redis);
    let tick = tap.tick(forward).await.unwrap();
    assert_eq!(tick.passed_on, 4);
    assert_eq!(tick.verbatim.len(), 4);
    assert_eq!(redis.list("legacy").await, bytes);
}

#[tokio::test]
async fn a_task_in_a_format_we_cannot_read_still_gets_its_routing_key() {
    let redis = fresh!();
    // Protocol 1 keeps the task's name in the body.
    let text = r#"{"body": "gASV", "headers": {}, "content-type": "application/x-python-serialize", "properties": {"delivery_info": {"exchange": "", "routing_key": "celery"}}}"#;
    redis.publish("celery", text).await;
    let tick = tap(&redis).tick(forward).await.unwrap();
    assert_eq!((tick.passed_on, tick.verbatim.len()), (1, 1));
    assert_eq!(
        redis.texts("legacy").await,
        [text.replace("celery", "legacy")]
    );
}

#[tokio::test]
async fn a_tap_that_would_feed_itself_is_refused() {
    let redis = fresh!();
    let settings = TapSettings::new(queue("celery"), queue("celery"));
    let refused = Tap::new(redis.broker(), settings).err().unwrap();
    assert!(refused.to_string().contains("`celery`"), "{refused}");
}

#[tokio::test]
async fn of_ten_thousand_messages_none_is_lost_and_none_overtakes_another() {
    let redis = fresh!();
    let texts: Vec<String> = (0..10_000)
        .map(|number| {
            let name = format!("t{number}");
            let message = if number % 10 == 0 {
                pipeline(&name)
            } else {
                other(&name)
            };
            message.raw().to_owned()
        })
        .collect();
    for chunk in texts.chunks(1000) {
        let chunk: Vec<&[u8]> = chunk.iter().map(String::as_bytes).collect();
        let _: u64 = redis.ask("LPUSH", "celery", &chunk).await;
    }
    let mut tap = tap(&redis);
    let (mut forwarded, mut passed_on, mut dropped) = (0, 0, 0_u32);
    for turn in 0_u32.. {
        // Every seventh step breaks off as soon as it waits for anything.
        if turn % 7 == 3 {
            assert!(tap.tick(forward).now_or_never().is_none());
            dropped += 1;
            continue;
        }
        let tick = tap.tick(forward).await.unwrap();
        forwarded += tick.forwarded;
        passed_on += tick.passed_on;
        if tick.is_idle() {
            break;
        }
    }
    assert!(dropped > 10);
    assert!(forwarded <= 1000 && passed_on <= 9000);
    let expected: Vec<String> = texts
        .iter()
        .map(|text| text.replace(r#""routing_key": "celery""#, r#""routing_key": "legacy""#))
        .collect();
    let arrived = redis.texts("legacy").await;
    assert_eq!(arrived.len(), expected.len());
    assert!(arrived == expected, "messages changed places");
    assert_eq!(tap.recover(Duration::ZERO).await.unwrap(), 0);
}

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn seeded() -> Self {
        let (seed, _) = uuid::Uuid::new_v4().as_u64_pair();
        eprintln!("seed {seed}");
        Self(seed | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[tokio::test]
async fn taps_that_die_at_any_moment_lose_nothing_and_keep_the_order() {
    let redis = fresh!();
    let mut dice = Dice::seeded();
    let texts: Vec<String> = (0..10_000)
        .map(|number| {
            let name = format!("t{}", number % 500);
            let message = if dice.below(4) == 0 {
                pipeline(&name)
            } else {
                other(&name)
            };
            message.raw().to_owned()
        })
        .collect();
    for chunk in texts.chunks(1000) {
        let chunk: Vec<&[u8]> = chunk.iter().map(String::as_bytes).collect();
        let _: u64 = redis.ask("LPUSH", "celery", &chunk).await;
    }
    let mut died = 0;
    let mut living = tap(&redis);
    loop {
        // After so many turns of the runtime it is dead, whatever it was at.
        let turns = dice.below(400);
        let end = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        };
        let work = async { while !living.tick(forward).await.unwrap().is_idle() {} };
        let is_done = tokio::select! {
            biased;
            () = work => true,
            () = end => false,
        };
        if is_done {
            break;
        }
        died += 1;
        living = tap(&redis);
        living.recover(Duration::ZERO).await.unwrap();
    }
    assert!(died > 5, "only {died} died");
    let expected: Vec<String> = texts
        .iter()
        .map(|text| text.replace(r#""routing_key": "celery""#, r#""routing_key": "legacy""#))
        .collect();
    let arrived = redis.texts("legacy").await;
    assert_eq!(arrived.len(), expected.len());
    assert!(arrived == expected, "messages changed places");
}

#[tokio::test]
async fn what_is_left_stays_on_the_queue_in_its_place_and_holds_nothing_up() {
    let redis = fresh!();
    let mut settings = TapSettings::new(queue("celery"), queue("legacy"));
    settings.batch = 2;
    let mut tap = Tap::new(redis.broker(), settings).unwrap();
    let messages = ["a", "b", "c", "d", "e"].map(pipeline);
    for message in &messages {
        redis.publish("celery", message.raw()).await;
    }
    let other = other("x");
    redis.publish("celery", other.raw()).await;
    let before = redis.texts("celery").await;
    let leave = async |envelope: &Envelope| {
        let asked = envelope.id() == messages[4].id();
        if asked {
            forward(envelope).await
        } else {
            Decision::Leave
        }
    };
    let tick = tap.tick(leave).await.unwrap();
    assert_eq!((tick.left, tick.forwarded), (2, 0));
    assert_eq!(redis.texts("celery").await, before);
    assert_eq!(redis.broker().held().await.unwrap(), 0);
    // Those behind them come to be seen all the same.
    for left in [4, 4] {
        let tick = tap.tick(leave).await.unwrap();
        assert_eq!(tick.left, left);
    }
    assert_eq!(redis.texts("celery").await.len(), 4);
    let mut legacy = redis.texts("legacy").await;
    legacy.sort();
    let mut expected = [on_legacy(&messages[4]), on_legacy(&other)];
    expected.sort();
    assert_eq!(legacy, expected);
    // And when they are decided about at last, they go in order.
    let tick = tap.tick(forward).await.unwrap();
    assert_eq!((tick.left, tick.forwarded), (0, 4));
    let legacy = redis.texts("legacy").await;
    let expected = messages[..4].iter().map(on_legacy).collect::<Vec<_>>();
    assert_eq!(legacy[2..], expected);
}

#[tokio::test]
async fn without_the_proof_nothing_is_handed_on_whatever_was_settled_before() {
    let redis = fresh!();
    let mut tap = tap(&redis);
    let message = pipeline("a");
    redis.publish("celery", message.raw()).await;
    assert_eq!(tap.tick(forward).await.unwrap().forwarded, 1);
    redis.publish("celery", message.raw()).await;
    let tick = tap.tick(async |_| Decision::Withhold(None)).await.unwrap();
    assert_eq!((tick.forwarded, tick.withheld), (0, 1));
    assert_eq!(redis.texts("legacy").await.len(), 1);
}
