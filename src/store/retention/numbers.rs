//! Numbers: everything that is left of a run once its texts are gone, and routes that no run came of; and
//! notices.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, AssertSqlSafe, Row, Transaction};

use super::{Batch, Gone, proofs};
use crate::store::{About, Store, millis, time};

/// Runs whose numbers nobody counts any more; `$1` to `$5` are environment, flag, time, versions and when
/// the phase began.
const DUE_RUNS: &str =
    "runs.environment = $1 and runs.flag = $2 and runs.texts_deleted_at is not null
    and runs.state in ('completed', 'failed', 'terminated') and runs.finished_at < $3
    and runs.started_at < $5 and (runs.versions is null or runs.versions <> $4)
    and not exists (select 1 from comparisons where comparisons.run_id = runs.id
        and (comparisons.epoch = $4 or comparisons.compared_at >= $3))
    and not exists (select 1 from noise_fields join comparisons
        on comparisons.id = noise_fields.comparison_id
        where noise_fields.other = runs.id and comparisons.epoch = $4)
    and not exists (select 1 from routes where routes.run_id = runs.id
        and (routes.state <> 'over' or routes.arrived_at >= $5))
    and not exists (select 1 from ownership where ownership.run_id = runs.id
        and ownership.owner = 'candidate' and ownership.stage <> 'delivered')
    and not exists (select 1 from mirrors where mirrors.state <> 'removed'
        and (mirrors.original_control_id = runs.control_id or mirrors.reverse_of = runs.id))
    and not exists (select 1 from replay_items where replay_items.run_id = runs.id
        and replay_items.state in ('waiting', 'started'))";

/// Routes without a run, likewise; the newest start on Celery is what a later step asks for.
const DUE_ROUTES: &str = "routes.environment = $1 and routes.flag = $2 and routes.run_id is null
    and routes.state = 'over' and routes.arrived_at < $3 and routes.arrived_at < $5
    and $4 <> '' and exists (select 1 from routes newer where newer.environment = routes.environment
        and newer.flag = routes.flag and newer.owner = routes.owner
        and newer.arrived_at > routes.arrived_at)";

/// Notices that everybody has, or never will.
const DUE_NOTICES: &str = "n.environment = $1 and n.flag = $2 and n.created_at < $3
    and n.delivered_at is not null
    and not exists (select 1 from notice_deliveries d where d.notice_id = n.id
        and d.state in ('waiting', 'sending'))";

/// What of a run lies in tables of its own, those that others refer to last.
const OF_RUN: [&str; 17] = [
    "delete from review_opened where item_id in (select id from review_items where run_id = $1)",
    "delete from review_choices where item_id in (select id from review_items where run_id = $1)",
    "delete from review_items where run_id = $1",
    "delete from noise_fields where other = $1
        or comparison_id in (select id from comparisons where run_id = $1)",
    "delete from comparison_facts where comparison_id in
        (select id from comparisons where run_id = $1)",
    "delete from comparison_fields where comparison_id in
        (select id from comparisons where run_id = $1)",
    "delete from traces where (kind = 'run' and subject = $1) or (kind = 'comparison'
        and subject in (select id from comparisons where run_id = $1))",
    "delete from comparisons where run_id = $1",
    "delete from pinnings where run_id = $1",
    "delete from shared_savings where run_id = $1",
    "delete from mirrorings where run_id = $1",
    "delete from effects where run_id = $1",
    "delete from usages where run_id = $1",
    "delete from attempts where run_id = $1",
    "delete from outputs where run_id = $1",
    "delete from intents where run_id = $1",
    "delete from ownership where run_id = $1",
];

