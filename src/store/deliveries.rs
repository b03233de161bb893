//! The outbox of notices: for each target of the settings one row, which whoever sends it claims first.
//!
//! A delivery that was claimed by somebody who fell silent may have arrived, or not: whoever claims it
//! next is told so.

use anyhow::Context;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::{Any, Row, Transaction, any::AnyRow};

use super::{
    Store,
    facts::About,
    millis,
    notices::{self, COLUMNS, Notice},
    plain, time,
};
use crate::model::{EnvironmentName, Gravity, NoticeKind};

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is to be sent, at the time that is noted.
    Waiting,
    /// Somebody is sending it.
    Sending,
    /// It is there.
    Sent,
    /// It was told with others in one.
    Summed,
    /// It is not tried any more.
    GivenUp,
}

impl DeliveryState {
    const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Sending,
        Self::Sent,
        Self::Summed,
        Self::GivenUp,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Summed => "summed",
            Self::GivenUp => "given_up",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A row of `notice_deliveries`, for people.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Delivery {
    /// To whom.
    pub target: String,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: i64,
    /// Why it is not there.
    pub why: Option<String>,
    /// When it is tried again; where it waits.
    pub next_at: Option<DateTime<Utc>>,
    /// The notice that told of it with others.
    pub summed_in: Option<String>,
    /// Since when it is in this state.
    pub changed_at: DateTime<Utc>,
}

/// A notice with what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ToldNotice {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// How grave it is.
    pub gravity: Gravity,
    /// What it says.
    pub text: String,
    /// When it came to be.
    pub created_at: DateTime<Utc>,
    /// To whom it goes; nobody beside the log, where there is none.
    pub deliveries: Vec<Delivery>,
}

/// A notice that somebody has claimed to send to one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The notice.
    pub notice: Notice,
    /// How often it was tried, this time counted.
    pub attempts: i64,
    /// Whether it may be there already.
    pub in_doubt: bool,
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came<'a> {
    /// It is there.
    Sent,
    /// It is tried again then; it may be there, where that is not known.
    Again {
        /// When.
        at: DateTime<Utc>,
        /// Whether it may be there.
        in_doubt: bool,
        /// Why it is not known to be.
        why: &'a str,
    },
    /// It is not tried any more.
    GivenUp {
        /// Why.
        why: &'a str,
    },
}

/// How a target stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Notices that are due.
    pub due: usize,
    /// Messages sent since then, those under way counted.
    pub lately: usize,
}

impl Store {
    /// Notices nobody was chosen for, oldest first.
    pub async fn new_notices(&self, environment: &EnvironmentName) -> anyhow::Result<Vec<Notice>> {
        let sql = format!(
            "-- new_notices
            select {COLUMNS} from notices n where n.environment = $1 and n.delivered_at is null
            order by n.created_at, n.id limit 500"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(environment.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading what is to be told")?;
        rows.iter().map(Notice::read).collect()
    }

    /// Notes to whom a notice goes. False where another process did.
    pub async fn give_out(
        &self,
        id: &str,
        targets: &[&str],
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let doing = "noting who is told";
        let mut tx = self.begin().await.context(doing)?;
        let given = give_out(&mut tx, id, targets, now).await?;
        tx.commit().await.context(doing)?;
        Ok(given)
    }

    /// Notes something that goes to one target alone; its id.
    pub async fn tell_target(
        &self,
        about: &About,
        target: &str,
        told: (NoticeKind, &str, &Value),
        now: DateTime<Utc>,
    ) -> anyhow::Result<String> {
        let doing = "noting something to be told";
        let mut tx = self.begin().await.context(doing)?;
        let id = notices::insert(&mut tx, about, told, now).await?;
        give_out(&mut tx, &id, &[target], now).await?;
        tx.commit().await.context(doing)?;
        Ok(id)
    }

