-- Where a notice goes: one row for each target of the settings that it is meant for. `notices.delivered_at`
-- says from here on when it was given to these; what was on its way before is given to them once more.
create table notice_deliveries (
    notice_id       text   not null references notices (id),
    target          text   not null,               -- as the settings name it
    state           text   not null check (state in ('waiting', 'sending', 'sent', 'summed', 'given_up')),
    attempts        bigint not null,
    in_doubt        bigint not null check (in_doubt in (0, 1)),   -- an answer was lost: it may be there already
    next_at         bigint not null,               -- not tried before
    holder          text,                          -- who is sending
    lease_until     bigint,                        -- until when nobody else may try
    why             text,                          -- why it is not there, for people; no address
    summed_in       text references notices (id),  -- the notice that told of it with others
    changed_at      bigint not null,
    primary key (notice_id, target)
);
create index notice_deliveries_due on notice_deliveries (state, target, next_at);

-- Something that is told when it changes, with what was said of it last.
create table told_changes (
    environment     text   not null,
    flag            text   not null,
    about           text   not null,               -- e.g. `soak`
    said            text   not null,
    changed_at      bigint not null,
    primary key (environment, flag, about)
);

-- When what was said in the meeting was deleted of it; null while it is there.
alter table runs add column texts_deleted_at bigint;
alter table controls add column texts_deleted_at bigint;
-- When the run's transcript was found to be deleted: then its texts go at once.
alter table runs add column source_gone_at bigint;

-- A batch that was deleted because its time was over, and what was found of it afterwards. Never deleted.
create table retention_proofs (
    id              text   not null primary key,
    environment     text   not null,
    flag            text   not null,
    class           text   not null,
    things          bigint not null,               -- runs, notices or the like
    rows_gone       bigint not null,               -- rows deleted or emptied
    ids_digest      text   not null,               -- SHA-256 of their ids, in order, a line each
    first_at        bigint not null,               -- the oldest of them
    last_at         bigint not null,               -- the newest
    rule            text   not null,
    deleted_by      text   not null,
    deleted_at      bigint not null,
    left_over       bigint,                        -- rows that were found all the same; null until somebody looked
    checked_at      bigint,
    space           text   not null                -- what became of the place they had
);
create index retention_proofs_of_flag on retention_proofs (environment, flag, deleted_at);
-- A sort of meeting that was compared once, of comparisons that are deleted: the gate asks for recordings of
-- every sort that ever arrived.
create table strata_seen (
    environment     text   not null,
    flag            text   not null,
    tracks          bigint not null,
    language        text   not null,
    least_ms        bigint not null,               -- the sort of length: -1 where it is not known
    seen_at         bigint not null,               -- when the first of it was compared
    primary key (environment, flag, tracks, language, least_ms)
);
create index runs_by_texts on runs (environment, flag, texts_deleted_at, finished_at);
