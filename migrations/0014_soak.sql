-- The digest of versions that a live run was served under: the gate counts those of one digest. Null
-- until somebody has looked at the run; empty for runs older than this, of which nobody knows.
alter table runs add column versions text;
update runs set versions = '' where epoch is not null;
-- When a run ended without a result first. It stays where the run is taken up again and ends well.
alter table runs add column failed_at bigint;
update runs set failed_at = finished_at where state in ('failed', 'terminated');
create index runs_served on runs (environment, flag, versions);

-- The live run whose recording this mirror runs the control on as well, after the candidate served it;
-- null where it measures how far the control differs from itself.
alter table mirrors add column reverse_of text references runs (id);

-- A recording that the controller set out to mirror by itself, and what came of that. What is passed over
-- is not tried again; the mirror itself is a row of mirrors.
create table mirrorings (
    environment   text   not null,
    run_id        text   not null references runs (id),   -- the candidate's run that it is about
    direction     text   not null check (direction in ('noise', 'reverse')),
    state         text   not null check (state in ('tried', 'begun', 'passed_over')),
    tries         bigint not null,
    reason        text,                                   -- for people, where it was not begun
    usd           double precision,                       -- what the candidate's run cost: a mirror's cost is taken for that
    changed_at    bigint not null,
    primary key (environment, run_id, direction)
);
create index mirrorings_of_day on mirrorings (environment, state, changed_at);