impl Store {
    /// Since when the phase is as it is: what began since is counted by it. All is, where it never changed.
    async fn phase_began(&self, about: &About) -> anyhow::Result<i64> {
        let sql = "-- phase_began
            select changed_at from phases where environment = $1 and flag = $2 and version > 0";
        let began: Option<i64> = sqlx::query_scalar(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .fetch_optional(&self.pool)
            .await
            .context("reading since when the phase is as it is")?;
        Ok(began.unwrap_or(0))
    }

    /// Runs and routes whose numbers are over their time: how many, and the oldest.
    pub async fn numbers_due(
        &self,
        about: &About,
        until: DateTime<Utc>,
    ) -> anyhow::Result<(i64, Option<DateTime<Utc>>)> {
        let began = self.phase_began(about).await?;
        let mut due = (0, None::<i64>);
        for sql in [
            format!(
                "-- due_runs
                select count(*) as due, min(finished_at) as oldest from runs where {DUE_RUNS}"
            ),
            format!(
                "-- due_routes
                select count(*) as due, min(arrived_at) as oldest from routes where {DUE_ROUTES}"
            ),
        ] {
            let row = sqlx::query(AssertSqlSafe(sql))
                .bind(about.environment.as_str())
                .bind(about.flag.as_str())
                .bind(millis(until))
                .bind(about.epoch.as_str())
                .bind(began)
                .fetch_one(&self.pool)
                .await
                .context("counting numbers whose time is over")?;
            due.0 += row.try_get::<i64, _>("due")?;
            let oldest: Option<i64> = row.try_get("oldest")?;
            due.1 = match (due.1, oldest) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        Ok((due.0, due.1.map(time)))
    }

    /// Deletes so many of them at most; the proof's id and what is found all the same, none where there are
    /// none.
    pub async fn delete_numbers(
        &self,
        about: &About,
        until: DateTime<Utc>,
        at_most: i64,
        batch: &Batch<'_>,
    ) -> anyhow::Result<Option<(String, i64)>> {
        let doing = "deleting numbers";
        let began = self.phase_began(about).await?;
        let mut tx = self.begin().await.context(doing)?;
        let mut gone = Gone::default();
        let sql = format!(
            "-- due_runs
            select id, recording_id, control_id, finished_at from runs where {DUE_RUNS}
            order by finished_at, id limit $6"
        );
        let runs = sqlx::query(AssertSqlSafe(sql))
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(until))
            .bind(about.epoch.as_str())
            .bind(began)
            .bind(at_most)
            .fetch_all(&mut *tx)
            .await
            .context(doing)?;
        for run in &runs {
            let id: String = run.try_get("id")?;
            let control: Option<String> = run.try_get("control_id")?;
            let rows = delete_run(&mut tx, about, &id, control.as_deref())
                .await
                .with_context(|| format!("deleting the numbers of run `{id}`"))?;
            gone.add(&id, time(run.try_get("finished_at")?), rows);
        }
        let sql = format!(
            "-- due_routes
            select transcript_id, generation, control_id, arrived_at from routes where {DUE_ROUTES}
            order by arrived_at, transcript_id limit $6"
        );
        let routes = sqlx::query(AssertSqlSafe(sql))
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(until))
            .bind(about.epoch.as_str())
            .bind(began)
            .bind(at_most)
            .fetch_all(&mut *tx)
            .await
            .context(doing)?;
        for route in &routes {
            let transcript: String = route.try_get("transcript_id")?;
            let generation: i64 = route.try_get("generation")?;
            let control: Option<String> = route.try_get("control_id")?;
            let rows = delete_route(&mut tx, about, (&transcript, generation))
                .await
                .context(doing)?;
            let of_control = delete_control(&mut tx, control.as_deref()).await?;
            gone.add(
                &format!("route {transcript}/{generation}"),
                time(route.try_get("arrived_at")?),
                rows + of_control,
            );
        }
        if gone.ids.is_empty() {
            return Ok(None);
        }
        let id = proofs::insert(&mut tx, about, batch, &gone).await?;
        tx.commit().await.context(doing)?;
        let mut left = 0;
        for id in &gone.ids {
            let sql = "-- numbers_left
                select (select count(*) from runs where id = $1)
                    + (select count(*) from comparisons where run_id = $1)
                    + (select count(*) from attempts where run_id = $1)
                    + (select count(*) from routes where run_id = $1
                        or 'route ' || transcript_id || '/' || cast(generation as text) = $1)";
            let found: i64 = sqlx::query_scalar(sql)
                .bind(id.as_str())
                .fetch_one(&self.pool)
                .await
                .context("looking whether numbers are left")?;
            left += found;
        }
        Ok(Some((id, left)))
    }

    /// Notices that are over their time: how many, and the oldest.
    pub async fn notices_due(
        &self,
        about: &About,
        until: DateTime<Utc>,
    ) -> anyhow::Result<(i64, Option<DateTime<Utc>>)> {
        let sql = format!(
            "-- notices_due
            select count(*) as due, min(n.created_at) as oldest from notices n where {DUE_NOTICES}"
        );
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(until))
            .fetch_one(&self.pool)
            .await
            .context("counting notices whose time is over")?;
        let oldest: Option<i64> = row.try_get("oldest")?;
        Ok((row.try_get("due")?, oldest.map(time)))
    }

    /// Deletes so many of them at most; the proof's id and what is found all the same, none where there are
    /// none.
    pub async fn delete_notices(
        &self,
        about: &About,
        until: DateTime<Utc>,
        at_most: i64,
        batch: &Batch<'_>,
    ) -> anyhow::Result<Option<(String, i64)>> {
        let doing = "deleting notices";
        let mut tx = self.begin().await.context(doing)?;
        let sql = format!(
            "-- due_notices
            select n.id, n.created_at from notices n where {DUE_NOTICES}
            order by n.created_at, n.id limit $4"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(until))
            .bind(at_most)
            .fetch_all(&mut *tx)
            .await
            .context(doing)?;
        let mut gone = Gone::default();
        for row in &rows {
            let id: String = row.try_get("id")?;
            let mut deleted = 0;
            for sql in [
                "-- not_summed\n update notice_deliveries set summed_in = null where summed_in = $1",
                "-- delete_deliveries\n delete from notice_deliveries where notice_id = $1",
                "-- delete_notice\n delete from notices where id = $1",
            ] {
                let done = sqlx::query(sql)
                    .bind(id.as_str())
                    .execute(&mut *tx)
                    .await
                    .context(doing)?;
                deleted += done.rows_affected();
            }
            gone.add(&id, time(row.try_get("created_at")?), deleted);
        }
        if gone.ids.is_empty() {
            return Ok(None);
        }
        let id = proofs::insert(&mut tx, about, batch, &gone).await?;
        tx.commit().await.context(doing)?;
        let mut left = 0;
        for id in &gone.ids {
            let found: i64 =
                sqlx::query_scalar("-- notices_left\n select count(*) from notices where id = $1")
                    .bind(id.as_str())
                    .fetch_one(&self.pool)
                    .await
                    .context("looking whether notices are left")?;
            left += found;
        }
        Ok(Some((id, left)))
    }
}

