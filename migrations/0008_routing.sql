-- The rules of routing of one migration in one environment: pins, excludes, cohorts and how far cutover
-- reaches. Without a row there are none, at version 0.
create table routing_rules (
    environment     text   not null,
    flag            text   not null,
    document        text   not null,               -- JSON
    version         bigint not null,               -- counts changes; who changes it names the one they saw
    changed_at      bigint not null,
    changed_by      text   not null,
    primary key (environment, flag)
);

-- What the shadow runs of an environment used on one day, summed a moment ago. Read at every arrival, of
-- that day alone.
create table shadow_spending (
    environment     text   not null,
    flag            text   not null,
    day_began_at    bigint not null,               -- midnight UTC
    gpu_seconds     double precision not null,
    tokens          double precision not null,     -- in and out
    usd             double precision not null,     -- of what has a price
    unpriced        bigint not null check (unpriced in (0, 1)),   -- whether anything used has none
    shed            text,                          -- why no candidate runs beside; null while one may
    summed_at       bigint not null,
    primary key (environment, flag)
);

-- How the buckets of one phase and percentage fell, when it was looked last.
create table sample_ratios (
    environment     text   not null,
    flag            text   not null,
    phase           text   not null,
    percent         bigint not null,
    drawn           bigint not null,               -- different rooms or recordings that a bucket decided
    went_in         bigint not null,               -- of these, inside the percentage
    p               double precision not null,     -- how likely it is that chance alone does that
    looked_at       bigint not null,
    hold_id         text references holds (id),    -- the hold it led to, until it is as it should be again
    primary key (environment, flag, phase, percent)
);

-- Whether the bucket that decided was inside the percentage; null where no bucket decided.
alter table routes add column drawn bigint check (drawn in (0, 1));
create index runs_by_start on runs (environment, flag, started_at);
create index routes_drawn on routes (environment, flag, arrived_at);
