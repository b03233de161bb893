//! The audit trail: a chain of entries, added to in the transaction of what they tell of.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, AnyConnection, Row, Transaction, any::AnyRow};

use super::{Store, millis};
use crate::{
    model::{EnvironmentName, FlagName},
    rollout::audit::{Broken, Chain, Entry, Sealed},
};

const COLUMNS: &str = "seq, at, environment, flag, actor, action, state_before, state_after, reason, \
     previous, hash";

/// Which entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhichEntries {
    /// Of this action.
    pub action: Option<String>,
    /// By whom.
    pub by: Option<String>,
    /// Written at that time or later.
    pub since: Option<DateTime<Utc>>,
    /// And before this one.
    pub until: Option<DateTime<Utc>>,
}

fn read(row: &AnyRow) -> anyhow::Result<Sealed> {
    Ok(Sealed {
        entry: Entry {
            action: row.try_get("action")?,
            actor: row.try_get("actor")?,
            after: row.try_get("state_after")?,
            at: row.try_get("at")?,
            before: row.try_get("state_before")?,
            environment: row.try_get("environment")?,
            flag: row.try_get("flag")?,
            previous: row.try_get("previous")?,
            reason: row.try_get("reason")?,
            seq: row.try_get("seq")?,
        },
        hash: row.try_get("hash")?,
    })
}

/// Locks the trail, so that whoever else is about to add to it waits until the transaction ends; its
/// end.
pub(super) async fn lock(tx: &mut Transaction<'static, Any>) -> anyhow::Result<AnyRow> {
    // A write that changes nothing is how both databases lock a row.
    let sql = "-- lock_audit
        update audit_head set seq = seq where id = 1 returning seq, hash";
    sqlx::query(sql)
        .fetch_one(&mut **tx)
        .await
        .context("locking the audit trail")
}

/// Adds an entry to the chain; its number. Whoever else adds one waits until the transaction ends.
pub(super) async fn append(
    tx: &mut Transaction<'static, Any>,
    entry: Entry,
) -> anyhow::Result<i64> {
    let head = lock(tx).await?;
    let mut chain = Chain::at(head.try_get("seq")?, head.try_get("hash")?);
    let Sealed { entry, hash } = chain.seal(entry);
    let sql = "-- append_audit
        insert into audit (seq, at, environment, flag, actor, action, state_before, state_after,
            reason, previous, hash)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    sqlx::query(sql)
        .bind(entry.seq)
        .bind(entry.at)
        .bind(entry.environment.as_str())
        .bind(entry.flag.as_str())
        .bind(entry.actor.as_str())
        .bind(entry.action.as_str())
        .bind(entry.before.as_str())
        .bind(entry.after.as_str())
        .bind(entry.reason.as_str())
        .bind(entry.previous.as_str())
        .bind(hash.as_str())
        .execute(&mut **tx)
        .await
        .context("adding to the audit trail")?;
    let sql = "-- advance_audit
        update audit_head set seq = $1, hash = $2 where id = 1";
    sqlx::query(sql)
        .bind(entry.seq)
        .bind(hash.as_str())
        .execute(&mut **tx)
        .await
        .context("adding to the audit trail")?;
    Ok(entry.seq)
}

/// How many entries are read at once.
const AT_ONCE: i64 = 1000;

impl Store {
    /// Adds an entry on its own, for what changes no row of ours.
    pub async fn note_in_audit(&self, entry: Entry) -> anyhow::Result<i64> {
        let doing = "adding to the audit trail";
        let mut tx = self.begin().await.context(doing)?;
        let seq = append(&mut tx, entry).await?;
        tx.commit().await.context(doing)?;
        Ok(seq)
    }

