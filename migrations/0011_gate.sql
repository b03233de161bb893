-- What the gate takes from a comparison, so that it reads no reports.
create table comparison_facts (
    comparison_id   text   not null primary key references comparisons (id),
    compared        text   not null,               -- fields that could be compared, by name, between commas
    tracks          bigint not null,
    audio_ms        double precision,              -- null where the control does not tell
    language        text   not null,
    control_ms      double precision,              -- how long the pipelines took; null where not known
    candidate_ms    double precision,
    control_usd     double precision,              -- what they cost; null where not known
    candidate_usd   double precision,
    effects_equal   bigint check (effects_equal in (0, 1))   -- null where the control does not tell
);

-- How far the sides of a field are apart, 0 to 1; null where that was not or could not be measured.
alter table comparison_fields add column distance double precision;
-- 1 where the difference is one that no tolerance excuses.
alter table comparison_fields add column broken bigint not null default 0;

-- A second run of the same recording, held against the first: how far the control differs from itself
-- where a mirror is that run (and the candidate from the mirror), how far the candidate does where it
-- ran twice. One row a field; measured under the versions of the comparison it belongs to.
create table noise_fields (
    comparison_id       text   not null references comparisons (id),
    other               text   not null,           -- the mirror's transcript, or the candidate's other run
    kind                text   not null check (kind in ('mirror', 'repeat')),
    field               text   not null,
    candidate_verdict   text   not null,           -- of the candidate against `other`
    candidate_distance  double precision,
    candidate_broken    bigint not null,
    control_verdict     text,                      -- of the control against the mirror
    control_distance    double precision,
    control_broken      bigint,
    measured_at         bigint not null,
    primary key (comparison_id, other, field)
);
create index noise_by_kind on noise_fields (kind, measured_at);
create index mirrors_of_recording on mirrors (recording_id, outcome);
create index comparisons_of_epoch on comparisons (epoch);
