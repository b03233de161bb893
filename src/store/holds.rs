//! Holds and overrides: what stops a migration though everything is met, and what lets it go on though
//! something is not.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, Executor, Row, Transaction, any::AnyRow};

use super::{Store, audit, facts::About, millis, notices, phases, plain, time};
use crate::{
    model::{NoticeKind, digest},
    rollout::{Check, Hold, Override, audit::Entry},
};

/// A hold somebody wants to place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHold {
    /// Who holds.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// When they mean to release it.
    pub expires_at: DateTime<Utc>,
}

fn read_hold(row: &AnyRow) -> anyhow::Result<Hold> {
    Ok(Hold {
        id: row.try_get("id")?,
        owner: row.try_get("owner")?,
        reason: row.try_get("reason")?,
        placed_at: time(row.try_get("placed_at")?),
        expires_at: time(row.try_get("expires_at")?),
    })
}

/// The holds in force, oldest first.
pub(super) async fn read_holds<'e>(
    db: impl Executor<'e, Database = Any>,
    about: &About,
) -> anyhow::Result<Vec<Hold>> {
    let sql = "-- holds
        select id, owner, reason, placed_at, expires_at from holds
        where environment = $1 and flag = $2 and released_at is null
        order by placed_at, id";
    let rows = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .fetch_all(db)
        .await
        .context("reading holds")?;
    rows.iter().map(read_hold).collect()
}

/// The overrides that count, newest first.
pub(super) async fn read_overrides<'e>(
    db: impl Executor<'e, Database = Any>,
    about: &About,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Override>> {
    let sql = "-- overrides
        select precondition, taken_by, reason, expires_at from overrides
        where environment = $1 and flag = $2 and expires_at > $3
        order by taken_at desc, id";
    let rows = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(millis(now))
        .fetch_all(db)
        .await
        .context("reading overrides")?;
    rows.iter()
        .map(|row| {
            let check: String = row.try_get("precondition")?;
            Ok(Override {
                check: check.parse()?,
                by: row.try_get("taken_by")?,
                reason: row.try_get("reason")?,
                until: time(row.try_get("expires_at")?),
            })
        })
        .collect()
}

