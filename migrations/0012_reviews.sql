-- Something to look at: a sort of difference of one run, a recording as a whole, or a text of it beside
-- the control's. Made anew when the run is compared again; what was said of it is kept by its id.
create table review_items (
    id              text   not null primary key,   -- made of versions, run and what it is about
    environment     text   not null,
    flag            text   not null,
    epoch           text   not null,               -- digest of versions
    kind            text   not null check (kind in ('difference', 'sample', 'title', 'summary')),
    run_id          text   not null references runs (id),
    comparison_id   text   not null references comparisons (id),
    recording_id    text   not null,
    verdict         text   not null,               -- of the recording
    stratum         text   not null,               -- the sort of meeting
    draw            text   not null,               -- the recordings with the lowest are sampled
    field           text,                          -- of a difference, as are the next six
    class           text,
    severity        text,
    strictness      text,
    signature       text,                          -- of its cluster
    pattern         text,                          -- place and shapes; nothing of the meeting
    path            text,                          -- what rules match
    differences     bigint,
    same            bigint not null check (same in (0, 1)),
    candidate_left  bigint not null check (candidate_left in (0, 1)),
    made_at         bigint not null
);
create index review_items_of_flag on review_items (environment, flag, epoch, run_id);
create index review_items_made on review_items (environment, flag, made_at);

-- Somebody opened an item.
create table review_opened (
    item_id         text   not null,
    opened_by       text   not null,
    opened_at       bigint not null,
    primary key (item_id, opened_by)
);

-- What somebody said of an item or of a cluster. Never changed; the newest counts.
create table review_acts (
    id              text   not null primary key,
    environment     text   not null,
    flag            text   not null,
    epoch           text   not null,
    on_cluster      bigint not null check (on_cluster in (0, 1)),
    target          text   not null,               -- the item, or the cluster's signature
    says            text   not null check (says in ('accept', 'reject', 'waive', 'needs_info')),
    said_by         text   not null,
    reason          text   not null,
    owner           text   not null,               -- of the blocker or the waiver; empty otherwise
    until_at        bigint,                        -- a waiver's last moment
    at_most         bigint,                        -- items a waiver covers
    size            bigint not null,               -- recordings of the cluster as it was
    said_at         bigint not null
);
create index review_acts_of_flag on review_acts (environment, flag, epoch, said_at);

-- What somebody chose in a blind side-by-side, and how it was shown to them.
create table review_choices (
    item_id         text   not null,
    chosen_by       text   not null,
    choice          text   not null check (choice in ('candidate', 'tie', 'control')),
    candidate_left  bigint not null check (candidate_left in (0, 1)),
    chosen_at       bigint not null,
    primary key (item_id, chosen_by)
);

-- A rule that hides differences for a while.
create table review_rules (
    id              text   not null primary key,
    environment     text   not null,
    flag            text   not null,
    path            text   not null,               -- `/FIELD/PLACE` with `*` and `**`
    class           text   not null,
    predicate       text   not null,
    at_most         bigint not null,               -- differences it hides
    made_by         text   not null,
    reason          text   not null,
    made_at         bigint not null,
    until_at        bigint not null,
    removed_at      bigint,
    removed_by      text
);
create index review_rules_in_force on review_rules (environment, flag, until_at);

-- The comparison was tested with known defects.
create table selftests (
    id              text   not null primary key,
    environment     text   not null,
    flag            text   not null,
    epoch           text   not null,               -- digest of versions
    controls        bigint not null,               -- how many were used
    tested_at       bigint not null
);
create index selftests_of_flag on selftests (environment, flag, tested_at);

-- How often one defect was caught in a test.
create table selftest_scores (
    selftest_id     text   not null references selftests (id),
    place           bigint not null,               -- in the table of defects
    defect          text   not null,
    severity        text   not null,
    caught          bigint not null,
    tried           bigint not null,               -- controls it could be put into
    primary key (selftest_id, defect)
);
