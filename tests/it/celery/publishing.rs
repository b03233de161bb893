//! Publishing, and reading results.

use std::time::Duration;

use serde_json::Value;
use switchyard::legacy::celery::{
    BrokerError, Envelope, Holder, Limits, NewTask, RedisLocation, Results, Status, Withdrawal,
};

use super::{fresh, other, pipeline, queue};
use crate::{
    phases::celery_there,
    redis::{Redis, Server},
};

#[tokio::test]
async fn a_published_task_is_the_exact_text_on_the_queue() {
    let redis = fresh!();
    let (first, second) = (pipeline("a"), pipeline("b"));
    let broker = redis.broker();
    broker
        .push(&celery_there(), &queue("celery"), &first)
        .await
        .unwrap();
    broker
        .push(&celery_there(), &queue("celery"), &second)
        .await
        .unwrap();
    assert_eq!(redis.texts("celery").await, [first.raw(), second.raw()]);
    assert_eq!(broker.length(&queue("celery")).await.unwrap(), 2);
}

#[tokio::test]
async fn a_task_with_a_priority_goes_to_that_priority_s_list() {
    let redis = fresh!();
    let task = NewTask {
        priority: 7,
        ..NewTask::new("tests.echo", "tests@here")
    };
    let task = task.for_queue(&queue("celery")).unwrap();
    redis
        .broker()
        .push(&celery_there(), &queue("celery"), &task)
        .await
        .unwrap();
    assert_eq!(redis.keys().await, [redis.key("celery\u{6}\u{16}6")]);
    assert_eq!(redis.broker().length(&queue("celery")).await.unwrap(), 1);
}

#[tokio::test]
async fn a_message_that_would_end_a_worker_is_not_published_and_the_field_is_named() {
    let redis = fresh!();
    for (pointer, name) in [
        ("/properties", "delivery_tag"),
        ("/properties", "delivery_info"),
        ("/properties", "body_encoding"),
        ("/properties/delivery_info", "exchange"),
        ("/properties/delivery_info", "routing_key"),
        ("/headers", "lang"),
        ("", "content-type"),
        ("", "body"),
    ] {
        let mut message: Value = serde_json::from_str(pipeline("a").raw()).unwrap();
        let parent = message.pointer_mut(pointer).unwrap();
        parent.as_object_mut().unwrap().remove(name);
        let message = Envelope::parse(message.to_string()).unwrap();
        let refused = redis
            .broker()
            .push(&celery_there(), &queue("celery"), &message)
            .await;
        let Err(BrokerError::Envelope(error)) = refused else {
            panic!("without `{name}`: {refused:?}");
        };
        assert!(error.field().contains(name), "{name}: {error}");
    }
    assert!(redis.keys().await.is_empty());
}

#[tokio::test]
async fn a_message_for_another_queue_is_not_published() {
    let redis = fresh!();
    let refused = redis
        .broker()
        .push(&celery_there(), &queue("legacy"), &other("a"))
        .await;
    assert!(matches!(refused, Err(BrokerError::OtherQueue(_))));
    assert!(redis.keys().await.is_empty());
}

#[tokio::test]
async fn a_task_published_once_is_not_published_again_under_its_id() {
    let redis = fresh!();
    let broker = redis.broker();
    let celery = queue("celery");
    let first = pipeline("a");
    assert!(
        broker
            .push_once(&celery_there(), &celery, &first)
            .await
            .unwrap()
    );
    assert!(
        !redis
            .broker()
            .push_once(&celery_there(), &celery, &first)
            .await
            .unwrap()
    );
    // Not even once it has been run.
    broker.take(&celery, &Holder::random(), 1).await.unwrap();
    assert!(
        !broker
            .push_once(&celery_there(), &celery, &first)
            .await
            .unwrap()
    );
    assert!(
        broker
            .push_once(&celery_there(), &celery, &pipeline("a"))
            .await
            .unwrap()
    );
    assert_eq!(broker.length(&celery).await.unwrap(), 1);
}

