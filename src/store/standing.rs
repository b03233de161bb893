//! How things stand at one moment: everything but the recording that a route depends on, read at once.

use anyhow::Context;
use chrono::{DateTime, NaiveTime, Utc};
use sqlx::{Any, Executor, Row, any::AnyRow};

use super::{PhaseRow, RulesRow, Store, millis, time};
use crate::{
    model::{EnvironmentName, FlagName, digest},
    rollout::Situation,
};

/// What shadow runs used of a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Spent {
    /// When that day began.
    pub day_began_at: DateTime<Utc>,
    /// Seconds of GPUs.
    pub gpu_seconds: f64,
    /// Tokens, in and out.
    pub tokens: f64,
    /// US dollars, of what has a price.
    pub usd: f64,
    /// Whether anything used has no price.
    pub unpriced: bool,
    /// Why no candidate runs beside for the rest of the day; none while one may.
    pub shed: Option<String>,
    /// When it was summed.
    pub summed_at: DateTime<Utc>,
}

/// How a migration stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// How far it is.
    pub phase: PhaseRow,
    /// What people said of rooms and recordings.
    pub rules: RulesRow,
    /// What shadow runs used today; none before it was summed.
    pub spent: Option<Spent>,
    /// How far the breaker is, and since when; none where Conductor was never looked at.
    pub breaker: Option<(String, i64)>,
}

impl Standing {
    /// Tells one configuration from another: whoever decides by another may decide otherwise.
    pub fn configuration(&self) -> String {
        let is_shed = self
            .spent
            .as_ref()
            .is_some_and(|spent| spent.shed.is_some());
        let (phase, rules) = (self.phase.version, self.rules.version);
        let (environment, flag) = (&self.phase.environment, &self.phase.flag);
        let breaker = self.breaker.as_ref();
        let breaker = breaker.map(|(state, since)| format!("{state} {since}"));
        let breaker = breaker.unwrap_or_default();
        let all = format!("{environment}\0{flag}\0{phase}\0{rules}\0{is_shed}\0{breaker}");
        digest::of_text(&all)[..16].to_owned()
    }

    /// When phase or rules were changed last.
    pub fn changed_at(&self) -> Option<DateTime<Utc>> {
        self.phase.changed_at.max(self.rules.changed_at)
    }

    /// What a route depends on.
    pub fn situation<'a>(&'a self, salt: &'a str) -> Situation<'a> {
        Situation {
            position: self.phase.position,
            salt,
            rules: &self.rules.rules,
            shed: self.spent.as_ref().and_then(|spent| spent.shed.as_deref()),
        }
    }
}

/// When the day began that this moment is of.
pub(super) fn midnight(now: DateTime<Utc>) -> DateTime<Utc> {
    now.date_naive().and_time(NaiveTime::MIN).and_utc()
}

/// How a migration stands, in a transaction or outside of one. It is one statement, since somebody waits
/// for the answer.
pub(super) async fn read_standing<'e>(
    db: impl Executor<'e, Database = Any>,
    environment: &EnvironmentName,
    flag: &FlagName,
    now: DateTime<Utc>,
) -> anyhow::Result<Standing> {
    let sql = "-- standing
        select phases.phase, phases.sub, phases.percent, phases.version, phases.changed_at,
            phases.changed_by,
            routing_rules.document, routing_rules.version as rules_version,
            routing_rules.changed_at as rules_changed_at,
            routing_rules.changed_by as rules_changed_by,
            shadow_spending.day_began_at, shadow_spending.gpu_seconds, shadow_spending.tokens,
            shadow_spending.usd, shadow_spending.unpriced, shadow_spending.shed,
            shadow_spending.summed_at,
            breakers.state as breaker_state, breakers.since as breaker_since
        from (select $1 as environment, $2 as flag) wanted
        left join phases on phases.environment = wanted.environment and phases.flag = wanted.flag
        left join routing_rules on routing_rules.environment = wanted.environment
            and routing_rules.flag = wanted.flag
        left join shadow_spending on shadow_spending.environment = wanted.environment
            and shadow_spending.flag = wanted.flag and shadow_spending.day_began_at = $3
        left join breakers on breakers.environment = wanted.environment";
    let row = sqlx::query(sql)
        .bind(environment.as_str())
        .bind(flag.as_str())
        .bind(millis(midnight(now)))
        .fetch_one(db)
        .await
        .context("reading how a migration stands")?;
    let phase = match row.try_get::<Option<String>, _>("phase")? {
        None => PhaseRow::first(environment, flag),
        Some(_) => PhaseRow::of(&row, environment, flag)?,
    };
    let rules = match row.try_get::<Option<String>, _>("document")? {
        None => RulesRow::none(),
        Some(document) => RulesRow {
            rules: serde_json::from_str(&document).context("reading rules of routing")?,
            version: row.try_get("rules_version")?,
            changed_at: Some(time(row.try_get("rules_changed_at")?)),
            changed_by: row.try_get("rules_changed_by")?,
        },
    };
    let day: Option<i64> = row.try_get("day_began_at")?;
    let spent = day.map(|day| read_spent(&row, day)).transpose()?;
    let breaker = match row.try_get::<Option<String>, _>("breaker_state")? {
        None => None,
        Some(state) => Some((state, row.try_get("breaker_since")?)),
    };
    Ok(Standing {
        phase,
        rules,
        spent,
        breaker,
    })
}

fn read_spent(row: &AnyRow, day: i64) -> anyhow::Result<Spent> {
    Ok(Spent {
        day_began_at: time(day),
        gpu_seconds: row.try_get("gpu_seconds")?,
        tokens: row.try_get("tokens")?,
        usd: row.try_get("usd")?,
        unpriced: row.try_get::<i64, _>("unpriced")? == 1,
        shed: row.try_get("shed")?,
        summed_at: time(row.try_get("summed_at")?),
    })
}

impl Store {
    /// How a migration stands, and what its shadow runs used today.
    pub async fn standing(
        &self,
        environment: &EnvironmentName,
        flag: &FlagName,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Standing> {
        read_standing(&self.pool, environment, flag, now).await
    }

    /// Notes what shadow runs used of a day, instead of what was noted before.
    pub async fn note_spent(
        &self,
        environment: &EnvironmentName,
        flag: &FlagName,
        spent: &Spent,
    ) -> anyhow::Result<()> {
        let sql = "-- note_spent
            insert into shadow_spending (environment, flag, day_began_at, gpu_seconds, tokens, usd,
                unpriced, shed, summed_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            on conflict (environment, flag) do update
            set day_began_at = excluded.day_began_at, gpu_seconds = excluded.gpu_seconds,
                tokens = excluded.tokens, usd = excluded.usd, unpriced = excluded.unpriced,
                shed = excluded.shed, summed_at = excluded.summed_at
            where shadow_spending.summed_at <= excluded.summed_at";
        sqlx::query(sql)
            .bind(environment.as_str())
            .bind(flag.as_str())
            .bind(millis(spent.day_began_at))
            .bind(spent.gpu_seconds)
            .bind(spent.tokens)
            .bind(spent.usd)
            .bind(i64::from(spent.unpriced))
            .bind(spent.shed.as_deref())
            .bind(millis(spent.summed_at))
            .execute(&self.pool)
            .await
            .context("noting what shadow runs used")?;
        Ok(())
    }
}