    /// How many notices are due for a target, and how many messages it got since `since`.
    pub async fn backlog(
        &self,
        environment: &EnvironmentName,
        target: &str,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Backlog> {
        let sql = "-- notice_backlog
            select
                sum(case when (d.state = 'waiting' and d.next_at <= $3)
                        or (d.state = 'sending' and d.lease_until < $3)
                    then 1 else 0 end) as due,
                sum(case when (d.state = 'sent' and d.changed_at > $4)
                        or (d.state = 'sending' and d.lease_until >= $3)
                    then 1 else 0 end) as lately
            from notice_deliveries d join notices n on n.id = d.notice_id
            where d.target = $2 and n.environment = $1
              and (d.state in ('waiting', 'sending') or (d.state = 'sent' and d.changed_at > $4))";
        let row = sqlx::query(sql)
            .bind(environment.as_str())
            .bind(target)
            .bind(millis(now))
            .bind(millis(since))
            .fetch_one(&self.pool)
            .await
            .context("counting what is to be told")?;
        let count = |column: &str| -> anyhow::Result<usize> {
            let count: Option<i64> = row.try_get(column)?;
            Ok(usize::try_from(count.unwrap_or(0))?)
        };
        Ok(Backlog {
            due: count("due")?,
            lately: count("lately")?,
        })
    }

    /// Claims the oldest notice that is due for a target, until `until`; none where there is none, or
    /// others were faster. With an id only that one.
    pub async fn claim_delivery(
        &self,
        environment: &EnvironmentName,
        (target, only): (&str, Option<&str>),
        (holder, until): (&str, DateTime<Utc>),
        now: DateTime<Utc>,
    ) -> anyhow::Result<Option<Claimed>> {
        let doing = "claiming something to be told";
        let sql = format!(
            "-- due_deliveries
            select {COLUMNS} from notice_deliveries d join notices n on n.id = d.notice_id
            where d.target = $2 and n.environment = $1 and ($4 = '' or n.id = $4)
              and ((d.state = 'waiting' and d.next_at <= $3)
                or (d.state = 'sending' and d.lease_until < $3))
            order by n.created_at, n.id limit 5"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(environment.as_str())
            .bind(target)
            .bind(millis(now))
            .bind(only.unwrap_or_default())
            .fetch_all(&self.pool)
            .await
            .context(doing)?;
        let sql = "-- claim_delivery
            update notice_deliveries
            set in_doubt = case when state = 'sending' then 1 else in_doubt end,
                state = 'sending', holder = $3, lease_until = $4, attempts = attempts + 1,
                changed_at = $5
            where notice_id = $1 and target = $2
              and ((state = 'waiting' and next_at <= $5) or (state = 'sending' and lease_until < $5))
            returning attempts, in_doubt";
        for row in &rows {
            let notice = Notice::read(row)?;
            let claimed = sqlx::query(sql)
                .bind(notice.id.as_str())
                .bind(target)
                .bind(holder)
                .bind(millis(until))
                .bind(millis(now))
                .fetch_optional(&self.pool)
                .await
                .context(doing)?;
            if let Some(claimed) = claimed {
                return Ok(Some(Claimed {
                    attempts: claimed.try_get("attempts")?,
                    in_doubt: claimed.try_get::<i64, _>("in_doubt")? == 1,
                    notice,
                }));
            }
        }
        Ok(None)
    }

    /// Notes what became of a try, for whoever claimed it. False where the claim was lost.
    pub async fn note_delivery(
        &self,
        (notice, target): (&str, &str),
        holder: &str,
        came: &Came<'_>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let sql = "-- note_delivery
            update notice_deliveries
            set state = $4, next_at = $5, in_doubt = case when $6 = 1 then 1 else in_doubt end,
                why = nullif($7, ''), holder = null, lease_until = null, changed_at = $8
            where notice_id = $1 and target = $2 and holder = $3 and state = 'sending'";
        let (state, next_at, in_doubt, why) = match came {
            Came::Sent => (DeliveryState::Sent, now, false, ""),
            Came::Again { at, in_doubt, why } => (DeliveryState::Waiting, *at, *in_doubt, *why),
            Came::GivenUp { why } => (DeliveryState::GivenUp, now, false, *why),
        };
        let noted = sqlx::query(sql)
            .bind(notice)
            .bind(target)
            .bind(holder)
            .bind(state.as_str())
            .bind(millis(next_at))
            .bind(i64::from(in_doubt))
            .bind(plain(why).as_ref())
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("noting what became of a notice")?;
        Ok(noted.rows_affected() == 1)
    }

    /// Takes all that is due for a target and was never tried, to be told in one; `tell` makes that of
    /// them. How many they were; none where there are less than two.
    pub async fn sum_up(
        &self,
        about: &About,
        target: &str,
        tell: impl FnOnce(&[Notice]) -> (String, Value) + Send,
        now: DateTime<Utc>,
    ) -> anyhow::Result<usize> {
        let doing = "telling many notices in one";
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- take_for_summary
            update notice_deliveries set state = 'summed', changed_at = $3
            where target = $2 and state = 'waiting' and in_doubt = 0 and next_at <= $3
              and notice_id in (select id from notices where environment = $1
                and kind not in ('summary', 'test'))
            returning notice_id";
        let taken = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(target)
            .bind(millis(now))
            .fetch_all(&mut *tx)
            .await
            .context(doing)?;
        if taken.len() < 2 {
            return Ok(0);
        }
        let mut covered = Vec::with_capacity(taken.len());
        let sql = format!("-- covered_notice\n select {COLUMNS} from notices n where n.id = $1");
        for row in &taken {
            let id: String = row.try_get("notice_id")?;
            let row = sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
                .bind(id)
                .fetch_one(&mut *tx)
                .await
                .context(doing)?;
            covered.push(Notice::read(&row)?);
        }
        covered.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        let (text, document) = tell(&covered);
        let told = (NoticeKind::Summary, text.as_str(), &document);
        let id = notices::insert(&mut tx, about, told, now).await?;
        give_out(&mut tx, &id, &[target], now).await?;
        let sql = "-- note_summary
            update notice_deliveries set summed_in = $3
            where notice_id = $1 and target = $2";
        for notice in &covered {
            sqlx::query(sql)
                .bind(notice.id.as_str())
                .bind(target)
                .bind(id.as_str())
                .execute(&mut *tx)
                .await
                .context(doing)?;
        }
        tx.commit().await.context(doing)?;
        Ok(covered.len())
    }

    /// Gives up what waits for targets that the settings do not name, and has waited since `since`: another
    /// process may have newer settings. How many.
    pub async fn give_up_unknown(
        &self,
        environment: &EnvironmentName,
        known: &[&str],
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<u64> {
        let doing = "giving up what nobody can be told";
        let sql = "-- unknown_targets
            select distinct d.target from notice_deliveries d join notices n on n.id = d.notice_id
            where n.environment = $1 and d.state = 'waiting'";
        let rows = sqlx::query(sql)
            .bind(environment.as_str())
            .fetch_all(&self.pool)
            .await
            .context(doing)?;
        let mut given_up = 0;
        for row in &rows {
            let target: String = row.try_get("target")?;
            if known.contains(&target.as_str()) {
                continue;
            }
            let sql = "-- give_up_unknown
                update notice_deliveries
                set state = 'given_up', why = 'the settings name no such target', changed_at = $3
                where target = $2 and state = 'waiting' and changed_at < $4
                  and notice_id in (select id from notices where environment = $1)";
            let done = sqlx::query(sql)
                .bind(environment.as_str())
                .bind(target)
                .bind(millis(now))
                .bind(millis(since))
                .execute(&self.pool)
                .await
                .context(doing)?;
            given_up += done.rows_affected();
        }
        Ok(given_up)
    }

    /// The newest notices with what became of each, newest first.
    pub async fn recent_notices(
        &self,
        environment: &EnvironmentName,
        at_most: i64,
    ) -> anyhow::Result<Vec<ToldNotice>> {
        let doing = "reading notices";
        let sql = format!(
            "-- recent_notices
            select {COLUMNS} from notices n where n.environment = $1
            order by n.created_at desc, n.id limit $2"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(environment.as_str())
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context(doing)?;
        let sql = "-- deliveries_of_notice
            select target, state, attempts, why, next_at, summed_in, changed_at
            from notice_deliveries where notice_id = $1 order by target";
        let mut told = Vec::with_capacity(rows.len());
        for row in &rows {
            let notice = Notice::read(row)?;
            let deliveries = sqlx::query(sql)
                .bind(notice.id.as_str())
                .fetch_all(&self.pool)
                .await
                .context(doing)?;
            told.push(ToldNotice {
                gravity: notice.gravity(),
                id: notice.id,
                kind: notice.kind,
                text: notice.text,
                created_at: notice.created_at,
                deliveries: deliveries.iter().map(read).collect::<anyhow::Result<_>>()?,
            });
        }
        Ok(told)
    }

    /// What became of one notice at one target.
    pub async fn delivery(&self, notice: &str, target: &str) -> anyhow::Result<Option<Delivery>> {
        let sql = "-- delivery
            select target, state, attempts, why, next_at, summed_in, changed_at
            from notice_deliveries where notice_id = $1 and target = $2";
        let row = sqlx::query(sql)
            .bind(notice)
            .bind(target)
            .fetch_optional(&self.pool)
            .await
            .context("reading what became of a notice")?;
        row.as_ref().map(read).transpose()
    }

    /// How many deliveries of each target were given up since then, or have waited since before `waiting`:
    /// target, given up, late, and why the newest of them is not there.
    pub async fn undelivered(
        &self,
        environment: &EnvironmentName,
        since: DateTime<Utc>,
        waiting: DateTime<Utc>,
    ) -> anyhow::Result<Vec<(String, i64, i64, String)>> {
        let sql = "-- undelivered
            select d.target, d.state, n.created_at, coalesce(d.why, '') as why
            from notice_deliveries d join notices n on n.id = d.notice_id
            where n.environment = $1
              and ((d.state = 'given_up' and d.changed_at > $2)
                or (d.state in ('waiting', 'sending') and n.created_at < $3))
            order by d.target, d.changed_at";
        let rows = sqlx::query(sql)
            .bind(environment.as_str())
            .bind(millis(since))
            .bind(millis(waiting))
            .fetch_all(&self.pool)
            .await
            .context("reading who is not told")?;
        let mut targets: Vec<(String, i64, i64, String)> = Vec::new();
        for row in &rows {
            let (target, state): (String, String) = (row.try_get("target")?, row.try_get("state")?);
            if targets.last().is_none_or(|last| last.0 != target) {
                targets.push((target, 0, 0, String::new()));
            }
            if let Some(last) = targets.last_mut() {
                let is_given_up = state == DeliveryState::GivenUp.as_str();
                last.1 += i64::from(is_given_up);
                last.2 += i64::from(!is_given_up);
                last.3 = row.try_get("why")?;
            }
        }
        Ok(targets)
    }
}

async fn give_out(
    tx: &mut Transaction<'static, Any>,
    id: &str,
    targets: &[&str],
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let doing = "noting who is told";
    let sql = "-- give_out
        update notices set delivered_at = $2 where id = $1 and delivered_at is null";
    let given = sqlx::query(sql)
        .bind(id)
        .bind(millis(now))
        .execute(&mut **tx)
        .await
        .context(doing)?;
    if given.rows_affected() == 0 {
        return Ok(false);
    }
    let sql = "-- insert_delivery
        insert into notice_deliveries (notice_id, target, state, attempts, in_doubt, next_at, changed_at)
        values ($1, $2, 'waiting', 0, 0, $3, $3)
        on conflict (notice_id, target) do nothing";
    for target in targets {
        sqlx::query(sql)
            .bind(id)
            .bind(*target)
            .bind(millis(now))
            .execute(&mut **tx)
            .await
            .context(doing)?;
    }
    Ok(true)
}

fn read(row: &AnyRow) -> anyhow::Result<Delivery> {
    let state: String = row.try_get("state")?;
    let state = DeliveryState::parse(&state)
        .with_context(|| format!("`{state}` is no state of a delivery"))?;
    let next_at: i64 = row.try_get("next_at")?;
    Ok(Delivery {
        target: row.try_get("target")?,
        state,
        attempts: row.try_get("attempts")?,
        why: row.try_get("why")?,
        next_at: (state == DeliveryState::Waiting).then(|| time(next_at)),
        summed_in: row.try_get("summed_in")?,
        changed_at: time(row.try_get("changed_at")?),
    })
}