#[tokio::test]
async fn a_stored_result_is_read_and_an_absent_one_is_none() {
    let redis = fresh!();
    let results = Results::new(&redis.location(), &redis.prefix, Limits::default()).unwrap();
    assert_eq!(results.result("t").await.unwrap(), None);
    let stored = br#"{"status": "FAILURE", "result": {"exc_type": "ValueError", "exc_message": ["x"], "exc_module": "builtins"}, "traceback": "", "children": [], "date_done": "2026-11-23T07:26:50+00:00", "task_id": "t"}"#;
    let _: String = redis
        .ask("SETEX", "celery-task-meta-t", &[b"60", stored])
        .await;
    let result = results.result("t").await.unwrap().unwrap();
    assert_eq!(result.status, Status::Failure);
    assert_eq!(result.failure(), Some("ValueError"));
}

#[tokio::test]
async fn waiting_for_a_result_ends_when_the_task_does_and_not_at_a_retry() {
    let redis = fresh!();
    let results = Results::new(&redis.location(), &redis.prefix, Limits::default()).unwrap();
    let limit = Duration::from_millis(50);
    assert_eq!(results.wait("t", limit).await.unwrap(), None);

    let publish = async {
        let channel = "celery-task-meta-t";
        for status in ["RETRY", "SUCCESS"] {
            let text = format!(r#"{{"status": "{status}", "result": 7, "task_id": "t"}}"#);
            // As nobody may be listening yet, until somebody is.
            while redis
                .ask::<u64>("PUBLISH", channel, &[text.as_bytes()])
                .await
                == 0
            {
                tokio::task::yield_now().await;
            }
        }
    };
    let (result, ()) = tokio::join!(results.wait("t", Duration::from_secs(20)), publish);
    assert_eq!(result.unwrap().unwrap().result, 7);
}

#[tokio::test]
async fn a_broker_that_comes_back_is_used_again() {
    let Some(server) = Server::start() else {
        return;
    };
    let redis = Redis::open(server.url(), String::new()).await;
    let (broker, port) = (redis.broker(), server.port());
    broker
        .push(&celery_there(), &queue("celery"), &pipeline("a"))
        .await
        .unwrap();
    drop(server);
    let gone = broker
        .push(&celery_there(), &queue("celery"), &pipeline("b"))
        .await;
    assert!(
        matches!(gone, Err(BrokerError::Unreachable { .. })),
        "{gone:?}"
    );
    let _server = Server::start_on(port).expect("it starts again");
    broker
        .push(&celery_there(), &queue("celery"), &pipeline("c"))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_unreachable_broker_is_an_error_that_does_not_tell_the_password() {
    let location = RedisLocation::parse("redis://:hush@127.0.0.1:1/1").unwrap();
    let broker = switchyard::legacy::celery::Broker::new(&location, "", Limits::default()).unwrap();
    let error = broker.ping().await.unwrap_err();
    assert!(matches!(error, BrokerError::Unreachable { .. }));
    let told = format!("{error} {error:?} {location}");
    assert!(!told.contains("hush"), "{told}");
}

#[tokio::test]
async fn a_task_is_withdrawn_while_nobody_has_taken_it_and_its_children_s_messages_stay() {
    let redis = fresh!();
    let (broker, celery) = (redis.broker(), queue("celery"));
    let task = pipeline("a");
    let mut child = NewTask::new("tests.echo", "tests@here");
    child.root_id = Some(task.id().to_owned());
    child.parent_id = Some(task.id().to_owned());
    let child = child.for_queue(&celery).unwrap();
    broker.push(&celery_there(), &celery, &child).await.unwrap();
    redis.publish("celery", task.id()).await;
    let unknown = broker.withdraw(&celery, task.id()).await.unwrap();
    assert_eq!(unknown, Withdrawal::NeverPublished);

    assert!(
        broker
            .push_once(&celery_there(), &celery, &task)
            .await
            .unwrap()
    );
    assert!(broker.was_published(task.id()).await.unwrap());
    let withdrawn = broker.withdraw(&celery, task.id()).await.unwrap();
    assert_eq!(withdrawn, Withdrawal::Withdrawn);
    assert_eq!(redis.texts("celery").await, [child.raw(), task.id()]);
    assert_eq!(redis.keys().await, [redis.key("celery")]);

    assert!(
        broker
            .push_once(&celery_there(), &celery, &task)
            .await
            .unwrap()
    );
    let _: String = redis.ask("LPOP", "celery", &[]).await;
    let taken = broker.withdraw(&celery, task.id()).await.unwrap();
    assert_eq!(taken, Withdrawal::Taken);
    broker.forget_published(task.id()).await.unwrap();
    assert!(!broker.was_published(task.id()).await.unwrap());
}
