//! Phases: how far each migration is in each environment, and every move of it.

use anyhow::Context;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::{Any, Executor, Row, Transaction, any::AnyRow};

use super::{Store, audit, facts, millis, notices, plain, requests, time};
use crate::{
    model::{EnvironmentName, FlagName, NoticeKind},
    rollout::{Advance, Facts, Move, Percent, Phase, Position, Refusal, audit::Entry},
};

/// A row of `phases`, or what counts where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseRow {
    /// Where.
    pub environment: EnvironmentName,
    /// Which migration.
    pub flag: FlagName,
    /// Where it stands.
    pub position: Position,
    /// Counts changes; 0 where it was never changed.
    pub version: i64,
    /// When it was changed last.
    pub changed_at: Option<DateTime<Utc>>,
    /// Who did.
    pub changed_by: Option<String>,
}

/// How far a migration is, for machines.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PhaseLine {
    /// Where.
    pub environment: EnvironmentName,
    /// Which migration.
    pub flag: FlagName,
    /// The phase.
    pub phase: &'static str,
    /// The sub-state; empty where the phase has none.
    pub sub: &'static str,
    /// The percentage, where it goes by one.
    pub percent: f64,
    /// Counts changes; a move names the one it was decided on.
    pub version: i64,
    /// When it was changed last.
    pub changed_at: Option<DateTime<Utc>>,
    /// Who did.
    pub changed_by: Option<String>,
}

/// A move that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flipped {
    /// Where the migration stood before.
    pub before: Position,
    /// Where it stands now.
    pub now: PhaseRow,
    /// What was asked for, and how it stood.
    pub advance: Advance,
    /// The entry of the audit trail.
    pub audited: i64,
}

const COLUMNS: &str = "environment, flag, phase, sub, percent, version, changed_at, changed_by";

impl PhaseRow {
    /// The same for machines; what was never changed has no time and nobody.
    pub fn told(&self) -> serde_json::Value {
        serde_json::json!(self.line())
    }

    /// What machines are told.
    pub fn line(&self) -> PhaseLine {
        let position = self.position;
        let was_moved = self.version > 0;
        PhaseLine {
            environment: self.environment.clone(),
            flag: self.flag.clone(),
            phase: position.phase().as_str(),
            sub: position.sub(),
            percent: f64::from(position.percent().hundredths()) / 100.0,
            version: self.version,
            changed_at: self.changed_at.filter(|_| was_moved),
            changed_by: self.changed_by.clone().filter(|_| was_moved),
        }
    }

    /// Where nothing was ever changed.
    pub(super) fn first(environment: &EnvironmentName, flag: &FlagName) -> Self {
        Self {
            environment: environment.clone(),
            flag: flag.clone(),
            position: Position::Infrastructure,
            version: 0,
            changed_at: None,
            changed_by: None,
        }
    }

    fn read(row: &AnyRow) -> anyhow::Result<Self> {
        let environment = EnvironmentName::new(row.try_get::<String, _>("environment")?);
        let flag = FlagName::new(row.try_get::<String, _>("flag")?);
        Self::of(row, &environment, &flag)
    }

    /// Reads the other columns.
    pub(super) fn of(
        row: &AnyRow,
        environment: &EnvironmentName,
        flag: &FlagName,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            environment: environment.clone(),
            flag: flag.clone(),
            position: position(row)?,
            version: row.try_get("version")?,
            changed_at: Some(time(row.try_get("changed_at")?)),
            changed_by: row.try_get("changed_by")?,
        })
    }
}

/// Reads the columns `phase`, `sub` and `percent`.
pub(super) fn position(row: &AnyRow) -> anyhow::Result<Position> {
    let phase: Phase = row.try_get::<String, _>("phase")?.parse()?;
    let sub: String = row.try_get("sub")?;
    let percent = percent(row.try_get("percent")?)?;
    Position::of(phase, percent, &sub)
        .with_context(|| format!("phase {phase} has no sub-state `{sub}`"))
}

/// Reads a percentage's column.
pub(super) fn percent(hundredths: i64) -> anyhow::Result<Percent> {
    u16::try_from(hundredths)
        .ok()
        .and_then(Percent::from_hundredths)
        .with_context(|| format!("{hundredths} hundredths are no percentage"))
}

