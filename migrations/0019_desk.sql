-- Whether the controller drives a replay, as it does those begun or taken up over HTTP; a command that
-- drives one ends with it.
alter table replays add column by_server bigint not null default 0 check (by_server in (0, 1));
create index replays_by_server on replays (environment, by_server, state);

-- Who did what: the trail is read by what was done and by whom.
create index audit_by_action on audit (environment, flag, action, seq);
create index audit_by_actor on audit (environment, flag, actor, seq);