    /// The newest entries of one migration, newest first.
    pub async fn recent_audit(
        &self,
        environment: &EnvironmentName,
        flag: &FlagName,
        at_most: i64,
    ) -> anyhow::Result<Vec<Sealed>> {
        let sql = format!(
            "-- recent_audit\n select {COLUMNS} from audit
             where environment = $1 and flag = $2 order by seq desc limit $3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(environment.as_str())
            .bind(flag.as_str())
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading the audit trail")?;
        rows.iter().map(read).collect()
    }

    /// The newest entries of one migration that tell of its moves and of what held or let them, newest
    /// first.
    pub async fn recent_moves(
        &self,
        environment: &EnvironmentName,
        flag: &FlagName,
        at_most: i64,
    ) -> anyhow::Result<Vec<Sealed>> {
        let sql = format!(
            "-- recent_moves\n select {COLUMNS} from audit
             where environment = $1 and flag = $2
               and action in ('flip', 'request', 'approve', 'withdraw', 'hold', 'release', 'override')
             order by seq desc limit $3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(environment.as_str())
            .bind(flag.as_str())
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading the audit trail")?;
        rows.iter().map(read).collect()
    }

    /// Entries of one migration, newest first: so many after as many as are skipped, and how many there
    /// are in all.
    pub async fn audit_page(
        &self,
        (environment, flag): (&EnvironmentName, &FlagName),
        which: &WhichEntries,
        (skipped, at_most): (i64, i64),
    ) -> anyhow::Result<(Vec<Sealed>, i64)> {
        const WHICH: &str = "from audit where environment = $1 and flag = $2
             and ($3 = '' or action = $3) and ($4 = '' or actor = $4)
             and at >= $5 and at < $6";
        let doing = "reading the audit trail";
        let text = |one: &Option<String>| one.clone().unwrap_or_default();
        let sql = format!("-- audit_in_all\n select count(*) as of_all {WHICH}");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(environment.as_str())
            .bind(flag.as_str())
            .bind(text(&which.action))
            .bind(text(&which.by))
            .bind(which.since.map_or(i64::MIN, millis))
            .bind(which.until.map_or(i64::MAX, millis))
            .fetch_one(&self.pool)
            .await
            .context(doing)?;
        let of_all: i64 = row.try_get("of_all")?;
        let sql = format!(
            "-- audit_page\n select {COLUMNS} {WHICH} order by seq desc limit $7 offset $8"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(environment.as_str())
            .bind(flag.as_str())
            .bind(text(&which.action))
            .bind(text(&which.by))
            .bind(which.since.map_or(i64::MIN, millis))
            .bind(which.until.map_or(i64::MAX, millis))
            .bind(at_most)
            .bind(skipped)
            .fetch_all(&self.pool)
            .await
            .context(doing)?;
        let entries = rows.iter().map(read);
        Ok((entries.collect::<anyhow::Result<_>>()?, of_all))
    }

    /// Entries of one migration before one of them, newest first.
    pub async fn audit_before(
        &self,
        (environment, flag): (&EnvironmentName, &FlagName),
        which: &WhichEntries,
        (before, at_most): (i64, i64),
    ) -> anyhow::Result<Vec<Sealed>> {
        let text = |one: &Option<String>| one.clone().unwrap_or_default();
        let sql = format!(
            "-- audit_before\n select {COLUMNS} from audit
             where environment = $1 and flag = $2
               and ($3 = '' or action = $3) and ($4 = '' or actor = $4)
               and at >= $5 and at < $6 and seq < $7 order by seq desc limit $8"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(environment.as_str())
            .bind(flag.as_str())
            .bind(text(&which.action))
            .bind(text(&which.by))
            .bind(which.since.map_or(i64::MIN, millis))
            .bind(which.until.map_or(i64::MAX, millis))
            .bind(before)
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading the audit trail")?;
        rows.iter().map(read).collect()
    }

    /// How many entries the chain of all migrations has.
    pub async fn audit_length(&self) -> anyhow::Result<i64> {
        let sql = "-- audit_length
            select seq from audit_head where id = 1";
        sqlx::query_scalar(sql)
            .fetch_one(&self.pool)
            .await
            .context("reading the audit trail")
    }

    /// What was done in one migration, and who did it: the names of each, in order.
    pub async fn audit_names(
        &self,
        environment: &EnvironmentName,
        flag: &FlagName,
    ) -> anyhow::Result<(Vec<String>, Vec<String>)> {
        let doing = "reading who did what";
        let actions = "-- audit_actions
            select distinct action from audit where environment = $1 and flag = $2
            order by action limit 200";
        let actors = "-- audit_actors
            select distinct actor from audit where environment = $1 and flag = $2
            order by actor limit 200";
        let mut names = Vec::new();
        for sql in [actions, actors] {
            let found: Vec<String> = sqlx::query_scalar(sql)
                .bind(environment.as_str())
                .bind(flag.as_str())
                .fetch_all(&self.pool)
                .await
                .context(doing)?;
            names.push(found);
        }
        let actors = names.pop().unwrap_or_default();
        Ok((names.pop().unwrap_or_default(), actors))
    }

    /// The part of the chain, of all migrations, that was written from `since` on and before `until`:
    /// the first entry after `after`, and those that follow it. As many as one reads at once; none
    /// where there are no more. Nothing within is left out, whatever its time says.
    pub async fn audit_between(
        &self,
        (since, until): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
        after: i64,
    ) -> anyhow::Result<Vec<Sealed>> {
        let sql = format!(
            "-- audit_between\n select {COLUMNS} from audit
             where seq > $1
               and seq >= (select coalesce(min(seq), 1) from audit where at >= $2)
               and seq <= (select coalesce(max(seq), 0) from audit where at >= $2 and at < $3)
             order by seq limit $4"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(after)
            .bind(since.map_or(i64::MIN, millis))
            .bind(until.map_or(i64::MAX, millis))
            .bind(AT_ONCE)
            .fetch_all(&self.pool)
            .await
            .context("reading the audit trail")?;
        rows.iter().map(read).collect()
    }

    /// Reads the whole chain of all migrations, and tells how long it is or where it is broken.
    pub async fn verify_audit(&self) -> anyhow::Result<Result<i64, Broken>> {
        let connection = self.pool.acquire().await;
        verify(&mut *connection.context("reading the audit trail")?).await
    }
}

/// Reads the whole chain on one connection.
pub(super) async fn verify(db: &mut AnyConnection) -> anyhow::Result<Result<i64, Broken>> {
    let doing = "reading the audit trail";
    // What is written meanwhile comes after the head as it is now.
    let head = sqlx::query("-- audit_head\n select seq, hash from audit_head where id = 1")
        .fetch_one(&mut *db)
        .await
        .context(doing)?;
    let (last, hash): (i64, String) = (head.try_get("seq")?, head.try_get("hash")?);
    let sql = format!(
        "-- verify_audit\n select {COLUMNS} from audit
         where seq > $1 and seq <= $2 order by seq limit $3"
    );
    let mut chain = Chain::default();
    loop {
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
            .bind(chain.len())
            .bind(last)
            .bind(AT_ONCE)
            .fetch_all(&mut *db)
            .await
            .context(doing)?;
        for row in &rows {
            if let Err(broken) = chain.check(&read(row)?) {
                return Ok(Err(broken));
            }
        }
        if rows.len() < usize::try_from(AT_ONCE)? {
            break;
        }
    }
    Ok(chain.ends_at(last, &hash).map(|()| chain.len()))
}
