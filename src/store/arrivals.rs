//! Arrivals: requests for a transcript, each answered with the route that is pinned for it.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, Row, Transaction};

use super::{
    Store, health, millis, plain,
    routes::{self, RouteRow},
    standing::read_standing,
};
use crate::{
    model::{EnvironmentName, FlagName, Subject, TranscriptId},
    rollout::{Admission, Beside, Keys, Owner, Route, admitted, route},
};

/// The way a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As a message in Celery's broker.
    Tap,
    /// Over HTTP, from where the task would have been published.
    Http,
    /// On the command line.
    Cli,
}

impl Way {
    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tap => "tap",
            Self::Http => "http",
            Self::Cli => "cli",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Tap, Self::Http, Self::Cli]
            .into_iter()
            .find(|way| way.as_str() == name)
    }
}

/// Whether a transcript is to be processed again that was processed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// No: it is the same request once more, from a webhook sent twice or a poller.
    Once,
    /// Yes: somebody asked for it.
    Again,
}

/// A request for a transcript.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// Where.
    pub environment: EnvironmentName,
    /// Which migration.
    pub flag: FlagName,
    /// The Celery task it is, or would be.
    pub task_id: String,
    /// The transcript.
    pub transcript: TranscriptId,
    /// The bucket the tracks lie in.
    pub bucket_name: String,
    /// The tracks, in the order of speakers.
    pub track_keys: Vec<String>,
    /// Whether it is wanted anew.
    pub wish: Wish,
    /// The way it came.
    pub way: Way,
}

/// What a request was answered with.
#[derive(Clone, Debug, PartialEq)]
pub struct Pinned {
    /// The route.
    pub route: RouteRow,
    /// Whether this very request made it; otherwise it was there before.
    pub is_new: bool,
}

/// Only the control could serve, and Celery is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("only Celery could process it, and Celery is removed")]
pub struct NobodyServes;