/// Places a hold, in a transaction that has locked the phase; its id.
pub(super) async fn place(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    hold: &NewHold,
    now: DateTime<Utc>,
) -> anyhow::Result<String> {
    let id = about.id("hold", &[&hold.owner, &hold.reason], now);
    let sql = "-- place_hold
        insert into holds (id, environment, flag, owner, reason, placed_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (id) do nothing";
    sqlx::query(sql)
        .bind(id.as_str())
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(plain(&hold.owner).as_ref())
        .bind(plain(&hold.reason).as_ref())
        .bind(millis(now))
        .bind(millis(hold.expires_at))
        .execute(&mut **tx)
        .await
        .context("placing a hold")?;
    let entry = about.entry(
        "hold",
        (&hold.owner, &hold.reason),
        ("", &format!("{id} until {}", stamp(hold.expires_at))),
        now,
    );
    audit::append(tx, entry).await?;
    let text = format!(
        "{} holds {} where it is: {}",
        plain(&hold.owner),
        about.environment,
        plain(&hold.reason)
    );
    let document = serde_json::json!({ "hold": id, "owner": hold.owner });
    notices::insert(tx, about, (NoticeKind::Hold, &text, &document), now).await?;
    Ok(id)
}

impl Store {
    /// The holds in force, oldest first.
    pub async fn holds(&self, about: &About) -> anyhow::Result<Vec<Hold>> {
        read_holds(&self.pool, about).await
    }

    /// The overrides that count, newest first.
    pub async fn overrides(
        &self,
        about: &About,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Vec<Override>> {
        read_overrides(&self.pool, about, now).await
    }

    /// Places a hold; its id. Moves that are being made are waited for, so none passes it unseen.
    pub async fn place_hold(
        &self,
        about: &About,
        hold: &NewHold,
        now: DateTime<Utc>,
    ) -> anyhow::Result<String> {
        let doing = "placing a hold";
        let mut tx = self.begin().await.context(doing)?;
        phases::lock(&mut tx, &about.environment, &about.flag, now).await?;
        let id = place(&mut tx, about, hold, now).await?;
        tx.commit().await.context(doing)?;
        Ok(id)
    }

    /// Releases a hold. False where there is none of that id in force.
    pub async fn release_hold(
        &self,
        about: &About,
        id: &str,
        (by, reason): (&str, &str),
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let doing = "releasing a hold";
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- release_hold
            update holds set released_at = $4, released_by = $5
            where environment = $1 and flag = $2 and id = $3 and released_at is null";
        let released = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(id)
            .bind(millis(now))
            .bind(plain(by).as_ref())
            .execute(&mut *tx)
            .await
            .context(doing)?;
        if released.rows_affected() == 0 {
            return Ok(false);
        }
        let entry = about.entry("release", (by, reason), (id, ""), now);
        audit::append(&mut tx, entry).await?;
        let text = format!("{} released the hold on {}", plain(by), about.environment);
        let document = serde_json::json!({ "hold": id, "by": by });
        notices::insert(&mut tx, about, (NoticeKind::Release, &text, &document), now).await?;
        tx.commit().await.context(doing)?;
        Ok(true)
    }

    /// Notes for every hold whose time is over, once, that it is to be told. Nothing is released.
    pub async fn tell_expired_holds(
        &self,
        about: &About,
        now: DateTime<Utc>,
    ) -> anyhow::Result<usize> {
        let doing = "telling of holds that expired";
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- expired_holds
            update holds set told_at = $3
            where environment = $1 and flag = $2 and released_at is null and told_at is null
              and expires_at <= $3
            returning id, owner, reason, placed_at, expires_at";
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(now))
            .fetch_all(&mut *tx)
            .await
            .context(doing)?;
        for row in &rows {
            let hold = read_hold(row)?;
            let text = format!(
                "the hold of {} on {} is over its time and still holds; release it with `switchyard hold release {}`",
                hold.owner, about.environment, hold.id
            );
            let document = serde_json::json!({ "hold": hold.id, "owner": hold.owner });
            notices::insert(
                &mut tx,
                about,
                (NoticeKind::HoldExpired, &text, &document),
                now,
            )
            .await?;
        }
        tx.commit().await.context(doing)?;
        Ok(rows.len())
    }

    /// Notes that somebody takes a precondition upon themselves; what it was is in `taken`.
    pub async fn take_override(
        &self,
        about: &About,
        taken: &Override,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let doing = "overriding a precondition";
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- take_override
            insert into overrides (id, environment, flag, precondition, taken_by, reason, taken_at,
                expires_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            on conflict (id) do nothing";
        let check: Check = taken.check;
        sqlx::query(sql)
            .bind(about.id("ovr", &[check.as_str(), &taken.by], now))
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(check.as_str())
            .bind(plain(&taken.by).as_ref())
            .bind(plain(&taken.reason).as_ref())
            .bind(millis(now))
            .bind(millis(taken.until))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        let until = format!("{check} until {}", stamp(taken.until));
        let entry = about.entry("override", (&taken.by, &taken.reason), ("", &until), now);
        audit::append(&mut tx, entry).await?;
        let text = format!(
            "{} overrides `{check}` in {}: {}",
            plain(&taken.by),
            about.environment,
            plain(&taken.reason)
        );
        let document = serde_json::json!({ "check": check, "by": taken.by, "until": taken.until });
        notices::insert(
            &mut tx,
            about,
            (NoticeKind::Override, &text, &document),
            now,
        )
        .await?;
        tx.commit().await.context(doing)
    }
}

/// A moment, for people.
fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

impl About {
    /// An id made of what it stands for: the same written twice is one row.
    pub(super) fn id(&self, prefix: &str, parts: &[&str], now: DateTime<Utc>) -> String {
        let place = [self.environment.as_str(), self.flag.as_str()];
        let at = millis(now).to_string();
        let all = [&place[..], parts, &[&at]].concat();
        format!("{prefix}_{}", &digest::of_text(&all.join("\0"))[..12])
    }

    /// An entry of the audit trail, not yet in the chain.
    pub fn entry(
        &self,
        action: &str,
        (actor, reason): (&str, &str),
        (before, after): (&str, &str),
        now: DateTime<Utc>,
    ) -> Entry {
        Entry {
            action: action.to_owned(),
            actor: plain(actor).into_owned(),
            after: plain(after).into_owned(),
            at: millis(now),
            before: plain(before).into_owned(),
            environment: self.environment.to_string(),
            flag: self.flag.to_string(),
            previous: String::new(),
            reason: plain(reason).into_owned(),
            seq: 0,
        }
    }
}
