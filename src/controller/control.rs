//! What the legacy pipeline made of a recording, kept as a control.

use chrono::{DateTime, Utc};

use crate::{
    compare::{Field, Policy},
    model::{Outcome, RecordingId, Subject},
    store::{Control, Store},
};

/// The source of a control that was read from Reflector's rows alone.
pub const FROM_ROWS: &str = "Reflector's rows";

/// The source of a control whose messages were all heard beside.
pub const FROM_ROWS_AND_MESSAGES: &str = "Reflector's rows and messages";

/// The source of a control that is a mirror's.
pub const FROM_MIRROR: &str = "a mirror transcript";

/// The source of what is no control: what the candidate made of a recording that it served, beside
/// which the control is run afterwards.
pub const FROM_CANDIDATE: &str = "the candidate, which served";

/// What a mirror never does, or what rows do not tell.
pub const NOT_IN_MIRRORS: [Field; 6] = [
    Field::Messages,
    Field::Zulip,
    Field::Webhook,
    Field::Objects,
    Field::Deletions,
    Field::AudioDeleted,
];

/// What rows do not tell of a control: it is left out, not held against the candidate.
const NOT_IN_ROWS: [Field; 5] = [
    Field::Messages,
    Field::Zulip,
    Field::Webhook,
    Field::Objects,
    Field::Deletions,
];

/// The policy without what a control of that source does not tell.
pub(super) fn judged_by(policy: &Policy, source: &str) -> Policy {
    let policy = Policy::clone(policy);
    match source {
        FROM_ROWS => policy.without(&NOT_IN_ROWS),
        FROM_MIRROR => policy.without(&NOT_IN_MIRRORS),
        FROM_ROWS_AND_MESSAGES => {
            let but_messages = NOT_IN_ROWS.into_iter();
            let but_messages: Vec<_> = but_messages
                .filter(|field| *field != Field::Messages)
                .collect();
            policy.without(&but_messages)
        }
        _ => policy,
    }
}

/// Keeps an outcome as a control, and returns its id.
pub async fn keep_control(
    store: &Store,
    recording: &RecordingId,
    source: impl Into<String>,
    outcome: Outcome,
    now: DateTime<Utc>,
) -> anyhow::Result<String> {
    let control = Control {
        id: format!("ctl_{}", uuid::Uuid::new_v4().simple()),
        recording_id: recording.clone(),
        source: source.into(),
        outcome,
        taken_at: now,
    };
    store.insert_control(&control).await?;
    Ok(control.id)
}

/// A subject read when a run was over, without what that very run left in the row.
pub fn as_before_the_run(subject: &mut Subject) {
    subject.transcript.title = None;
    subject.transcript.zulip_message_id = None;
    subject.transcript.participants.clear();
}