impl Store {
    /// Answers a request: with the route pinned before, or with a new one by the phase as it is.
    /// `subject` is what Reflector's rows say, where it told in time.
    ///
    /// Once Celery is removed, routes of the control answer nothing any more: the transcript is
    /// processed anew by the candidate. Where it cannot, the error is [`NobodyServes`].
    pub async fn arrive(
        &self,
        arrival: &Arrival,
        keys: &Keys,
        subject: Option<&Subject>,
        salt: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Pinned> {
        let doing = "pinning a route";
        let mut tx = self.begin().await.context(doing)?;
        let (environment, flag) = (&arrival.environment, &arrival.flag);
        let standing = read_standing(&mut *tx, environment, flag, now).await?;
        let position = standing.phase.position;
        let serves = |route: &RouteRow| route.owner == Owner::Candidate || position.has_celery();
        let before = answered_before(&mut tx, arrival).await?;
        if let Some(route) = before.filter(serves) {
            return Ok(Pinned {
                route,
                is_new: false,
            });
        }
        let newest = routes::newest(&mut *tx, environment, flag, &arrival.transcript).await?;
        let generation = match &newest {
            None => 1,
            Some(known) if !serves(known) => known.generation + 1,
            Some(known) if arrival.wish == Wish::Again && is_over(&mut tx, known).await? => {
                known.generation + 1
            }
            Some(known) => {
                note(&mut tx, arrival, known.generation, now).await?;
                tx.commit().await.context(doing)?;
                return Ok(Pinned {
                    route: known.clone(),
                    is_new: false,
                });
            }
        };
        let decided = route(&standing.situation(salt), keys);
        if decided.owner == Owner::Control && !position.has_celery() {
            return Err(NobodyServes.into());
        }
        // Where there is no Celery, what Conductor cannot take waits for it.
        let decided = if position.has_celery() {
            under_breaker(&mut tx, arrival, decided, (salt, keys), now).await?
        } else {
            decided
        };
        let row = RouteRow {
            environment: arrival.environment.clone(),
            flag: arrival.flag.clone(),
            transcript_id: arrival.transcript.clone(),
            generation,
            recording_id: keys.recording().cloned(),
            room_id: keys.room().cloned(),
            bucket_name: arrival.bucket_name.clone(),
            track_keys: arrival.track_keys.clone(),
            subject: subject.cloned(),
            owner: decided.owner,
            beside: decided.beside,
            phase: position.phase(),
            percent: position.percent(),
            bucket: decided.bucket,
            drawn: decided.drawn,
            reason: decided.reason,
            way: arrival.way,
            task_id: arrival.task_id.clone(),
            state: match decided.owner {
                Owner::Control => routes::RouteState::Open,
                Owner::Candidate => routes::RouteState::Offered,
            },
            arrived_at: now,
            confirmed_at: None,
            run_id: None,
            control_id: None,
            over_at: None,
        };
        let is_new = routes::insert(&mut tx, &row).await?;
        let route = if is_new {
            // As it will be read: times in whole milliseconds.
            RouteRow {
                arrived_at: super::time(millis(now)),
                ..row
            }
        } else {
            // Another task was answered at the same moment.
            routes::newest(&mut *tx, environment, flag, &arrival.transcript)
                .await?
                .context("a route was pinned at the same moment, and is gone")?
        };
        note(&mut tx, arrival, route.generation, now).await?;
        tx.commit().await.context(doing)?;
        Ok(Pinned { route, is_new })
    }

    /// The newest route pinned for a transcript.
    pub async fn route_of_transcript(
        &self,
        environment: &EnvironmentName,
        flag: &FlagName,
        transcript: &TranscriptId,
    ) -> anyhow::Result<Option<RouteRow>> {
        routes::newest(&self.pool, environment, flag, transcript).await
    }

    /// The route a task was answered with.
    pub async fn route_of_task(
        &self,
        environment: &EnvironmentName,
        flag: &FlagName,
        task_id: &str,
    ) -> anyhow::Result<Option<RouteRow>> {
        let sql = routes::select(
            "route_of_task",
            "join arrivals on arrivals.environment = routes.environment
                and arrivals.flag = routes.flag
                and arrivals.transcript_id = routes.transcript_id
                and arrivals.generation = routes.generation
             where arrivals.environment = $1 and arrivals.flag = $2 and arrivals.task_id = $3",
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(environment.as_str())
            .bind(flag.as_str())
            .bind(task_id)
            .fetch_optional(&self.pool)
            .await
            .context("reading a task's route")?;
        row.as_ref().map(RouteRow::read).transpose()
    }
}

/// What becomes of a route under the breaker. In doubt the control serves, alone.
async fn under_breaker(
    tx: &mut Transaction<'static, Any>,
    arrival: &Arrival,
    decided: Route,
    (salt, keys): (&str, &Keys),
    now: DateTime<Utc>,
) -> anyhow::Result<Route> {
    if decided.owner == Owner::Control && decided.beside == Beside::None {
        return Ok(decided);
    }
    let row = health::read_breaker(&mut **tx, &arrival.environment).await?;
    let admission = health::admission(row.as_ref(), now);
    let others = match admission {
        Admission::OneAtATime => {
            health::served_by_candidate(tx, &arrival.environment, &arrival.flag).await?
        }
        Admission::All | Admission::Percent(_) | Admission::None(_) => 0,
    };
    Ok(admitted(decided, &admission, others, salt, keys))
}

async fn answered_before(
    tx: &mut Transaction<'static, Any>,
    arrival: &Arrival,
) -> anyhow::Result<Option<RouteRow>> {
    let sql = routes::select(
        "answered_before",
        "join arrivals on arrivals.environment = routes.environment
            and arrivals.flag = routes.flag
            and arrivals.transcript_id = routes.transcript_id
            and arrivals.generation = routes.generation
         where arrivals.environment = $1 and arrivals.flag = $2 and arrivals.task_id = $3",
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(arrival.environment.as_str())
        .bind(arrival.flag.as_str())
        .bind(arrival.task_id.as_str())
        .fetch_optional(&mut **tx)
        .await
        .context("looking for an earlier answer")?;
    row.as_ref().map(RouteRow::read).transpose()
}

/// Whether whoever serves is done. A candidate's run tells it before the route does.
async fn is_over(tx: &mut Transaction<'static, Any>, route: &RouteRow) -> anyhow::Result<bool> {
    let run = match (route.owner, &route.run_id) {
        _ if route.state == routes::RouteState::Over => return Ok(true),
        (Owner::Candidate, Some(run)) => run,
        (Owner::Control, _) | (Owner::Candidate, None) => return Ok(false),
    };
    let sql = "-- is_over
        select count(*) as ended from runs
        where id = $1 and state in ('completed', 'failed', 'terminated')";
    let row = sqlx::query(sql)
        .bind(run.as_str())
        .fetch_one(&mut **tx)
        .await
        .context("looking whether a run has ended")?;
    Ok(row.try_get::<i64, _>("ended")? == 1)
}

async fn note(
    tx: &mut Transaction<'static, Any>,
    arrival: &Arrival,
    generation: i64,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let sql = "-- note_arrival
        insert into arrivals (environment, flag, task_id, transcript_id, generation, way, arrived_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (environment, flag, task_id) do update
        set generation = excluded.generation
        where arrivals.transcript_id = excluded.transcript_id
          and arrivals.generation < excluded.generation";
    sqlx::query(sql)
        .bind(arrival.environment.as_str())
        .bind(arrival.flag.as_str())
        .bind(plain(&arrival.task_id).as_ref())
        .bind(plain(arrival.transcript.as_str()).as_ref())
        .bind(generation)
        .bind(arrival.way.as_str())
        .bind(millis(now))
        .execute(&mut **tx)
        .await
        .context("noting an arrival")?;
    Ok(())
}
