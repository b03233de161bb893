//! What several benchmarks need: messages as Reflector publishes them, and quantiles.

use std::time::Duration;

use switchyard::{
    legacy::celery::{NewTask, Queue},
    model::TranscriptId,
};

/// The value that a share of all are not above. They are sorted, and there is one at least.
pub fn quantile(sorted: &[Duration], share: f64) -> Duration {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length is an index"
    )]
    let at = (sorted.len() as f64 * share) as usize;
    sorted[at.min(sorted.len() - 1)]
}

/// In milliseconds.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// A queue of Celery's.
pub fn queue(name: &str) -> Queue {
    Queue::new(name).expect("a name")
}

/// The message of a recording of three tracks, as Reflector's webhook handler publishes it on `list`.
pub fn message(transcript: &str, list: &str) -> String {
    let keys: Vec<_> = (0..3)
        .map(|track| format!("example/standup-20251020100000/{track}-cam-audio-1760954400438"))
        .collect();
    let transcript = TranscriptId::new(transcript);
    let task = NewTask {
        parent_id: Some("the-trigger".to_owned()),
        ..NewTask::pipeline(&transcript, "daily-recordings", &keys, "bench@here")
    };
    let message = task.for_queue(&queue(list)).expect("a valid task");
    message.raw().to_owned()
}
