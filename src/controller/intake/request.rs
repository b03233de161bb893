//! What a message asks for.

use serde_json::Value;

use crate::{legacy::celery::Envelope, model::TranscriptId, store::Wish};

/// What the pipeline task was asked to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The Celery task it is, or would be.
    pub task_id: String,
    /// The transcript.
    pub transcript: TranscriptId,
    /// The bucket the tracks lie in.
    pub bucket_name: String,
    /// The tracks, in the order of speakers.
    pub track_keys: Vec<String>,
    /// Whether it is wanted anew.
    pub wish: Wish,
}

/// Why a message is left to Celery unasked. Quotes nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The body is in no format we read.
    #[error("its arguments cannot be read")]
    Unreadable,
    /// The task is called otherwise than Reflector calls it.
    #[error("it is called with other arguments than `transcript_id`, `bucket_name`, `track_keys`")]
    OtherArguments,
}

impl Request {
    /// Reads a message of the pipeline task.
    ///
    /// Reflector's reprocess endpoint and command line publish from outside a worker, so their
    /// messages have no parent; those of webhook and poller always do.
    pub fn read(envelope: &Envelope) -> Result<Self, Doubt> {
        let body = envelope.body().map_err(|_| Doubt::Unreadable)?;
        let named = |name: &str| body.kwargs.get(name);
        let text = |value: &Value| {
            let text = value.as_str().filter(|text| !text.is_empty());
            text.map(str::to_owned)
        };
        if !body.args.is_empty() || body.kwargs.len() != 3 {
            return Err(Doubt::OtherArguments);
        }
        let transcript = named("transcript_id").and_then(text);
        let bucket_name = named("bucket_name").and_then(text);
        let track_keys = named("track_keys")
            .and_then(Value::as_array)
            .and_then(|keys| keys.iter().map(text).collect());
        match (transcript, bucket_name, track_keys) {
            (Some(transcript), Some(bucket_name), Some(track_keys)) => Ok(Self {
                task_id: envelope.id().to_owned(),
                transcript: TranscriptId::new(transcript),
                bucket_name,
                track_keys,
                wish: match envelope.parent_id() {
                    Some(_) => Wish::Once,
                    None => Wish::Again,
                },
            }),
            _ => Err(Doubt::OtherArguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::legacy::celery::{NewTask, Queue};

    fn task() -> NewTask {
        let keys = ["a".to_owned(), "b".to_owned()];
        NewTask::pipeline(&"t".into(), "bucket", &keys, "tests")
    }

    fn read(task: &NewTask) -> Result<Request, Doubt> {
        let queue = Queue::new("celery").unwrap();
        Request::read(&task.for_queue(&queue).unwrap())
    }

    #[test]
    fn a_task_of_reflector_s_is_read_and_only_a_parent_makes_it_the_same_once_more() {
        let mut task = task();
        let request = read(&task).unwrap();
        assert_eq!(request.task_id, task.id);
        assert_eq!(request.transcript.as_str(), "t");
        assert_eq!(request.bucket_name, "bucket");
        assert_eq!(request.track_keys, ["a", "b"]);
        assert_eq!(request.wish, Wish::Again);
        task.parent_id = Some("p".to_owned());
        assert_eq!(read(&task).unwrap().wish, Wish::Once);
    }

    #[test]
    fn other_arguments_are_a_doubt() {
        let spoil: [fn(&mut NewTask); 6] = [
            |task| task.args.push(json!("t")),
            |task| drop(task.kwargs.insert("new".to_owned(), json!(1))),
            |task| drop(task.kwargs.remove("bucket_name")),
            |task| drop(task.kwargs.insert("transcript_id".to_owned(), json!(""))),
            |task| drop(task.kwargs.insert("track_keys".to_owned(), json!("a"))),
            |task| drop(task.kwargs.insert("track_keys".to_owned(), json!([1]))),
        ];
        for spoil in spoil {
            let mut task = task();
            spoil(&mut task);
            assert_eq!(read(&task), Err(Doubt::OtherArguments));
        }
    }
}
