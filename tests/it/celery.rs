//! Celery's queues on a real Redis, and with a real Celery 5.5.3 when `SWITCHYARD_TEST_CELERY` has
//! the Python that has it (`pip install 'celery[redis]==5.5.3'`).

mod moving;
mod publishing;
mod recovering;
mod tapping;
mod worker;

use serde_json::json;
use switchyard::{
    legacy::celery::{Envelope, NewTask, PIPELINE_TASK, Queue},
    model::TranscriptId,
};

/// A database, or the end of the test where there is no Redis.
macro_rules! fresh {
    () => {
        match crate::redis::Redis::fresh().await {
            Some(redis) => redis,
            None => return,
        }
    };
}
pub(crate) use fresh;

fn queue(name: &str) -> Queue {
    Queue::new(name).expect("a name")
}

/// Our task on the transcript of that name, published on `celery`.
fn pipeline(transcript: &str) -> Envelope {
    let keys = [format!("daily/{transcript}/track-0")];
    let task = NewTask::pipeline(
        &TranscriptId::new(transcript),
        "bucket",
        &keys,
        "tests@here",
    );
    task.for_queue(&queue("celery")).expect("a valid task")
}

/// Somebody else's task.
fn other(name: &str) -> Envelope {
    let mut task = NewTask::new("tests.echo", "tests@here");
    task.args = vec![json!(name)];
    task.for_queue(&queue("celery")).expect("a valid task")
}

/// The message as it must be on queue `legacy`.
fn on_legacy(envelope: &Envelope) -> String {
    let text = envelope.raw();
    text.replace(r#""routing_key": "celery""#, r#""routing_key": "legacy""#)
}

/// The transcript a message is about.
fn transcript(envelope: &Envelope) -> String {
    assert_eq!(envelope.task(), PIPELINE_TASK);
    let body = envelope.body().expect("a body");
    body.kwargs["transcript_id"]
        .as_str()
        .expect("text")
        .to_owned()
}
