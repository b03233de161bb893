//! The tables and columns of Reflector's that we read, and nothing else of it. Columns that some
//! deployments lack (`recording.workflow_id`, `transcript.workflow_run_id`) are not among them.

/// A table and those of its columns that one kind of read needs.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [&'static str],
}

/// What is known of a transcript when its run begins. Without the columns that grow large.
pub(super) const TRANSCRIPT: Table = Table {
    name: "transcript",
    columns: &[
        "id",
        "status",
        "created_at",
        "user_id",
        "room_id",
        "meeting_id",
        "recording_id",
        "source_kind",
        "source_language",
        "target_language",
        "title",
        "zulip_message_id",
        "participants",
    ],
};

/// What a run leaves in its transcript.
pub(super) const MADE: Table = Table {
    name: "transcript",
    columns: &[
        "id",
        "status",
        "topics",
        "events",
        "participants",
        "webvtt",
        "audio_deleted",
    ],
};

/// What tells past runs from one another.
pub(super) const PAST: Table = Table {
    name: "transcript",
    columns: &[
        "id",
        "status",
        "created_at",
        "duration",
        "room_id",
        "recording_id",
        "audio_deleted",
    ],
};

pub(super) const RECORDING: Table = Table {
    name: "recording",
    columns: &[
        "id",
        "bucket_name",
        "object_key",
        "meeting_id",
        "track_keys",
    ],
};

pub(super) const MEETING: Table = Table {
    name: "meeting",
    columns: &["id", "calendar_event_id"],
};

pub(super) const ROOM: Table = Table {
    name: "room",
    columns: &[
        "id",
        "name",
        "zulip_auto_post",
        "zulip_stream",
        "zulip_topic",
        "webhook_url",
        "webhook_secret",
    ],
};

pub(super) const CONSENT: Table = Table {
    name: "meeting_consent",
    columns: &[
        "id",
        "meeting_id",
        "user_id",
        "consent_given",
        "consent_timestamp",
    ],
};

pub(super) const CALENDAR_EVENT: Table = Table {
    name: "calendar_event",
    columns: &[
        "id",
        "ics_uid",
        "title",
        "start_time",
        "end_time",
        "description",
        "location",
        "attendees",
    ],
};

/// Everything above.
pub(super) const ALL: [&Table; 8] = [
    &TRANSCRIPT,
    &MADE,
    &PAST,
    &RECORDING,
    &MEETING,
    &ROOM,
    &CONSENT,
    &CALENDAR_EVENT,
];
