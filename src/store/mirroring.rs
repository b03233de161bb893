//! Recordings that the controller may mirror by itself, and what came of those it set out to.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::Row;

use super::{About, Store, known, millis, plain};
use crate::{
    model::{EnvironmentName, RunId},
    rollout::{Direction, MirrorsToday},
};

/// A recording that was compared and not mirrored, or served and not run beside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmirrored {
    /// The candidate's run of it.
    pub run: RunId,
    /// What a mirror of it is for.
    pub direction: Direction,
}

/// What came of setting out to mirror a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirrored {
    /// It could not be tried to the end; it may be tried again.
    Tried,
    /// Its mirror began.
    Begun,
    /// It cannot be mirrored, or was tried often enough.
    PassedOver,
}

impl Mirrored {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Tried => "tried",
            Self::Begun => "begun",
            Self::PassedOver => "passed_over",
        }
    }
}

impl Store {
    /// Recordings that may be mirrored, newest first: tracks do not lie there for ever. What was tried
    /// since then is left alone for now.
    pub async fn unmirrored(
        &self,
        about: &About,
        direction: Direction,
        tried_before: DateTime<Utc>,
    ) -> anyhow::Result<Vec<Unmirrored>> {
        let sql = match direction {
            Direction::Noise => {
                "-- unmirrored
                select runs.id from runs
                where runs.environment = $1 and runs.flag = $2 and runs.epoch is null
                  and runs.origin = 'arrival' and runs.state = 'completed'
                  and runs.texts_deleted_at is null
                  and exists (select 1 from comparisons where comparisons.run_id = runs.id
                    and comparisons.epoch = $3
                    and comparisons.verdict in ('match', 'within_noise', 'differs'))
                  and not exists (select 1 from mirrors
                    where mirrors.recording_id = runs.recording_id
                      and mirrors.environment = runs.environment and mirrors.reverse_of is null)
                  and not exists (select 1 from mirrorings
                    where mirrorings.environment = runs.environment
                      and mirrorings.run_id = runs.id and mirrorings.direction = $4
                      and (mirrorings.state <> 'tried' or mirrorings.changed_at > $5))
                order by runs.started_at desc, runs.id limit 500"
            }
            Direction::Reverse => {
                "-- not_run_beside
                select runs.id from runs
                where runs.environment = $1 and runs.flag = $2 and runs.epoch is not null
                  and runs.origin = 'arrival' and runs.state = 'completed'
                  and runs.texts_deleted_at is null
                  and runs.versions = $3 and runs.control_id is null
                  and not exists (select 1 from mirrors where mirrors.reverse_of = runs.id)
                  and not exists (select 1 from mirrorings
                    where mirrorings.environment = runs.environment
                      and mirrorings.run_id = runs.id and mirrorings.direction = $4
                      and (mirrorings.state <> 'tried' or mirrorings.changed_at > $5))
                order by runs.started_at desc, runs.id limit 500"
            }
        };
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(about.epoch.as_str())
            .bind(direction.as_str())
            .bind(millis(tried_before))
            .fetch_all(&self.pool)
            .await
            .context("looking for recordings to mirror")?;
        rows.iter()
            .map(|row| {
                Ok(Unmirrored {
                    run: RunId::new(row.try_get::<String, _>("id")?),
                    direction,
                })
            })
            .collect()
    }

    /// Notes what came of setting out to mirror a recording, and says how often that was tried.
    pub async fn note_mirroring(
        &self,
        environment: &EnvironmentName,
        of: &Unmirrored,
        (came_of_it, reason): (Mirrored, Option<&str>),
        usd: Option<f64>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<i64> {
        let sql = "-- note_mirroring
            insert into mirrorings (environment, run_id, direction, state, tries, reason, usd,
                changed_at)
            values ($1, $2, $3, $4, 1, $5, nullif($6, -1), $7)
            on conflict (environment, run_id, direction) do update set state = excluded.state,
                tries = mirrorings.tries + 1, reason = excluded.reason, usd = excluded.usd,
                changed_at = excluded.changed_at
            returning tries";
        let row = sqlx::query(sql)
            .bind(environment.as_str())
            .bind(of.run.as_str())
            .bind(of.direction.as_str())
            .bind(came_of_it.as_str())
            .bind(reason.map(plain).as_deref())
            .bind(known(usd))
            .bind(millis(now))
            .fetch_one(&self.pool)
            .await
            .context("noting a mirror that began by itself")?;
        Ok(row.try_get("tries")?)
    }

    /// Mirrors begun since then.
    pub async fn mirrors_since(
        &self,
        environment: &EnvironmentName,
        since: DateTime<Utc>,
    ) -> anyhow::Result<MirrorsToday> {
        let doing = "counting the mirrors of a day";
        let begun = "-- mirrors_since
            select count(*) as begun from mirrors where environment = $1 and started_at >= $2";
        let begun = sqlx::query(begun)
            .bind(environment.as_str())
            .bind(millis(since))
            .fetch_one(&self.pool)
            .await
            .context(doing)?;
        let usd = "-- mirrors_cost
            select coalesce(sum(usd), 0.0) as usd from mirrorings
            where environment = $1 and state = 'begun' and changed_at >= $2";
        let usd = sqlx::query(usd)
            .bind(environment.as_str())
            .bind(millis(since))
            .fetch_one(&self.pool)
            .await
            .context(doing)?;
        Ok(MirrorsToday {
            begun: begun.try_get("begun")?,
            usd: usd.try_get("usd")?,
        })
    }

    /// Gives a live run the control that ran beside after it, so that the two are compared. False where
    /// it has one.
    pub async fn give_control(&self, run: &RunId, control_id: &str) -> anyhow::Result<bool> {
        let sql = "-- give_control
            update runs set control_id = $2
            where id = $1 and control_id is null and epoch is not null";
        let done = sqlx::query(sql)
            .bind(run.as_str())
            .bind(control_id)
            .execute(&self.pool)
            .await
            .context("giving a live run its control")?;
        Ok(done.rows_affected() == 1)
    }
}
