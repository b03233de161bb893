//! Texts: what was said in meetings and who was there, of runs, of controls and of shared answers.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, AssertSqlSafe, Row, Transaction};

use super::{Batch, Gone, proofs};
use crate::{
    model::{Outcome, RunId, Subject},
    report::{ReportData, TextsDeleted},
    retention::Known,
    store::{About, Store, millis, time},
};

/// An ended run whose texts may be over their time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub run: RunId,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// What decides whether they are needed; whether people are asked to look is not in it.
    pub known: Known,
}

/// A control is needed by runs whose texts are there, by a route that is not over, by a mirror and by
/// a replay under way.
const CONTROL_NEEDED: &str = "exists (select 1 from runs where runs.control_id = c.id
        and runs.texts_deleted_at is null)
    or exists (select 1 from routes where routes.control_id = c.id and routes.state <> 'over')
    or exists (select 1 from mirrors where mirrors.state <> 'removed'
        and (mirrors.control_id = c.id or mirrors.original_control_id = c.id))
    or exists (select 1 from replay_items where replay_items.control_id = c.id
        and replay_items.state in ('waiting', 'started'))";

impl Store {
    /// Ended runs that still have texts and ended before then, or whose transcript is gone; by their end,
    /// after that one.
    pub async fn runs_with_texts(
        &self,
        about: &About,
        until: DateTime<Utc>,
        after: Option<(DateTime<Utc>, &RunId)>,
        at_most: i64,
    ) -> anyhow::Result<Vec<Candidate>> {
        let yes = |what: &str| format!("case when {what} then 1 else 0 end");
        let sql = format!(
            "-- runs_with_texts
            select runs.id, runs.finished_at, runs.source_gone_at,
                (select max(compared_at) from comparisons where comparisons.run_id = runs.id)
                    as compared_at,
                {} as uncompared, {} as routed, {} as undelivered, {} as mirrored, {} as replayed
            from runs
            where environment = $1 and flag = $2 and texts_deleted_at is null
              and state in ('completed', 'failed', 'terminated') and finished_at is not null
              and (finished_at < $3 or source_gone_at is not null)
              and (finished_at > $4 or (finished_at = $4 and id > $5))
            order by finished_at, id limit $6",
            yes("runs.state in ('completed', 'failed') and runs.control_id is not null
                and not exists (select 1 from comparisons where comparisons.run_id = runs.id
                    and comparisons.compared_at >= runs.finished_at)"),
            yes("exists (select 1 from routes where routes.run_id = runs.id and routes.state <> 'over')"),
            yes("exists (select 1 from ownership where ownership.run_id = runs.id
                and ownership.owner = 'candidate' and ownership.stage <> 'delivered')"),
            yes("exists (select 1 from mirrors where mirrors.state <> 'removed'
                and (mirrors.original_control_id = runs.control_id or mirrors.reverse_of = runs.id))"),
            yes("exists (select 1 from replay_items where replay_items.run_id = runs.id
                and replay_items.state in ('waiting', 'started'))"),
        );
        let (after_at, after_id) = match after {
            Some((at, id)) => (millis(at), id.as_str()),
            None => (-1, ""),
        };
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(until))
            .bind(after_at)
            .bind(after_id)
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading runs that still have texts")?;
        rows.iter()
            .map(|row| {
                let is = |column: &str| row.try_get::<i64, _>(column).map(|one| one == 1);
                let finished: i64 = row.try_get("finished_at")?;
                let compared: Option<i64> = row.try_get("compared_at")?;
                let gone: Option<i64> = row.try_get("source_gone_at")?;
                Ok(Candidate {
                    run: RunId::new(row.try_get::<String, _>("id")?),
                    finished_at: time(finished),
                    known: Known {
                        settled_at: time(compared.map_or(finished, |at| at.max(finished))),
                        uncompared: is("uncompared")?,
                        routed: is("routed")?,
                        undelivered: is("undelivered")?,
                        mirrored: is("mirrored")?,
                        replayed: is("replayed")?,
                        reviewed: false,
                        source_gone: gone.is_some(),
                    },
                })
            })
            .collect()
    }

