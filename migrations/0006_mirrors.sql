-- A mirror is a second run of the unmodified legacy pipeline on a recording, in a row of Reflector's
-- that is ours: how far the control differs from itself. The row here is written before anything is
-- done outside and says what is to be removed there, so that a crash leaves nothing behind.
create table mirrors (
    mirror_transcript_id   text   not null primary key,
    environment            text   not null,
    original_transcript_id text   not null,
    recording_id           text   not null,
    bucket_name            text   not null,               -- of the raw tracks
    track_keys             text   not null,               -- JSON: what the task is given
    task_id                text   not null,               -- of the Celery task
    state                  text   not null
        check (state in ('planned', 'inserted', 'dispatched', 'ended', 'compared', 'removed')),
    original_control_id    text   not null references controls (id),
    control_id             text   references controls (id),   -- what the mirror made
    verdict                text,                          -- of the original against the mirror
    comparison             text,                          -- JSON: field by field
    outcome                text
        check (outcome in ('compared', 'not_comparable', 'failed', 'timed_out', 'refused', 'abandoned')),
    reason                 text,                          -- for people, where it is not `compared`
    holder                 text,                          -- the process at work on it
    lease_until            bigint,                        -- until when nobody else is
    started_at             bigint not null,
    dispatched_at          bigint,
    changed_at             bigint not null
);
create index mirrors_of_environment on mirrors (environment, started_at);
-- One at a time: a mirror run may not disturb another either.
create unique index mirrors_unfinished on mirrors (environment) where state <> 'removed';
