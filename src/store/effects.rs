//! The effect ledger: what a live run shows to others, from its reservation to its confirmation.
//!
//! `reserved` nobody has tried; `sending` somebody tries, until the lease ends; `sent` it is done and
//! what follows from it is not; `unknown` it may have been done; `confirmed` it is done, or
//! will never be.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, Row, Transaction};

use super::{CheckedIn, Intent, IntentKind, Run, Store, millis, plain};
use crate::{
    model::{EnvironmentName, RunId, digest},
    rollout::Live,
};

/// How far an effect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectState {
    /// Nobody has tried.
    Reserved,
    /// Somebody is at it, or died at it.
    Sending,
    /// It is done; what follows from it is not.
    Sent,
    /// It may have been done.
    Unknown,
    /// It is done, or will never be.
    Confirmed,
}

impl EffectState {
    const ALL: [Self; 5] = [
        Self::Reserved,
        Self::Sending,
        Self::Sent,
        Self::Unknown,
        Self::Confirmed,
    ];

    /// The name in SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Unknown => "unknown",
            Self::Confirmed => "confirmed",
        }
    }
}

/// A row of `effects`, with the intent it carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The task that wants it.
    pub task_ref: String,
    /// Its place among the task's.
    pub position: i64,
    /// What it is, where it goes, its exact bytes.
    pub intent: Intent,
    /// The same whoever does it, and however often.
    pub key: String,
    /// How far it is.
    pub state: EffectState,
    /// How often it was tried.
    pub attempts: u32,
    /// HTTP status or message id.
    pub answer: Option<String>,
}

/// What asking for an effect led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the caller's until the lease ends.
    Granted,
    /// It is done.
    Done,
    /// Somebody else is at it, or died at it, until then.
    Held(DateTime<Utc>),
    /// The run no longer owns its recording.
    Fenced,
}

/// Who carries effects out, and until when.
#[derive(Clone, Copy, Debug)]
pub struct Lease<'a> {
    /// A name no other process has.
    pub holder: &'a str,
    /// Nobody else tries before.
    pub until: DateTime<Utc>,
}

impl Store {
    /// Reserves a task's effects with its checkpoint. What was tried already stays as it is.
    pub(super) async fn reserve_effects(
        tx: &mut Transaction<'_, Any>,
        run: &Run,
        live: &Live,
        task_ref: &str,
        intents: &[Intent],
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let stale = "-- reserve_effects
            delete from effects where run_id = $1 and task_ref = $2 and state = 'reserved'";
        sqlx::query(stale)
            .bind(run.id.as_str())
            .bind(task_ref)
            .execute(&mut **tx)
            .await
            .context("reserving effects")?;
        let sql = "-- reserve_effects
            insert into effects (run_id, task_ref, position, environment, flag, kind, effect_key,
                epoch, request_hash, state, attempts, changed_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'reserved', 0, $10)
            on conflict (run_id, task_ref, position) do nothing";
        for (position, intent) in (0_i64..).zip(intents) {
            let hash = digest::of_json(&serde_json::json!([intent.target, intent.content]));
            sqlx::query(sql)
                .bind(run.id.as_str())
                .bind(task_ref)
                .bind(position)
                .bind(run.environment.as_str())
                .bind(run.flag.as_str())
                .bind(intent.kind.as_str())
                .bind(key(run, task_ref, position, intent.kind))
                .bind(live.epoch())
                .bind(hash)
                .bind(millis(now))
                .execute(&mut **tx)
                .await
                .context("reserving an effect")?;
        }
        Ok(())
    }