    /// Deletes the texts of these runs; the proof's id. None where nothing was left to be deleted: others
    /// were faster, or the runs were taken up again.
    pub async fn delete_texts(
        &self,
        about: &About,
        runs: &[RunId],
        batch: &Batch<'_>,
    ) -> anyhow::Result<Option<String>> {
        let doing = "deleting texts";
        let mut tx = self.begin().await.context(doing)?;
        let mut gone = Gone::default();
        for run in runs {
            delete_of(&mut tx, run, batch, &mut gone)
                .await
                .with_context(|| format!("deleting the texts of run `{run}`"))?;
        }
        if gone.ids.is_empty() {
            return Ok(None);
        }
        let id = proofs::insert(&mut tx, about, batch, &gone).await?;
        tx.commit().await.context(doing)?;
        Ok(Some(id))
    }

    /// Rows that hold texts of runs whose texts were deleted at that moment.
    pub async fn texts_left(&self, about: &About, at: DateTime<Utc>) -> anyhow::Result<i64> {
        let doing = "looking whether texts are left";
        let of_batch = "(select id from runs where environment = $1 and flag = $2
            and texts_deleted_at = $3)";
        let mut left = 0;
        for table in ["outputs", "intents"] {
            let sql =
                format!("-- texts_left\n select count(*) from {table} where run_id in {of_batch}");
            left += self.count(sql, about, at).await.context(doing)?;
        }
        let sql = format!(
            "-- texts_left\n select count(*) from cached_answers where scope in {of_batch}"
        );
        left += self.count(sql, about, at).await.context(doing)?;
        let sql = format!(
            "-- texts_left\n select count(*) from routes where subject is not null and run_id in {of_batch}"
        );
        left += self.count(sql, about, at).await.context(doing)?;
        let sql =
            format!("-- texts_left\n select subject as held from runs where id in {of_batch}");
        for subject in self.held(sql, about, at).await.context(doing)? {
            let subject: Subject = serde_json::from_str(&subject).context(doing)?;
            left += i64::from(subject.clone().without_people() != subject);
        }
        let sql = format!(
            "-- texts_left\n select report as held from comparisons where run_id in {of_batch}"
        );
        for report in self.held(sql, about, at).await.context(doing)? {
            left += i64::from(report_has_texts(&report));
        }
        Ok(left)
    }

    async fn count(&self, sql: String, about: &About, at: DateTime<Utc>) -> sqlx::Result<i64> {
        sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(at))
            .fetch_one(&self.pool)
            .await
    }

    async fn held(
        &self,
        sql: String,
        about: &About,
        at: DateTime<Utc>,
    ) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(at))
            .fetch_all(&self.pool)
            .await
    }

    /// Controls that still have texts, were taken before then or belong to a run of ours whose texts are
    /// deleted, and are needed by nobody: how many, and the oldest.
    pub async fn controls_due(
        &self,
        about: &About,
        until: DateTime<Utc>,
    ) -> anyhow::Result<(i64, Option<DateTime<Utc>>)> {
        let sql = format!(
            "-- controls_due
            select count(*) as due, min(c.taken_at) as oldest from controls c where {}",
            due_controls()
        );
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(until))
            .fetch_one(&self.pool)
            .await
            .context("counting controls whose time is over")?;
        let oldest: Option<i64> = row.try_get("oldest")?;
        Ok((row.try_get("due")?, oldest.map(time)))
    }

    /// Deletes the texts of such controls, so many at most; the proof's id, none where there are none.
    pub async fn delete_controls(
        &self,
        about: &About,
        until: DateTime<Utc>,
        at_most: i64,
        batch: &Batch<'_>,
    ) -> anyhow::Result<Option<String>> {
        let doing = "deleting the texts of controls";
        let mut tx = self.begin().await.context(doing)?;
        let sql = format!(
            "-- due_controls
            select c.id, c.outcome, c.taken_at from controls c where {}
            order by c.taken_at, c.id limit $4",
            due_controls()
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
            let (id, outcome): (String, String) = (row.try_get("id")?, row.try_get("outcome")?);
            let outcome: Outcome = serde_json::from_str(&outcome)
                .map_err(|_| anyhow::anyhow!("the control `{id}` cannot be read"))?;
            let sql = "-- empty_control
                update controls set outcome = $2, texts_deleted_at = $3
                where id = $1 and texts_deleted_at is null";
            let done = sqlx::query(sql)
                .bind(id.as_str())
                .bind(serde_json::to_string(&outcome.without_texts())?)
                .bind(millis(batch.now))
                .execute(&mut *tx)
                .await
                .context(doing)?;
            if done.rows_affected() == 1 {
                gone.add(&id, time(row.try_get("taken_at")?), 1);
            }
        }
        if gone.ids.is_empty() {
            return Ok(None);
        }
        // What was found of mirrors quotes both sides.
        sqlx::query(
            "-- empty_mirrors
            update mirrors set comparison = null
            where comparison is not null and state = 'removed' and control_id in
                (select id from controls where texts_deleted_at is not null)",
        )
        .execute(&mut *tx)
        .await
        .context(doing)?;
        let id = proofs::insert(&mut tx, about, batch, &gone).await?;
        tx.commit().await.context(doing)?;
        Ok(Some(id))
    }

    /// Controls that hold texts though they were deleted at that moment.
    pub async fn controls_left(&self, at: DateTime<Utc>) -> anyhow::Result<i64> {
        let doing = "looking whether texts of controls are left";
        let sql = "-- controls_left
            select outcome from controls where texts_deleted_at = $1";
        let held: Vec<String> = sqlx::query_scalar(sql)
            .bind(millis(at))
            .fetch_all(&self.pool)
            .await
            .context(doing)?;
        let mut left = 0;
        for outcome in &held {
            let outcome: Outcome = serde_json::from_str(outcome).context(doing)?;
            left += i64::from(outcome.has_texts());
        }
        Ok(left)
    }

    /// Answers that any run may have again: how many were given before then, and the oldest. What was given
    /// since the oldest open run began is needed.
    pub async fn answers_due(
        &self,
        until: DateTime<Utc>,
    ) -> anyhow::Result<(i64, Option<DateTime<Utc>>)> {
        let sql = format!(
            "-- answers_due
            select count(*) as due, min(created_at) as oldest from cached_answers where {DUE_ANSWERS}"
        );
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(millis(until))
            .fetch_one(&self.pool)
            .await
            .context("counting answers whose time is over")?;
        let oldest: Option<i64> = row.try_get("oldest")?;
        Ok((row.try_get("due")?, oldest.map(time)))
    }

    /// Deletes such answers, so many at most; the proof's id, none where there are none, and how many are
    /// there all the same.
    pub async fn delete_answers(
        &self,
        about: &About,
        until: DateTime<Utc>,
        at_most: i64,
        batch: &Batch<'_>,
    ) -> anyhow::Result<Option<(String, i64)>> {
        let doing = "deleting answers that runs share";
        let mut tx = self.begin().await.context(doing)?;
        let sql = format!(
            "-- due_answers
            select kind, input_hash, created_at from cached_answers where {DUE_ANSWERS}
            order by created_at, kind, input_hash limit $2"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(millis(until))
            .bind(at_most)
            .fetch_all(&mut *tx)
            .await
            .context(doing)?;
        if rows.is_empty() {
            return Ok(None);
        }
        let mut gone = Gone::default();
        for row in &rows {
            let (kind, hash): (String, String) = (row.try_get("kind")?, row.try_get("input_hash")?);
            let sql = "-- delete_answer
                delete from cached_answers where scope = '' and kind = $1 and input_hash = $2";
            let done = sqlx::query(sql)
                .bind(kind.as_str())
                .bind(hash.as_str())
                .execute(&mut *tx)
                .await
                .context(doing)?;
            let at = time(row.try_get("created_at")?);
            gone.add(&format!("{kind}/{hash}"), at, done.rows_affected());
        }
        let id = proofs::insert(&mut tx, about, batch, &gone).await?;
        tx.commit().await.context(doing)?;
        let mut left = 0;
        for key in &gone.ids {
            let sql = "-- answers_left
                select count(*) from cached_answers
                where scope = '' and kind || '/' || input_hash = $1 and created_at < $2";
            let found: i64 = sqlx::query_scalar(sql)
                .bind(key.as_str())
                .bind(millis(until))
                .fetch_one(&self.pool)
                .await
                .context(doing)?;
            left += found;
        }
        Ok(Some((id, left)))
    }

    /// Notes that a run's transcript was found to be deleted in Reflector: its texts follow at once.
    pub async fn note_source_gone(&self, run: &RunId, now: DateTime<Utc>) -> anyhow::Result<()> {
        let sql = "-- note_source_gone
            update runs set source_gone_at = coalesce(source_gone_at, $2) where id = $1";
        sqlx::query(sql)
            .bind(run.as_str())
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("noting that a run's transcript is gone")?;
        Ok(())
    }
}

