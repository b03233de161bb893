//! What metrics tell of a migration, as far as our database knows it: one small statement a family.

use anyhow::Context;
use sqlx::{Row, any::AnyRow};

use super::{About, Store};
use crate::meters::{
    Family, Reading,
    catalogue::{
        AUDIT_ENTRIES, COMPARISONS, EFFECTS_PENDING, HOLDS, MIRRORS, MIRRORS_ENDED, NOTICE_OLDEST,
        NOTICES, NOTICES_GIVEN_UP, NOTICES_UNDELIVERED, OWNED, PROBE, PROBE_CHECKED,
        RETENTION_DELETED, RETENTION_LEFT, ROUTE_OLDEST, ROUTES, ROUTES_OPEN, RUN_LAST_ENDED,
        RUN_OLDEST, RUNS_ENDED, RUNS_OPEN, RUNS_UNCOMPARED, STEP_FAILURES, STEPS_RUNNING,
        SWEEP_BACKLOG, TAKEOVERS, TEXTS_KEPT, TEXTS_OLDEST,
    },
};

/// Whether a run serves users.
const EFFECTS: &str = "case when epoch is null then 'shadow' else 'live' end";

/// Each family with a statement whose columns are its labels, after `environment` and `flag`, and
/// `value`. `$1` is the environment, `$2` the flag, and `$3` the time, where they are asked for. Of
/// attempts, few are not completed: `cross join` has SQLite begin with those, in their own index.
const STATEMENTS: [(&Family, &str); 29] = [
    (
        &HOLDS,
        "select case when expires_at < $3 then 'expired' else 'in_force' end as state,
            count(*) as value
         from holds where environment = $1 and flag = $2 and released_at is null group by 1",
    ),
    (&AUDIT_ENTRIES, "select seq as value from audit_head"),
    (
        &PROBE,
        "select layer, name as probe, ok as value from probes where environment = $1",
    ),
    (
        &PROBE_CHECKED,
        "select layer, name as probe, checked_at / 1000 as value from probes where environment = $1",
    ),
    (
        &ROUTES,
        "select owner, beside, way, count(*) as value from routes
         where environment = $1 and flag = $2 group by owner, beside, way",
    ),
    (
        &ROUTES_OPEN,
        "select owner, state, count(*) as value from routes
         where environment = $1 and flag = $2 and state in ('offered', 'open')
         group by owner, state",
    ),
    (
        &ROUTE_OLDEST,
        "select owner, min(arrived_at) / 1000 as value from routes
         where environment = $1 and flag = $2 and state in ('offered', 'open') group by owner",
    ),
    (
        &RUNS_OPEN,
        "select EFFECTS as effects, state, count(*) as value from runs
         where environment = $1 and flag = $2 and state in ('starting', 'running') group by 1, 2",
    ),
    (
        &RUN_OLDEST,
        "select EFFECTS as effects, min(started_at) / 1000 as value from runs
         where environment = $1 and flag = $2 and state in ('starting', 'running') group by 1",
    ),
    (
        &RUNS_ENDED,
        "select EFFECTS as effects, origin, state, count(*) as value from runs
         where environment = $1 and flag = $2 and state in ('completed', 'failed', 'terminated')
         group by 1, 2, 3",
    ),
    (
        &RUN_LAST_ENDED,
        "select EFFECTS as effects, state, max(finished_at) / 1000 as value from runs
         where environment = $1 and flag = $2 and state in ('completed', 'failed', 'terminated')
         group by 1, 2",
    ),
    (
        &COMPARISONS,
        "select verdict, count(*) as value
         from comparisons join runs on runs.id = comparisons.run_id
         where runs.environment = $1 and runs.flag = $2 group by verdict",
    ),
    (
        &RUNS_UNCOMPARED,
        "select count(*) as value from runs
         where environment = $1 and flag = $2 and state in ('completed', 'failed')
           and control_id is not null
           and not exists (select 1 from comparisons
               where comparisons.run_id = runs.id and comparisons.compared_at >= runs.finished_at)",
    ),
    (
        &STEPS_RUNNING,
        "select task_name as task, count(*) as value
         from attempts cross join runs
         where attempts.status <> 'completed' and attempts.status = 'running'
           and runs.id = attempts.run_id and environment = $1 and flag = $2 group by task_name",
    ),
    (
        &STEP_FAILURES,
        "select task_name as task, status as kind, count(*) as value
         from attempts cross join runs
         where attempts.status <> 'completed' and attempts.status in ('failed', 'failed_terminally')
           and runs.id = attempts.run_id and environment = $1 and flag = $2
         group by task_name, attempts.status",
    ),
    (
        &OWNED,
        "select owner, stage, count(*) as value from ownership
         where environment = $1 and flag = $2 group by owner, stage",
    ),
    (
        &TAKEOVERS,
        "select count(*) as value from ownership
         where environment = $1 and flag = $2 and owner = 'control'",
    ),
    (
        &EFFECTS_PENDING,
        "select kind, state, count(*) as value from effects
         where environment = $1 and flag = $2 and state in ('reserved', 'sending', 'unknown')
         group by kind, state",
    ),
    (
        &SWEEP_BACKLOG,
        "select count(*) as value from runs
         where environment = $1 and flag = $2 and state in ('completed', 'failed', 'terminated')
           and swept_at is null",
    ),
    (
        &MIRRORS,
        "select state, count(*) as value from mirrors where environment = $1 group by state",
    ),
    (
        &MIRRORS_ENDED,
        "select outcome, count(*) as value from mirrors
         where environment = $1 and outcome is not null group by outcome",
    ),
    (
        &NOTICES_UNDELIVERED,
        "select cast(sum(value) as bigint) as value from (
            select count(*) as value from notices
            where environment = $1 and flag = $2 and delivered_at is null
            union all select count(*) from notice_deliveries d join notices n on n.id = d.notice_id
            where n.environment = $1 and n.flag = $2 and d.state in ('waiting', 'sending')) open",
    ),
    (
        &NOTICE_OLDEST,
        "select min(value) / 1000 as value from (
            select min(created_at) as value from notices
            where environment = $1 and flag = $2 and delivered_at is null
            union all select min(n.created_at) from notice_deliveries d join notices n on n.id = d.notice_id
            where n.environment = $1 and n.flag = $2 and d.state in ('waiting', 'sending')) open",
    ),
    (
        &NOTICES,
        "select kind, count(*) as value from notices
         where environment = $1 and flag = $2 group by kind",
    ),
    (
        &NOTICES_GIVEN_UP,
        "select d.target as target, count(*) as value
         from notice_deliveries d join notices n on n.id = d.notice_id
         where n.environment = $1 and n.flag = $2 and d.state = 'given_up' group by d.target",
    ),
    (
        &TEXTS_KEPT,
        "select count(*) as value from runs
         where environment = $1 and flag = $2 and state in ('completed', 'failed', 'terminated')
           and texts_deleted_at is null",
    ),
    (
        &TEXTS_OLDEST,
        "select min(finished_at) / 1000 as value from runs
         where environment = $1 and flag = $2 and state in ('completed', 'failed', 'terminated')
           and texts_deleted_at is null",
    ),
    (
        &RETENTION_DELETED,
        "select class, cast(sum(things) as bigint) as value from retention_proofs
         where environment = $1 and flag = $2 group by class",
    ),
    (
        &RETENTION_LEFT,
        "select class, cast(sum(left_over) as bigint) as value from retention_proofs
         where environment = $1 and flag = $2 and left_over is not null group by class",
    ),
];

