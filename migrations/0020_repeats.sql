-- A request that was sent under a key, so that it can be sent again without being done again. Rows are
-- kept for a day.
create table repeats (
    key_hash     text   not null primary key,       -- of key and caller; the key is kept nowhere
    caller       text   not null,                   -- whose it is: token, session's name, or local
    request_hash text   not null,                   -- of address and body
    begun_at     bigint not null,
    answered_at  bigint,                            -- null while it is under way, or where it died
    answer       text                               -- locked by the key; null where it may not be kept
);
create index repeats_by_time on repeats (begun_at);
create index repeats_by_caller on repeats (caller);

-- What serving runs told, by time, for those who listen.
create index effects_told on effects (changed_at) where kind = 'event' and state = 'confirmed';