    /// Reserves effects that belong to no task, with their intents, if the run still owns its
    /// recording. What was reserved before stays as it is.
    pub async fn reserve(
        &self,
        (run, live): (&Run, &Live),
        name: &str,
        intents: &[Intent],
        now: DateTime<Utc>,
    ) -> anyhow::Result<CheckedIn> {
        if !self.effects(&run.id, name).await?.is_empty() {
            return Ok(CheckedIn::Written);
        }
        let mut tx = self.begin().await.context("reserving effects")?;
        if !Self::fence(&mut tx, live).await? {
            return Ok(CheckedIn::Fenced);
        }
        Self::replace_intents(&mut tx, &run.id, name, intents, now).await?;
        Self::reserve_effects(&mut tx, run, live, name, intents, now).await?;
        tx.commit().await.context("reserving effects")?;
        Ok(CheckedIn::Written)
    }

    /// Failed runs that own their recording and whose users wait for it, and whose effects of that
    /// name are not all done.
    pub async fn untold_failures(
        &self,
        environment: &EnvironmentName,
        name: &str,
    ) -> anyhow::Result<Vec<Run>> {
        let sql = "-- untold_failures
            select r.id from runs r
            join ownership o on o.run_id = r.id and o.epoch = r.epoch
            where r.environment = $1 and r.state = 'failed' and o.owner = 'candidate'
              and o.stage = 'open'
              and (not exists (select 1 from effects e where e.run_id = r.id and e.task_ref = $2)
                or exists (select 1 from effects e where e.run_id = r.id and e.task_ref = $2
                    and e.state <> 'confirmed'))
            order by r.started_at, r.id";
        let ids: Vec<String> = sqlx::query_scalar(sql)
            .bind(environment.as_str())
            .bind(name)
            .fetch_all(&self.pool)
            .await
            .context("looking for failed runs")?;
        let mut runs = Vec::new();
        for id in ids {
            runs.extend(self.run(&RunId::new(id)).await?);
        }
        Ok(runs)
    }

    /// A task's effects in order.
    pub async fn effects(&self, run: &RunId, task_ref: &str) -> anyhow::Result<Vec<Effect>> {
        let sql = "-- effects
            select e.task_ref, e.position, e.effect_key, e.state, e.attempts, e.answer,
                i.kind, i.target, i.content
            from effects e
            join intents i on i.run_id = e.run_id and i.task_ref = e.task_ref
                and i.position = e.position
            where e.run_id = $1 and e.task_ref = $2 order by e.position";
        sqlx::query(sql)
            .bind(run.as_str())
            .bind(task_ref)
            .fetch_all(&self.pool)
            .await
            .context("reading the ledger")?
            .iter()
            .map(|row| {
                let state: String = row.try_get("state")?;
                let attempts: i64 = row.try_get("attempts")?;
                Ok(Effect {
                    task_ref: row.try_get("task_ref")?,
                    position: row.try_get("position")?,
                    intent: Intent::read(row)?,
                    key: row.try_get("effect_key")?,
                    state: EffectState::ALL
                        .into_iter()
                        .find(|known| known.as_str() == state)
                        .with_context(|| format!("`{state}` is no state of an effect"))?,
                    attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
                    answer: row.try_get("answer")?,
                })
            })
            .collect()
    }

    /// How many effects of a run are in each state.
    pub async fn ledger(&self, run: &RunId) -> anyhow::Result<Vec<(String, i64)>> {
        let sql = "-- ledger
            select state, count(*) as number from effects where run_id = $1
            group by state order by state";
        sqlx::query(sql)
            .bind(run.as_str())
            .fetch_all(&self.pool)
            .await
            .context("summing up the ledger")?
            .iter()
            .map(|row| Ok((row.try_get("state")?, row.try_get("number")?)))
            .collect()
    }

    /// Checks the epoch and makes the caller the one who carries an effect out.
    pub async fn claim_effect(
        &self,
        live: &Live,
        effect: &Effect,
        lease: Lease<'_>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Claim> {
        let mut tx = self.begin().await.context("claiming an effect")?;
        let claim = Self::claim(&mut tx, live, effect, lease, now).await?;
        tx.commit().await.context("claiming an effect")?;
        Ok(claim)
    }

