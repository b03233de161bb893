-- What recordings are listed by.

-- The verdict on how a run ended. Null until it has been compared since, and again once it goes on.
alter table runs add column newest_verdict text;
update runs set newest_verdict = (
    select comparisons.verdict from comparisons
    where comparisons.run_id = runs.id and comparisons.compared_at >= runs.finished_at
    order by comparisons.compared_at desc, comparisons.id limit 1)
where finished_at is not null;

-- Whether a route led to a run: those that none did are listed beside routes.
alter table runs add column routed bigint not null default 0 check (routed in (0, 1));
update runs set routed = 1 where exists (select 1 from routes where routes.run_id = runs.id);

-- Lists are read from the newest on; what they are narrowed to most often, and what ids are looked for
-- in, lies in the index.
create index routes_by_arrival on routes (arrived_at, transcript_id, generation, environment, flag,
    recording_id, room_id, run_id);
create index runs_unrouted on runs (started_at, id, environment, flag) where routed = 0;

-- All of one recording.
create index routes_of_recording on routes (recording_id);
create index routes_of_transcript on routes (transcript_id);
create index runs_of_recording on runs (recording_id);
create index runs_of_transcript on runs (transcript_id);
