-- A replay of history: past recordings that the candidate runs on, so many an hour, each compared with
-- what the control made of it then.
create table replays (
    id              text   not null primary key,
    environment     text   not null,
    flag            text   not null,
    from_at         bigint not null,               -- transcripts made at that time or later
    to_at           bigint not null,               -- and before this one
    room_id         text,                          -- of this room alone; null for all
    at_most         bigint not null,               -- so many are looked at
    per_hour        bigint not null,               -- so many are started in an hour
    budget_usd      double precision,              -- what its runs may cost; null for no bound
    anew            bigint not null check (anew in (0, 1)),
    state           text   not null check (state in ('finding', 'under_way', 'ended', 'stopped', 'cancelled')),
    reason          text   not null,               -- why it is in this state, for people
    started_by      text   not null,
    started_at      bigint not null,
    changed_at      bigint not null,
    ended_at        bigint
);
create index replays_of_flag on replays (environment, flag, started_at);

-- One recording of a replay.
create table replay_items (
    replay_id       text   not null references replays (id),
    transcript_id   text   not null,
    recording_id    text   not null,
    place           bigint not null,               -- in the order they are started
    state           text   not null check (state in ('waiting', 'started', 'ended', 'skipped')),
    control_id      text   references controls (id),
    run_id          text   references runs (id),
    skipped         text,                          -- why it was, as a word
    reason          text,                          -- the same for people
    verdict         text,
    started_at      bigint,
    ended_at        bigint,
    primary key (replay_id, transcript_id)
);
-- A run belongs to one recording of one replay: so a run that was started and not noted is found.
create unique index replay_items_by_run on replay_items (run_id);
create index replay_items_by_state on replay_items (replay_id, state, place);
