-- A control is what the legacy pipeline made of a recording, taken before people edit it.
create table controls (
    id            text   not null primary key,
    recording_id  text   not null,
    source        text   not null,                 -- where it was taken from
    outcome       text   not null,                 -- JSON
    taken_at      bigint not null
);

-- A run is one pipeline working on one recording. Its state is ours: the engine's own record may be
-- lost with the engine. A recording is run again by a higher generation, never by a second row.
create table runs (
    id              text   not null primary key,
    environment     text   not null,
    flag            text   not null,
    recording_id    text   not null,
    transcript_id   text   not null,
    generation      bigint not null,
    pipeline        text   not null check (pipeline in ('control', 'candidate')),
    phase           text   not null,               -- as it was when the run was dispatched
    state           text   not null check (state in ('starting', 'running', 'completed', 'failed', 'terminated')),
    workflow_id     text,                          -- null until the engine answered
    failure         text,                          -- step, attempt and cause; no meeting text
    subject         text   not null,               -- JSON: what Reflector's rows said at dispatch
    cache_scope     text   not null,               -- '' shares paid answers with other runs
    control_id      text references controls (id), -- null while the control has not ended
    started_at      bigint not null,
    start_tried_at  bigint not null,               -- when somebody last set out to start its workflow
    finished_at     bigint,
    unique (environment, flag, recording_id, generation, pipeline)
);
create index runs_open on runs (state, started_at);

-- An output is the checkpoint of one task of a run: what it reported to the engine, and the larger
-- result other tasks read from here. Written once; a retry finds it.
create table outputs (
    run_id      text   not null references runs (id),
    task_ref    text   not null,
    input_hash  text   not null,
    output      text   not null,                   -- JSON as reported: references and small values
    document    text,                              -- JSON: words, topics, texts
    created_at  bigint not null,
    primary key (run_id, task_ref)
);

-- A cached answer is what a paid call returned, found again by the hash of what was asked.
create table cached_answers (
    scope       text   not null,
    kind        text   not null,
    input_hash  text   not null,
    answer      text   not null,                   -- JSON
    created_at  bigint not null,
    primary key (scope, kind, input_hash)
);

-- An intent is something a run would have shown to others, with its exact bytes.
create table intents (
    run_id      text   not null references runs (id),
    task_ref    text   not null,
    position    bigint not null,                   -- order within the task
    kind        text   not null,                   -- event, message, zulip, webhook, put_object, delete_object, row
    target      text   not null,                   -- channel, URL, key or column
    content     text   not null,                   -- JSON or the exact text
    created_at  bigint not null,
    primary key (run_id, task_ref, position)
);

-- An attempt is one execution of one task by one worker, with how it ended.
create table attempts (
    task_id     text   not null primary key,       -- the engine's id, new for each attempt
    run_id      text   not null references runs (id),
    task_ref    text   not null,
    task_name   text   not null,
    attempt     bigint not null,                   -- 1 is the first
    worker      text   not null,
    started_at  bigint not null,
    finished_at bigint,
    status      text   not null check (status in ('running', 'completed', 'failed', 'failed_terminally')),
    cause       text                               -- why it failed; no meeting text
);
create index attempts_of_run on attempts (run_id, started_at);

-- What an attempt used of a thing that costs money.
create table usages (
    task_id     text             not null,
    run_id      text             not null references runs (id),
    task_ref    text             not null,
    kind        text             not null,
    used_of     text             not null,         -- model or bucket
    amount      double precision not null,
    primary key (task_id, kind, used_of)
);
create index usages_of_run on usages (run_id);

-- A result a worker has not yet been able to deliver to the engine.
create table spooled_results (
    task_id     text   not null primary key,
    workflow_id text   not null,
    result      text   not null,                   -- JSON: the body of the update
    give_up_at  bigint not null,                   -- after the response timeout nobody waits for it
    created_at  bigint not null
);