async fn delete_run(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    run: &str,
    control: Option<&str>,
) -> anyhow::Result<u64> {
    remember_strata(tx, about, run).await?;
    let mut rows = 0;
    for sql in OF_RUN {
        let done = sqlx::query(AssertSqlSafe(format!("-- delete_run\n {sql}")))
            .bind(run)
            .execute(&mut **tx)
            .await?;
        rows += done.rows_affected();
    }
    let sql = "-- routes_of_run\n select transcript_id, generation from routes where run_id = $1";
    let routes = sqlx::query(sql).bind(run).fetch_all(&mut **tx).await?;
    for route in &routes {
        let transcript: String = route.try_get("transcript_id")?;
        rows += delete_route(tx, about, (&transcript, route.try_get("generation")?)).await?;
    }
    for sql in [
        "-- forget_in_replays\n update replay_items set run_id = null, control_id = null where run_id = $1",
        "-- forget_in_mirrors\n update mirrors set reverse_of = null where reverse_of = $1",
        "-- delete_run\n delete from runs where id = $1",
    ] {
        let done = sqlx::query(sql).bind(run).execute(&mut **tx).await?;
        rows += done.rows_affected();
    }
    Ok(rows + delete_control(tx, control).await?)
}

/// The gate asks for recordings of every sort of meeting that ever arrived: which did, stays.
async fn remember_strata(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    run: &str,
) -> sqlx::Result<()> {
    let sql = "-- remember_strata
        insert into strata_seen (environment, flag, tracks, language, least_ms, seen_at)
        select $1, $2, f.tracks, f.language,
            cast(case when f.audio_ms is null then -1 when f.audio_ms < 900000 then 0
                when f.audio_ms < 3600000 then 900000 else 3600000 end as bigint),
            min(comparisons.compared_at)
        from comparison_facts f join comparisons on comparisons.id = f.comparison_id
            join runs on runs.id = comparisons.run_id
        where runs.id = $3 and runs.epoch is null and runs.origin <> 'rehearsal'
          and comparisons.verdict in
            ('match', 'within_noise', 'differs', 'candidate_failed', 'timed_out')
        group by 1, 2, 3, 4, 5
        on conflict (environment, flag, tracks, language, least_ms) do nothing";
    sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(run)
        .execute(&mut **tx)
        .await
        .map(drop)
}

async fn delete_route(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    (transcript, generation): (&str, i64),
) -> sqlx::Result<u64> {
    let mut rows = 0;
    for sql in [
        "-- delete_arrivals
        delete from arrivals where environment = $1 and flag = $2 and transcript_id = $3
          and generation = $4",
        "-- delete_told
        delete from traces where environment = $1 and flag = $2 and kind = 'route'
          and subject = $3 || ' ' || cast($4 as text)",
        "-- delete_route
        delete from routes where environment = $1 and flag = $2 and transcript_id = $3
          and generation = $4",
    ] {
        let done = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(transcript)
            .bind(generation)
            .execute(&mut **tx)
            .await?;
        rows += done.rows_affected();
    }
    Ok(rows)
}

/// Deletes a control that nobody speaks of any more.
async fn delete_control(
    tx: &mut Transaction<'static, Any>,
    control: Option<&str>,
) -> sqlx::Result<u64> {
    let Some(control) = control else {
        return Ok(0);
    };
    let sql = "-- delete_control
        delete from controls where id = $1
          and not exists (select 1 from runs where control_id = $1)
          and not exists (select 1 from routes where control_id = $1)
          and not exists (select 1 from replay_items where control_id = $1)
          and not exists (select 1 from mirrors
            where control_id = $1 or original_control_id = $1)";
    let done = sqlx::query(sql).bind(control).execute(&mut **tx).await?;
    Ok(done.rows_affected())
}
