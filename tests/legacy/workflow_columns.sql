-- What revision 0f943fede0e0 adds to schema.sql; a production database may lack it.

alter table recording add column workflow_id varchar;
create index idx_recording_workflow_id on recording (workflow_id);
alter table transcript add column workflow_run_id varchar;
update alembic_version set version_num = '0f943fede0e0';