    /// The same inside a transaction of the caller's.
    pub async fn claim(
        tx: &mut Transaction<'_, Any>,
        live: &Live,
        effect: &Effect,
        lease: Lease<'_>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Claim> {
        if !Self::fence(tx, live).await? {
            return Ok(Claim::Fenced);
        }
        let sql = "-- claim
            update effects
            set state = case when state = 'sent' then 'sent' else 'sending' end,
                attempts = attempts + 1, holder = $4, lease_until = $5, changed_at = $6
            where run_id = $1 and task_ref = $2 and position = $3
              and state <> 'confirmed' and (lease_until is null or lease_until <= $6)";
        let claimed = sqlx::query(sql)
            .bind(live.run().as_str())
            .bind(effect.task_ref.as_str())
            .bind(effect.position)
            .bind(lease.holder)
            .bind(millis(lease.until))
            .bind(millis(now))
            .execute(&mut **tx)
            .await
            .context("claiming an effect")?;
        if claimed.rows_affected() == 1 {
            return Ok(Claim::Granted);
        }
        let sql = "-- claim
            select state, lease_until from effects
            where run_id = $1 and task_ref = $2 and position = $3";
        let row = sqlx::query(sql)
            .bind(live.run().as_str())
            .bind(effect.task_ref.as_str())
            .bind(effect.position)
            .fetch_one(&mut **tx)
            .await
            .context("claiming an effect")?;
        let state: String = row.try_get("state")?;
        Ok(match row.try_get::<Option<i64>, _>("lease_until")? {
            Some(until) if state != "confirmed" => Claim::Held(super::time(until)),
            _ => Claim::Done,
        })
    }

    /// Notes what became of an effect the caller holds, and lets go of it. False when it is no
    /// longer the caller's: the lease ended, and somebody else tries.
    pub async fn settle_effect(
        &self,
        live: &Live,
        effect: &Effect,
        holder: &str,
        (state, answer): (EffectState, Option<&str>),
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let mut tx = self.begin().await.context("settling an effect")?;
        let settled = Self::settle(&mut tx, live, effect, holder, (state, answer), now).await?;
        tx.commit().await.context("settling an effect")?;
        Ok(settled)
    }

    /// The same inside a transaction of the caller's.
    pub async fn settle(
        tx: &mut Transaction<'_, Any>,
        live: &Live,
        effect: &Effect,
        holder: &str,
        (state, answer): (EffectState, Option<&str>),
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let sql = "-- settle
            update effects
            set state = $5, answer = coalesce($6, answer), holder = null, lease_until = null,
                changed_at = $7
            where run_id = $1 and task_ref = $2 and position = $3 and holder = $4";
        let settled = sqlx::query(sql)
            .bind(live.run().as_str())
            .bind(effect.task_ref.as_str())
            .bind(effect.position)
            .bind(holder)
            .bind(state.as_str())
            .bind(answer.map(plain).as_deref())
            .bind(millis(now))
            .execute(&mut **tx)
            .await
            .context("settling an effect")?;
        Ok(settled.rows_affected() == 1)
    }

    /// Until when somebody may still be carrying out an effect of that run: a takeover waits for it.
    pub async fn sending_until(&self, run: &RunId) -> anyhow::Result<Option<DateTime<Utc>>> {
        let sql = "-- sending_until
            select max(lease_until) from effects
            where run_id = $1 and lease_until is not null and state <> 'confirmed'";
        let until: Option<i64> = sqlx::query_scalar(sql)
            .bind(run.as_str())
            .fetch_one(&self.pool)
            .await
            .context("asking what a run is sending")?;
        Ok(until.map(super::time))
    }
}

/// Deliveries happen once for each generation of a recording, whatever task does them.
fn key(run: &Run, task_ref: &str, position: i64, kind: IntentKind) -> String {
    let (recording, generation, name) = (&run.recording_id, run.generation, kind.as_str());
    match kind {
        IntentKind::Zulip | IntentKind::Webhook => format!("{recording}/{generation}/{name}"),
        _ => format!("{recording}/{generation}/{name}/{task_ref}/{position}"),
    }
}
