-- How far a migration is in an environment. Without a row it is in `infrastructure`, at version 0.
create table phases (
    environment     text   not null,
    flag            text   not null,
    phase           text   not null check (phase in ('infrastructure', 'parallel', 'shadow', 'cutover', 'cleanup')),
    percent         bigint not null check (percent between 0 and 10000),   -- in steps of 0.01 %
    version         bigint not null,               -- counts changes; who changes it names the one they saw
    changed_at      bigint not null,
    changed_by      text   not null,
    primary key (environment, flag)
);

-- A route says who serves one generation of a transcript and who runs beside. It is pinned when the
-- first request for it arrives; requests that follow find it and change nothing.
create table routes (
    environment     text   not null,
    flag            text   not null,
    transcript_id   text   not null,
    generation      bigint not null,               -- 1, or higher where it was wanted again
    recording_id    text,                          -- null where Reflector did not tell in time
    room_id         text,
    bucket_name     text   not null,               -- as the request has it
    track_keys      text   not null,               -- JSON list, as the request has it
    subject         text,                          -- JSON: Reflector's rows at arrival; null where it did not tell
    owner           text   not null check (owner in ('control', 'candidate')),
    beside          text   not null check (beside in ('none', 'candidate')),
    phase           text   not null,               -- as it was at arrival
    percent         bigint not null,
    bucket          bigint,                        -- null where none was needed
    reason          text   not null,               -- for people
    way             text   not null check (way in ('tap', 'http', 'cli')),
    task_id         text   not null,               -- the Celery task of the first request
    state           text   not null check (state in ('offered', 'open', 'over')),   -- offered: the candidate's, not yet its
    arrived_at      bigint not null,
    confirmed_at    bigint,                        -- since when nobody else can have the task; candidate's only
    run_id          text references runs (id),     -- the candidate's run, once started
    control_id      text references controls (id), -- what the control made, once taken
    over_at         bigint,                        -- when whoever serves was done
    primary key (environment, flag, transcript_id, generation)
);
create index routes_by_state on routes (environment, flag, state, arrived_at);
create index routes_of_run on routes (run_id);
create index routes_of_task on routes (environment, flag, task_id);

-- An arrival is one Celery task that asked for a transcript: the same id is the same request, however
-- often and by whatever way it comes.
create table arrivals (
    environment     text   not null,
    flag            text   not null,
    task_id         text   not null,
    transcript_id   text   not null,
    generation      bigint not null,               -- of the route it was answered with
    way             text   not null check (way in ('tap', 'http', 'cli')),
    arrived_at      bigint not null,
    primary key (environment, flag, task_id),
    foreign key (environment, flag, transcript_id, generation)
        references routes (environment, flag, transcript_id, generation)
);
