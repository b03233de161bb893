//! Phases: how far each migration is in each environment.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, Executor, Row, any::AnyRow};

use super::{Store, millis, plain, time};
use crate::{
    model::{EnvironmentName, FlagName},
    rollout::{Percent, Phase},
};

/// A row of `phases`, or what counts where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseRow {
    /// Where.
    pub environment: EnvironmentName,
    /// Which migration.
    pub flag: FlagName,
    /// How far it is.
    pub phase: Phase,
    /// Of recordings in shadow, of rooms in cutover.
    pub percent: Percent,
    /// Counts changes; 0 where it was never changed.
    pub version: i64,
    /// When it was changed last.
    pub changed_at: Option<DateTime<Utc>>,
    /// Who did.
    pub changed_by: Option<String>,
}

/// A change of phase somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flip {
    /// Where.
    pub environment: EnvironmentName,
    /// Which migration.
    pub flag: FlagName,
    /// The new phase.
    pub phase: Phase,
    /// The new percentage.
    pub percent: Percent,
    /// The version they saw; the change is refused when it is another by now.
    pub seen: i64,
    /// Who wants it.
    pub by: String,
}

const COLUMNS: &str = "environment, flag, phase, percent, version, changed_at, changed_by";

impl PhaseRow {
    /// Where nothing was ever changed.
    fn first(environment: &EnvironmentName, flag: &FlagName) -> Self {
        Self {
            environment: environment.clone(),
            flag: flag.clone(),
            phase: Phase::Infrastructure,
            percent: Percent::default(),
            version: 0,
            changed_at: None,
            changed_by: None,
        }
    }

    fn read(row: &AnyRow) -> anyhow::Result<Self> {
        let phase: String = row.try_get("phase")?;
        Ok(Self {
            environment: EnvironmentName::new(row.try_get::<String, _>("environment")?),
            flag: FlagName::new(row.try_get::<String, _>("flag")?),
            phase: phase.parse()?,
            percent: percent(row.try_get("percent")?)?,
            version: row.try_get("version")?,
            changed_at: Some(time(row.try_get("changed_at")?)),
            changed_by: row.try_get("changed_by")?,
        })
    }
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

    /// Changes a phase. False when it was changed since it was seen; nothing happens then.
    pub async fn flip_phase(&self, flip: &Flip, now: DateTime<Utc>) -> anyhow::Result<bool> {
        let sql = "-- flip_phase
            insert into phases (environment, flag, phase, percent, version, changed_at, changed_by)
            values ($1, $2, $3, $4, $5 + 1, $6, $7)
            on conflict (environment, flag) do update
            set phase = excluded.phase, percent = excluded.percent, version = excluded.version,
                changed_at = excluded.changed_at, changed_by = excluded.changed_by
            where phases.version = $5";
        let mut tx = self.begin().await.context("changing a phase")?;
        let seen = read_phase(&mut *tx, &flip.environment, &flip.flag).await?;
        // A row that is not there cannot be guarded by the statement's own condition.
        if seen.version != flip.seen {
            return Ok(false);
        }
        let changed = sqlx::query(sql)
            .bind(flip.environment.as_str())
            .bind(flip.flag.as_str())
            .bind(flip.phase.as_str())
            .bind(i64::from(flip.percent.hundredths()))
            .bind(flip.seen)
            .bind(millis(now))
            .bind(plain(&flip.by).as_ref())
            .execute(&mut *tx)
            .await
            .context("changing a phase")?;
        tx.commit().await.context("changing a phase")?;
        Ok(changed.rows_affected() == 1)
    }
}
