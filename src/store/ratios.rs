//! How buckets fell: counted from routes, and kept with the hold it led to.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, Row, Transaction};

use super::{NewHold, Store, facts::About, holds, millis, phases, phases::percent, time};
use crate::rollout::{
    Phase,
    ratio::{Drawn, Ratio},
};

/// A row of `sample_ratios`.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRatio {
    /// How the buckets fell, and how likely that is.
    pub ratio: Ratio,
    /// When it was looked.
    pub looked_at: DateTime<Utc>,
    /// The hold it led to.
    pub hold_id: Option<String>,
}

impl Store {
    /// How the buckets fell that decided routes since then: different rooms in cutover, recordings in
    /// shadow.
    pub async fn drawn_since(
        &self,
        about: &About,
        since: DateTime<Utc>,
    ) -> anyhow::Result<Vec<Drawn>> {
        let sql = "-- drawn_since
            select phase, percent, count(distinct drawn_by) as drawn,
                count(distinct case when drawn = 1 then drawn_by end) as went_in
            from (
                select phase, percent, drawn, case when phase = 'cutover'
                    then coalesce(room_id, recording_id) else recording_id end as drawn_by
                from routes
                where environment = $1 and flag = $2 and arrived_at >= $3 and drawn is not null
            ) decided
            group by phase, percent order by phase, percent";
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(since))
            .fetch_all(&self.pool)
            .await
            .context("counting how buckets fell")?;
        rows.iter()
            .map(|row| {
                let count =
                    |column: &str| u64::try_from(row.try_get::<i64, _>(column)?).context("a count");
                Ok(Drawn {
                    phase: row.try_get::<String, _>("phase")?.parse()?,
                    percent: percent(row.try_get("percent")?)?,
                    drawn: count("drawn")?,
                    went_in: count("went_in")?,
                })
            })
            .collect()
    }

    /// Keeps how buckets fell, instead of what was kept before. What is off leads to the hold that
    /// `hold` makes of it, once until it is as it should be again; the holds that were placed now.
    pub async fn note_ratios(
        &self,
        about: &About,
        ratios: &[Ratio],
        hold: impl Fn(&Ratio) -> NewHold + Send,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Vec<String>> {
        let doing = "keeping how buckets fell";
        let mut tx = self.begin().await.context(doing)?;
        // Of several processes that look at the same moment, one places a hold.
        phases::lock(&mut tx, &about.environment, &about.flag, now).await?;
        let mut placed = Vec::new();
        for ratio in ratios {
            let known = write(&mut tx, about, ratio, now).await?;
            if ratio.is_off() && known.is_none() {
                let id = holds::place(&mut tx, about, &hold(ratio), now).await?;
                note_hold(&mut tx, about, ratio, &id).await?;
                placed.push(id);
            }
        }
        let sql = "-- forget_ratios
            delete from sample_ratios where environment = $1 and flag = $2 and looked_at <> $3";
        sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        tx.commit().await.context(doing)?;
        Ok(placed)
    }

    /// How buckets fell when it was looked last.
    pub async fn ratios(&self, about: &About) -> anyhow::Result<Vec<StoredRatio>> {
        let sql = "-- ratios
            select phase, percent, drawn, went_in, p, looked_at, hold_id from sample_ratios
            where environment = $1 and flag = $2 order by phase, percent";
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading how buckets fell")?;
        rows.iter()
            .map(|row| {
                let count =
                    |column: &str| u64::try_from(row.try_get::<i64, _>(column)?).context("a count");
                let phase: Phase = row.try_get::<String, _>("phase")?.parse()?;
                Ok(StoredRatio {
                    ratio: Ratio {
                        drawn: Drawn {
                            phase,
                            percent: percent(row.try_get("percent")?)?,
                            drawn: count("drawn")?,
                            went_in: count("went_in")?,
                        },
                        p: row.try_get("p")?,
                    },
                    looked_at: time(row.try_get("looked_at")?),
                    hold_id: row.try_get("hold_id")?,
                })
            })
            .collect()
    }
}

/// Writes a row; the hold it has led to, if it is still off.
async fn write(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    ratio: &Ratio,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<String>> {
    let sql = "-- note_ratio
        insert into sample_ratios (environment, flag, phase, percent, drawn, went_in, p, looked_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (environment, flag, phase, percent) do update
        set drawn = excluded.drawn, went_in = excluded.went_in, p = excluded.p,
            looked_at = excluded.looked_at,
            hold_id = case when $9 = 1 then sample_ratios.hold_id end
        returning hold_id";
    let drawn = ratio.drawn;
    let row = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(drawn.phase.as_str())
        .bind(i64::from(drawn.percent.hundredths()))
        .bind(i64::try_from(drawn.drawn).context("a count")?)
        .bind(i64::try_from(drawn.went_in).context("a count")?)
        .bind(ratio.p)
        .bind(millis(now))
        .bind(i64::from(ratio.is_off()))
        .fetch_one(&mut **tx)
        .await
        .context("keeping how buckets fell")?;
    Ok(row.try_get("hold_id")?)
}

async fn note_hold(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    ratio: &Ratio,
    hold: &str,
) -> anyhow::Result<()> {
    let sql = "-- note_ratio_hold
        update sample_ratios set hold_id = $5
        where environment = $1 and flag = $2 and phase = $3 and percent = $4";
    sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(ratio.drawn.phase.as_str())
        .bind(i64::from(ratio.drawn.percent.hundredths()))
        .bind(hold)
        .execute(&mut **tx)
        .await
        .context("noting the hold that buckets led to")?;
    Ok(())
}
