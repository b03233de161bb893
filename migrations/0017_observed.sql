-- A part of a recording's trace that was told: the recording as it was routed, a run that nobody's
-- arrival led to, or one comparison. It is told again where its run ended once more.
create table traces (
    environment     text   not null,
    flag            text   not null,
    kind            text   not null check (kind in ('route', 'run', 'comparison')),
    subject         text   not null,               -- transcript and generation with a space, or the id
    trace_id        text   not null,               -- 32 hex digits, made of the above
    told_at         bigint not null,
    primary key (environment, flag, kind, subject)
);
create index comparisons_by_time on comparisons (compared_at);

-- What metrics count, without reading rows.
create index comparisons_by_verdict on comparisons (run_id, verdict);
create index runs_counted on runs (environment, flag, state, origin, epoch, finished_at, swept_at);
create index routes_counted on routes (environment, flag, owner, beside, way, state, arrived_at);
create index attempts_not_completed on attempts (status, task_name, run_id) where status <> 'completed';
create index effects_pending on effects (environment, flag, state, kind) where state in ('reserved', 'sending', 'unknown');