impl Store {
    /// Everything that is counted of a migration.
    pub async fn readings(
        &self,
        about: &About,
        now: chrono::DateTime<chrono::Utc>,
    ) -> anyhow::Result<Vec<Reading>> {
        let mut readings = Vec::new();
        for (family, statement) in STATEMENTS {
            let sql = format!("-- readings\n{}", statement.replace("EFFECTS", EFFECTS));
            let (has_environment, has_flag) = (sql.contains("$1"), sql.contains("$2"));
            let mut query = sqlx::query(sqlx::AssertSqlSafe(sql.clone()));
            if has_environment {
                query = query.bind(about.environment.as_str());
            }
            if has_flag {
                query = query.bind(about.flag.as_str());
            }
            if sql.contains("$3") {
                query = query.bind(super::millis(now));
            }
            let rows = query
                .fetch_all(&self.pool)
                .await
                .with_context(|| format!("counting `{}`", family.name))?;
            for row in &rows {
                readings.extend(read(family, row, about)?);
            }
        }
        Ok(readings)
    }
}

/// One row; none where there is no number, as of the oldest of nothing.
fn read(family: &'static Family, row: &AnyRow, about: &About) -> anyhow::Result<Option<Reading>> {
    let Some(value) = row.try_get::<Option<i64>, _>("value")? else {
        return Ok(None);
    };
    let labels = family.labels.iter().map(|label| match *label {
        "environment" => Ok(about.environment.to_string()),
        "flag" => Ok(about.flag.to_string()),
        label => row.try_get::<String, _>(label),
    });
    Ok(Some(Reading {
        family,
        labels: labels.collect::<Result<_, _>>()?,
        value: value as f64,
    }))
}
