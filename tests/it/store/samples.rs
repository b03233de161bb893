//! Rows to store, each told apart by one number or name.

use chrono::{DateTime, Utc};
use switchyard::{
    model::{
        EnvironmentName, FlagName, Origin, Outcome, RecordingFacts, RecordingId, RunId, Subject,
        TranscriptFacts, TranscriptId, Usage, UsageKind,
    },
    store::{Attempt, Control, Intent, IntentKind, NewRun, Output, Store},
};

/// So many milliseconds after a fixed moment.
pub fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_760_954_400_000 + ms).expect("it is a time")
}

pub fn staging() -> EnvironmentName {
    EnvironmentName::new("staging")
}

pub fn flag() -> FlagName {
    FlagName::new("daily_diarization_pipeline")
}

pub fn subject(recording: &str) -> Subject {
    Subject {
        recording: RecordingFacts {
            id: RecordingId::new(recording),
            bucket_name: "daily-recordings".to_owned(),
            object_key: "example/standup/20251020100000".to_owned(),
            track_keys: vec!["a".to_owned(), "b".to_owned()],
        },
        transcript: TranscriptFacts {
            id: TranscriptId::new(format!("transcript-of-{recording}")),
            created_at: "2025-10-20T10:05:00.123456+00:00".to_owned(),
            user_id: Some("user-ana".to_owned()),
            room_id: None,
            source_kind: "room".to_owned(),
            source_language: "en".to_owned(),
            target_language: "en".to_owned(),
            title: None,
            zulip_message_id: None,
            participants: Vec::new(),
        },
        room: None,
        calendar_event: None,
        consents: Vec::new(),
        track_keys: vec!["a".to_owned()],
        ui_base_url: "https://reflector.example.test".to_owned(),
    }
}

/// A run of a recording, the first generation in staging unless changed.
pub fn new_run(id: &str, recording: &str) -> NewRun {
    NewRun {
        id: RunId::new(id),
        environment: staging(),
        flag: flag(),
        generation: 1,
        phase: "shadow".to_owned(),
        subject: subject(recording),
        cache_scope: String::new(),
        control_id: None,
        effects: switchyard::store::Effects::Shadow,
        origin: Origin::Arrival,
    }
}

/// Inserts a run of a recording of its own.
pub async fn run(store: &Store, id: &str) -> RunId {
    let new = new_run(id, &format!("recording-of-{id}"));
    let inserted = store.insert_run(&new, at(0)).await.expect("it is written");
    assert!(inserted, "`{id}` is new");
    new.id
}

pub fn control(id: &str) -> Control {
    Control {
        id: id.to_owned(),
        recording_id: RecordingId::new("recording"),
        source: "recorded".to_owned(),
        outcome: Outcome {
            title: Some("Launch moved to 11 November – Café ☕".to_owned()),
            duration_ms: Some(282_605.52),
            waveform: vec![0.0, 0.13, 1.0],
            ..Outcome::default()
        },
        taken_at: at(1),
    }
}

pub fn output(task_ref: &str, input_hash: &str, value: serde_json::Value) -> Output {
    Output {
        task_ref: task_ref.to_owned(),
        input_hash: input_hash.to_owned(),
        output: value,
        document: None,
    }
}

pub fn intent(kind: IntentKind, target: &str, content: &str) -> Intent {
    Intent {
        kind,
        target: target.to_owned(),
        content: content.to_owned(),
    }
}

pub fn attempt(task_id: &str, task_ref: &str, number: i64, started_ms: i64) -> Attempt {
    Attempt {
        task_id: task_id.to_owned(),
        task_ref: task_ref.to_owned(),
        task_name: "pad_track".to_owned(),
        attempt: number,
        worker: "worker-1".to_owned(),
        started_at: at(started_ms),
        finished_at: None,
        status: "running".to_owned(),
        cause: None,
    }
}

pub fn usage(kind: UsageKind, of: &str, amount: f64) -> Usage {
    Usage {
        kind,
        of: of.to_owned(),
        amount,
    }
}
