-- What is below a phase: cutover soaks once the candidate serves everybody, and cleanup is always in
-- one of three. A migration that was in cleanup before has only begun it.
alter table phases add column sub text not null default '' check (sub in ('', 'soak', 'draining', 'archived', 'removed'));
update phases set sub = 'draining' where phase = 'cleanup';

-- How far the chain of `audit` is. Its one row is changed by whoever adds an entry, who so waits for
-- everybody else who does.
create table audit_head (
    id              bigint not null primary key check (id = 1),
    seq             bigint not null,
    hash            text   not null
);
insert into audit_head (id, seq, hash)
values (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

-- An entry of the audit trail: who changed what, and why. Never changed, never deleted; each holds the
-- hash of the one before.
create table audit (
    seq             bigint not null primary key,
    at              bigint not null,
    environment     text   not null,
    flag            text   not null,
    actor           text   not null,
    action          text   not null,
    state_before    text   not null,
    state_after     text   not null,
    reason          text   not null,
    previous        text   not null,               -- hash of the entry before
    hash            text   not null                -- SHA-256 of the entry as canonical JSON
);
create index audit_of_flag on audit (environment, flag, seq);

-- A hold blocks forward moves until it is released; one whose time is over still does.
create table holds (
    id              text   not null primary key,
    environment     text   not null,
    flag            text   not null,
    owner           text   not null,
    reason          text   not null,
    placed_at       bigint not null,
    expires_at      bigint not null,
    told_at         bigint,                        -- when its expiry was told
    released_at     bigint,
    released_by     text
);
create index holds_in_force on holds (environment, flag, released_at);

-- A precondition that somebody took upon themselves, for some hours.
create table overrides (
    id              text   not null primary key,
    environment     text   not null,
    flag            text   not null,
    precondition    text   not null,
    taken_by        text   not null,
    reason          text   not null,
    taken_at        bigint not null,
    expires_at      bigint not null
);
create index overrides_of_flag on overrides (environment, flag, expires_at);

-- A move that waits for other people's approval. It is made by the approval that completes it.
create table requests (
    id              text   not null primary key,
    environment     text   not null,
    flag            text   not null,
    phase           text   not null,               -- wanted
    sub             text   not null,
    percent         bigint not null,
    seen            bigint not null,               -- version that was seen; another by now, and it is void
    evidence        text   not null,               -- digest of the evidence as it was
    requested_by    text   not null,
    reason          text   not null,
    typed_name      text,
    requested_at    bigint not null,
    state           text   not null check (state in ('open', 'made', 'withdrawn', 'void')),
    ended_at        bigint
);
create index requests_open on requests (environment, flag, state);

-- One person's approval of a request.
create table approvals (
    request_id      text   not null references requests (id),
    approved_by     text   not null,
    evidence        text   not null,               -- digest of the evidence as they saw it
    approved_at     bigint not null,
    primary key (request_id, approved_by)
);

-- Something people are to be told. Written in the transaction that it tells of, and delivered later, at
-- least once.
create table notices (
    id              text   not null primary key,
    environment     text   not null,
    flag            text   not null,
    kind            text   not null,               -- e.g. `flip`
    text            text   not null,               -- one sentence; nothing of any meeting
    document        text   not null,               -- JSON, for machines
    created_at      bigint not null,
    attempts        bigint not null,
    next_at         bigint not null,               -- not tried before
    delivered_at    bigint
);
create index notices_to_deliver on notices (environment, delivered_at, next_at);

-- Who does what only one of several processes may do at a time.
create table leases (
    name            text   not null primary key,
    holder          text   not null,
    lease_until     bigint not null
);

-- The breaker of an environment: whether its Conductor may be relied on. It decides routing, never
-- the phase.
create table breakers (
    environment     text   not null primary key,
    state           text   not null check (state in ('closed', 'suspect', 'open', 'half_open', 'recovering', 'latched')),
    reason          text   not null,               -- for people
    document        text   not null,               -- JSON: all there is to know of it
    holding         text,                          -- what both pipelines need and is down; null where nothing is
    since           bigint not null,               -- when it came into this state
    opened_at       bigint,                        -- when it opened last
    checked_at      bigint not null,               -- when it was looked at last: routers rely on no older one
    version         bigint not null
);

-- What was seen when one thing of an environment was looked at last.
create table probes (
    environment     text   not null,
    name            text   not null,
    layer           text   not null check (layer in ('conductor', 'shared', 'legacy')),
    ok              bigint not null check (ok in (0, 1)),
    found           text   not null,               -- for people
    since           bigint not null,               -- when it came to be so
    checked_at      bigint not null,
    primary key (environment, name)
);

-- A rehearsal: cutover, fallback and recovery of one recording nobody waits for.
create table rehearsals (
    id              text   not null primary key,
    environment     text   not null,
    flag            text   not null,
    state           text   not null check (state in ('under_way', 'passed', 'failed')),
    document        text   not null,               -- JSON: its steps, and how each went
    started_by      text   not null,
    started_at      bigint not null,
    ended_at        bigint
);
create index rehearsals_of_flag on rehearsals (environment, flag, started_at);

-- An export of what the legacy pipeline did, made before it goes.
create table exports (
    id              text   not null primary key,
    environment     text   not null,
    flag            text   not null,
    digest          text   not null,               -- SHA-256 of the file
    rows_written    bigint not null,
    made_by         text   not null,
    made_at         bigint not null
);
create index exports_of_flag on exports (environment, flag, made_at);

-- What a run was made for; evidence counts replays apart.
alter table runs add column origin text not null default 'arrival' check (origin in ('arrival', 'manual', 'replay', 'rehearsal'));

-- The digest of versions a comparison was made under; empty for those made before it was kept.
alter table comparisons add column epoch text not null default '';