/// Shared answers given before `$1`, and before the oldest open run began.
const DUE_ANSWERS: &str = "scope = '' and created_at < $1 and not exists (select 1 from runs
    where runs.state in ('starting', 'running') and runs.started_at <= cached_answers.created_at)";

/// Controls that nobody needs any more; `$1`, `$2` and `$3` are environment, flag and time.
fn due_controls() -> String {
    format!(
        "c.texts_deleted_at is null and not ({CONTROL_NEEDED})
          and (exists (select 1 from runs where runs.control_id = c.id
                and runs.environment = $1 and runs.flag = $2)
            or (c.taken_at < $3
              and not exists (select 1 from runs where runs.control_id = c.id)))"
    )
}

async fn delete_of(
    tx: &mut Transaction<'static, Any>,
    run: &RunId,
    batch: &Batch<'_>,
    gone: &mut Gone,
) -> anyhow::Result<()> {
    // Locks the run: who takes it up again waits, and then finds that it cannot be.
    let sql = "-- lock_texts
        update runs set texts_deleted_at = $2
        where id = $1 and texts_deleted_at is null and state in ('completed', 'failed', 'terminated')
        returning subject, finished_at";
    let Some(row) = sqlx::query(sql)
        .bind(run.as_str())
        .bind(millis(batch.now))
        .fetch_optional(&mut **tx)
        .await?
    else {
        return Ok(());
    };
    let subject: Subject = serde_json::from_str(&row.try_get::<String, _>("subject")?)
        .map_err(|_| anyhow::anyhow!("its subject cannot be read"))?;
    let mut rows = 1;
    sqlx::query("-- empty_subject\n update runs set subject = $2 where id = $1")
        .bind(run.as_str())
        .bind(serde_json::to_string(&subject.without_people())?)
        .execute(&mut **tx)
        .await?;
    for sql in [
        "-- delete_outputs\n delete from outputs where run_id = $1",
        "-- delete_intents\n delete from intents where run_id = $1",
        "-- delete_answers_of\n delete from cached_answers where scope = $1",
        "-- empty_routes\n update routes set subject = null where run_id = $1 and subject is not null",
    ] {
        let done = sqlx::query(sql)
            .bind(run.as_str())
            .execute(&mut **tx)
            .await?;
        rows += done.rows_affected();
    }
    let sql = "-- reports_of\n select id, report from comparisons where run_id = $1";
    let reports = sqlx::query(sql)
        .bind(run.as_str())
        .fetch_all(&mut **tx)
        .await?;
    for report in &reports {
        let (id, text): (String, String) = (report.try_get("id")?, report.try_get("report")?);
        sqlx::query("-- empty_report\n update comparisons set report = $2 where id = $1")
            .bind(id)
            .bind(without_texts(&text, batch)?)
            .execute(&mut **tx)
            .await?;
        rows += 1;
    }
    let finished: Option<i64> = row.try_get("finished_at")?;
    gone.add(run.as_str(), finished.map_or(batch.now, time), rows);
    Ok(())
}

/// A report without texts. Of one that cannot be read nothing is known that could stay.
fn without_texts(report: &str, batch: &Batch<'_>) -> anyhow::Result<String> {
    let deleted = TextsDeleted {
        at: batch.now.format("%Y-%m-%d").to_string(),
        rule: batch.rule.to_owned(),
    };
    let Ok(data) = serde_json::from_str::<ReportData>(report) else {
        return Ok(serde_json::json!({ "texts_deleted": deleted }).to_string());
    };
    Ok(serde_json::to_string(&data.without_texts(deleted))?)
}

fn report_has_texts(report: &str) -> bool {
    match serde_json::from_str::<ReportData>(report) {
        Ok(data) => data.has_texts(),
        // One that could not be read has nothing but that its texts are deleted.
        Err(_) => serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(report)
            .map_or(true, |held| {
                held.len() != 1 || !held.contains_key("texts_deleted")
            }),
    }
}
