-- Who serves the users of a recording. Each takeover raises the epoch, and what an owner of an earlier
-- epoch still wants to do is refused: every reservation of an effect locks this row first.
create table ownership (
    environment   text   not null,
    flag          text   not null,
    recording_id  text   not null,
    owner         text   not null check (owner in ('control', 'candidate')),
    run_id        text references runs (id),       -- null where the control owns it
    epoch         bigint not null,
    stage         text   not null check (stage in ('open', 'finalized', 'delivered')),
    reason        text   not null,                 -- for people
    changed_at    bigint not null,
    primary key (environment, flag, recording_id)
);
create index ownership_of_run on ownership (run_id);

-- The ledger: what a live run shows to others, one row for each intent. It is reserved with the
-- checkpoint of its task, and done at most once where the outside allows to tell.
create table effects (
    run_id        text   not null references runs (id),
    task_ref      text   not null,
    position      bigint not null,                 -- that of the intent
    environment   text   not null,
    flag          text   not null,
    kind          text   not null,                 -- that of the intent
    effect_key    text   not null,                 -- the same whoever does it, and however often
    epoch         bigint not null,                 -- in which it was reserved
    request_hash  text   not null,                 -- SHA-256 of target and content
    state         text   not null check (state in ('reserved', 'sending', 'sent', 'unknown', 'confirmed')),
    attempts      bigint not null,
    holder        text,                            -- who is sending
    lease_until   bigint,                          -- until when nobody else may try
    answer        text,                            -- HTTP status or message id
    changed_at    bigint not null,
    primary key (run_id, task_ref, position),
    unique (environment, flag, effect_key)
);

-- The epoch a live run owns its recording in; null for a shadow run.
alter table runs add column epoch bigint;
-- How much of its progress was published: four times the step's number, plus how far the step is.
alter table runs add column told bigint not null default 0;
-- When a run found its source removed because consent was denied.
alter table runs add column withdrawn_at bigint;
-- When what a shadow run kept of the meeting was deleted because consent was denied.
alter table runs add column swept_at bigint;
