-- When Celery had the task of a recording it was given back. Null while the candidate owns it, and where
-- whoever took it over has not come to publish the task: then it is published by whoever looks next.
alter table ownership add column given_at bigint;
update ownership set given_at = changed_at where owner = 'control';