/// The phase, in a transaction or outside of one.
pub(super) async fn read_phase<'e>(
    db: impl Executor<'e, Database = Any>,
    environment: &EnvironmentName,
    flag: &FlagName,
) -> anyhow::Result<PhaseRow> {
    let sql =
        format!("-- phase\n select {COLUMNS} from phases where environment = $1 and flag = $2");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(environment.as_str())
        .bind(flag.as_str())
        .fetch_optional(db)
        .await
        .context("reading a phase")?;
    row.as_ref()
        .map_or_else(|| Ok(PhaseRow::first(environment, flag)), PhaseRow::read)
}

impl Store {
    /// How far a migration is.
    pub async fn phase(
        &self,
        environment: &EnvironmentName,
        flag: &FlagName,
    ) -> anyhow::Result<PhaseRow> {
        read_phase(&self.pool, environment, flag).await
    }

    /// How far every migration is that ever moved.
    pub async fn phases(&self) -> anyhow::Result<Vec<PhaseRow>> {
        let sql = format!(
            "-- phases\n select {COLUMNS} from phases order by environment, flag limit 1000"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_all(&self.pool)
            .await
            .context("reading the phases")?;
        rows.iter().map(PhaseRow::read).collect()
    }

    /// Moves a migration if `decide` lets it: what that is given was read in the very transaction in
    /// which the move is made, audited and noted to be told. Nothing changes otherwise.
    pub async fn flip(
        &self,
        about: &facts::About,
        wanted: &Move,
        decide: impl FnOnce(&Facts) -> Result<Advance, Refusal> + Send,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Result<Flipped, Refusal>> {
        let doing = "moving a migration";
        let mut tx = self.begin().await.context(doing)?;
        lock(&mut tx, &about.environment, &about.flag, now).await?;
        let facts = facts::gather(&mut tx, about, wanted.to, now).await?;
        let advance = match decide(&facts) {
            Ok(advance) => advance,
            Err(refusal) => return Ok(Err(refusal)),
        };
        write(&mut tx, about, wanted, &facts, now).await?;
        let back = if advance == Advance::Back {
            "back "
        } else {
            ""
        };
        let (before, after) = (facts.position, wanted.to);
        let entry = Entry {
            action: "flip".to_owned(),
            actor: plain(&wanted.by).into_owned(),
            after: after.to_string(),
            at: millis(now),
            before: before.to_string(),
            environment: about.environment.to_string(),
            flag: about.flag.to_string(),
            previous: String::new(),
            reason: plain(&wanted.reason).into_owned(),
            seq: 0,
        };
        let audited = audit::append(&mut tx, entry).await?;
        requests::close_open(&mut tx, about, now).await?;
        let text = format!(
            "{} went {back}from {before} to {after}, moved by {}",
            about.environment,
            plain(&wanted.by)
        );
        let document = serde_json::json!({
            "before": before.to_string(),
            "after": after.to_string(),
            "by": wanted.by,
            "reason": wanted.reason,
            "version": facts.version + 1,
            "audit": audited,
        });
        notices::insert(&mut tx, about, (NoticeKind::Flip, &text, &document), now).await?;
        let row = read_phase(&mut *tx, &about.environment, &about.flag).await?;
        tx.commit().await.context(doing)?;
        Ok(Ok(Flipped {
            before,
            now: row,
            advance,
            audited,
        }))
    }
}

/// Makes the row where there is none, and locks it until the transaction ends.
pub(super) async fn lock(
    tx: &mut Transaction<'static, Any>,
    environment: &EnvironmentName,
    flag: &FlagName,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let sql = "-- lock_phase
        insert into phases (environment, flag, phase, sub, percent, version, changed_at, changed_by)
        values ($1, $2, 'infrastructure', '', 0, 0, $3, '')
        on conflict (environment, flag) do update set version = phases.version";
    sqlx::query(sql)
        .bind(environment.as_str())
        .bind(flag.as_str())
        .bind(millis(now))
        .execute(&mut **tx)
        .await
        .context("locking a phase")?;
    Ok(())
}

async fn write(
    tx: &mut Transaction<'static, Any>,
    about: &facts::About,
    wanted: &Move,
    facts: &Facts,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let sql = "-- flip
        update phases set phase = $3, sub = $4, percent = $5, version = version + 1,
            changed_at = $6, changed_by = $7
        where environment = $1 and flag = $2 and version = $8";
    let changed = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(wanted.to.phase().as_str())
        .bind(wanted.to.sub())
        .bind(i64::from(wanted.to.percent().hundredths()))
        .bind(millis(now))
        .bind(plain(&wanted.by).as_ref())
        .bind(facts.version)
        .execute(&mut **tx)
        .await
        .context("moving a migration")?;
    anyhow::ensure!(
        changed.rows_affected() == 1,
        "a phase changed while it was locked"
    );
    Ok(())
}
