-- A workflow definition of the embedded engine, one version of it. Replaced when registered again.
create table engine_workflow_defs (
    name          text   not null,
    version       bigint not null,
    document      text   not null,                 -- JSON as on the wire
    primary key (name, version)
);

-- A task definition of the embedded engine. Replaced when registered again; runs keep their copy.
create table engine_task_defs (
    name          text   not null primary key,
    document      text   not null                  -- JSON as on the wire
);

-- A run of the embedded engine, without its tasks.
create table engine_runs (
    id             text   not null primary key,
    name           text   not null,
    version        bigint not null,
    status         text   not null check (status in ('RUNNING', 'PAUSED', 'COMPLETED', 'FAILED', 'TIMED_OUT', 'TERMINATED')),
    correlation_id text,
    created_at     bigint not null,
    next_visit     bigint,                         -- when the sweeper decides it; null once ended or paused
    document       text   not null                 -- JSON as on the wire, `tasks` empty
);
create index engine_runs_by_name on engine_runs (name, status);
create index engine_runs_to_visit on engine_runs (next_visit);

-- An attempt at a task of a run. Attempts are added, never replaced by the next.
create table engine_tasks (
    id            text   not null primary key,
    run_id        text   not null references engine_runs (id),
    seq           bigint not null,                 -- order within the run
    kind          text   not null,                 -- `taskType`: the task's name, FORK or JOIN
    status        text   not null,
    document      text   not null                  -- JSON as on the wire
);
create index engine_tasks_of_run on engine_tasks (run_id, seq);
create index engine_tasks_by_status on engine_tasks (status);

-- A queue entry offers one attempt to workers; polling deletes it. Made again from `engine_tasks`
-- where a scheduled attempt has none.
create table engine_queue (
    task_id       text   not null primary key references engine_tasks (id),
    run_id        text   not null,
    queue         text   not null,                 -- the task's kind, or domain:kind
    priority      bigint not null,                 -- 0 to 99, higher first
    due_at        bigint not null,                 -- not handed out before
    seq           bigint not null                  -- among equals the earlier step first
);
create index engine_queue_due on engine_queue (queue, due_at);

-- A line of a task's log.
create table engine_task_logs (
    task_id       text   not null,
    position      bigint not null,                 -- from 1
    created_at    bigint not null,
    line          text   not null,
    primary key (task_id, position)
);
