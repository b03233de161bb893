-- A comparison says how a candidate run's outcome relates to the control's. Written again when the
-- run is compared again; the newest counts.
create table comparisons (
    id            text   not null primary key,
    run_id        text   not null references runs (id),
    verdict       text   not null,
    policy_digest text   not null,                 -- of comparisons/ as it was
    report        text   not null,                 -- JSON: everything a report shows
    compared_at   bigint not null
);
create index comparisons_of_run on comparisons (run_id, compared_at);

-- A verdict on one field of a comparison.
create table comparison_fields (
    comparison_id text   not null references comparisons (id),
    field         text   not null,                 -- as named in comparisons/
    verdict       text   not null,
    primary key (comparison_id, field)
);
