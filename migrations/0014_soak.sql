-- The digest of versions that a live run was served under: the gate counts those of one digest. Null
-- until somebody has looked at the run; empty for runs older than this, of which nobody knows.
alter table runs add column versions text;
update runs set versions = '' where epoch is not null;
-- When a run ended without a result first. It stays where the run is taken up again and ends well.
alter table runs add column failed_at bigint;
update runs set failed_at = finished_at where state in ('failed', 'terminated');
create index runs_served on runs (environment, flag, versions);
