-- Reflector's tables as far as the multitrack pipeline meets them, at revision bbafedfa510c.
-- workflow_columns.sql brings them to 0f943fede0e0.

create table alembic_version (version_num varchar(32) primary key);
insert into alembic_version values ('bbafedfa510c');

create type sourcekind as enum ('room', 'live', 'file');

create table room (
    id varchar primary key,
    name varchar not null unique,
    user_id varchar not null,
    created_at timestamptz not null,
    zulip_auto_post boolean not null default false,
    zulip_stream varchar,
    zulip_topic varchar,
    is_locked boolean not null default false,
    room_mode varchar not null default 'normal',
    recording_type varchar not null default 'cloud',
    recording_trigger varchar not null default 'automatic-2nd-participant',
    is_shared boolean not null default false,
    webhook_url varchar,
    webhook_secret varchar,
    ics_url text,
    ics_fetch_interval integer default 300,
    ics_enabled boolean not null default false,
    ics_last_sync timestamptz,
    ics_last_etag text,
    platform varchar not null
);

create table calendar_event (
    id varchar primary key,
    room_id varchar not null references room (id) on delete cascade,
    ics_uid text not null,
    title text,
    description text,
    start_time timestamptz not null,
    end_time timestamptz not null,
    attendees jsonb,
    location text,
    ics_raw_data text,
    last_synced timestamptz not null,
    is_deleted boolean not null default false,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create table meeting (
    id varchar primary key,
    room_name varchar,
    room_url varchar,
    host_room_url varchar,
    start_date timestamptz,
    end_date timestamptz,
    room_id varchar references room (id) on delete cascade,
    is_locked boolean not null default false,
    room_mode varchar not null default 'normal',
    recording_type varchar not null default 'cloud',
    recording_trigger varchar not null default 'automatic-2nd-participant',
    num_clients integer not null default 0,
    is_active boolean not null default true,
    calendar_event_id varchar references calendar_event (id) on delete set null,
    calendar_metadata jsonb,
    platform varchar not null default 'whereby'
);

create table meeting_consent (
    id varchar primary key,
    meeting_id varchar not null references meeting (id) on delete cascade,
    user_id varchar,
    consent_given boolean not null,
    consent_timestamp timestamptz not null
);

create table daily_participant_session (
    id varchar primary key,
    meeting_id varchar not null references meeting (id) on delete cascade,
    room_id varchar not null references room (id) on delete cascade,
    session_id varchar not null,
    user_id varchar,
    user_name varchar not null,
    joined_at timestamptz not null,
    left_at timestamptz
);

create function prevent_left_at_update() returns trigger language plpgsql as $$
begin
    if old.left_at is not null then
        raise exception 'left_at is set already';
    end if;
    return new;
end;
$$;
create trigger prevent_left_at_update_trigger before update on daily_participant_session
    for each row execute function prevent_left_at_update();

create table recording (
    id varchar primary key,
    bucket_name varchar not null,
    object_key varchar not null,
    recorded_at timestamptz not null,
    status varchar not null default 'pending',
    meeting_id varchar,
    track_keys json
);

create table transcript (
    id varchar primary key,
    name varchar,
    status varchar,
    locked boolean,
    duration double precision,
    created_at timestamptz,
    long_summary varchar,
    topics json,
    events json,
    source_language varchar,
    target_language varchar,
    user_id varchar,
    title varchar,
    short_summary varchar,
    audio_location varchar not null default 'local',
    share_mode varchar not null default 'private',
    participants json,
    reviewed boolean not null default false,
    meeting_id varchar,
    zulip_message_id integer,
    source_kind sourcekind not null,
    recording_id varchar,
    audio_deleted boolean,
    room_id varchar,
    webvtt text,
    search_vector_en tsvector generated always as (
        setweight(to_tsvector('english', coalesce(title, '')), 'A')
        || setweight(to_tsvector('english', coalesce(long_summary, '')), 'B')
        || setweight(to_tsvector('english', coalesce(webvtt, '')), 'C')
    ) stored
);
create index idx_transcript_search_vector_en on transcript using gin (search_vector_en);
create index idx_transcript_recording_id on transcript (recording_id);
create index idx_transcript_user_id on transcript (user_id);
create index idx_transcript_user_id_recording_id on transcript (user_id, recording_id);
create index idx_transcript_created_at on transcript (created_at);
create index idx_transcript_room_id on transcript (room_id);
create index idx_transcript_room_id_created_at on transcript (room_id, created_at);
create index idx_transcript_source_kind on transcript (source_kind);
