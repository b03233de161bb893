//! Leases: of several processes that could do the same, one does.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Store, millis};

impl Store {
    /// Takes or renews a lease; false while somebody else holds it. Whoever dies is waited for until
    /// the lease runs out.
    pub async fn hold_lease(
        &self,
        name: &str,
        holder: &str,
        for_how_long: TimeDelta,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let sql = "-- hold_lease
            insert into leases (name, holder, lease_until) values ($1, $2, $3)
            on conflict (name) do update
            set holder = excluded.holder, lease_until = excluded.lease_until
            where leases.holder = $2 or leases.lease_until < $4";
        let held = sqlx::query(sql)
            .bind(name)
            .bind(holder)
            .bind(millis(now + for_how_long))
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("taking a lease")?;
        Ok(held.rows_affected() == 1)
    }

    /// Gives a lease back, so that nobody waits for it.
    pub async fn release_lease(&self, name: &str, holder: &str) -> anyhow::Result<()> {
        let sql = "-- release_lease
            delete from leases where name = $1 and holder = $2";
        sqlx::query(sql)
            .bind(name)
            .bind(holder)
            .execute(&self.pool)
            .await
            .context("giving a lease back")?;
        Ok(())
    }
}
