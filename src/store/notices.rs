//! Notices: what people are to be told, written with what it tells of. Who is told, and whether it
//! arrived, is in `deliveries`.

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{Any, Row, Transaction, any::AnyRow};

use super::{NewHold, Store, facts::About, holds, millis, phases, plain, time};
use crate::model::{EnvironmentName, FlagName, Gravity, NoticeKind};

/// A row of `notices`.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Its id; the same however often it is delivered.
    pub id: String,
    /// Where.
    pub environment: EnvironmentName,
    /// Which migration.
    pub flag: FlagName,
    /// What it is about.
    pub kind: NoticeKind,
    /// One sentence.
    pub text: String,
    /// The same for machines.
    pub document: Value,
    /// When it came to be.
    pub created_at: DateTime<Utc>,
}

/// The columns a notice is read from, of a table called `n`.
pub(super) const COLUMNS: &str =
    "n.id, n.environment, n.flag, n.kind, n.text, n.document, n.created_at";

impl Notice {
    /// How grave it is: as its kind, unless it says so itself.
    pub fn gravity(&self) -> Gravity {
        let said = self.document["gravity"].as_str().and_then(Gravity::parse);
        said.unwrap_or_else(|| self.kind.gravity())
    }

    pub(super) fn read(row: &AnyRow) -> anyhow::Result<Self> {
        let (document, kind): (String, String) = (row.try_get("document")?, row.try_get("kind")?);
        Ok(Self {
            id: row.try_get("id")?,
            environment: EnvironmentName::new(row.try_get::<String, _>("environment")?),
            flag: FlagName::new(row.try_get::<String, _>("flag")?),
            kind: NoticeKind::parse(&kind)
                .with_context(|| format!("`{kind}` is no kind of notice"))?,
            text: row.try_get("text")?,
            document: serde_json::from_str(&document).context("reading a notice")?,
            created_at: time(row.try_get("created_at")?),
        })
    }
}

/// Notes something to be told; its id.
pub(super) async fn insert(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    (kind, text, document): (NoticeKind, &str, &Value),
    now: DateTime<Utc>,
) -> anyhow::Result<String> {
    let sql = "-- insert_notice
        insert into notices (id, environment, flag, kind, text, document, created_at, attempts, next_at)
        values ($1, $2, $3, $4, $5, $6, $7, 0, $7)
        on conflict (id) do nothing";
    let id = about.id("ntc", &[kind.as_str(), text], now);
    sqlx::query(sql)
        .bind(id.as_str())
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(kind.as_str())
        .bind(plain(text).as_ref())
        .bind(plain(&document.to_string()).as_ref())
        .bind(millis(now))
        .execute(&mut **tx)
        .await
        .context("noting something to be told")?;
    Ok(id)
}

impl Store {
    /// Notes something to be told on its own.
    pub async fn tell(
        &self,
        about: &About,
        told: (NoticeKind, &str, &Value),
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let mut tx = self.begin().await.context("noting something to be told")?;
        insert(&mut tx, about, told, now).await?;
        tx.commit().await.context("noting something to be told")
    }

    /// Notes what is said now about something, and that it is to be told where that is something else
    /// than was said before; whether it was. What is said for the first time is told too, where there
    /// is anything to tell; with it a hold is placed, where one is given. Of several processes one does.
    pub async fn tell_change(
        &self,
        about: &About,
        (what, said): (&str, &str),
        told: Option<(NoticeKind, &str, &Value)>,
        hold: Option<&NewHold>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let mut tx = self.begin().await.context("noting what is said")?;
        if hold.is_some() {
            phases::lock(&mut tx, &about.environment, &about.flag, now).await?;
        }
        let is_new = change(&mut tx, about, (what, said), told, now).await?;
        if let Some(hold) = hold.filter(|_| is_new) {
            holds::place(&mut tx, about, hold, now).await?;
        }
        tx.commit().await.context("noting what is said")?;
        Ok(is_new)
    }

    /// What was said last about something, and since when.
    pub async fn said(
        &self,
        about: &About,
        what: &str,
    ) -> anyhow::Result<Option<(String, DateTime<Utc>)>> {
        let sql = "-- said
            select said, changed_at from told_changes
            where environment = $1 and flag = $2 and about = $3";
        sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(what)
            .fetch_optional(&self.pool)
            .await
            .context("reading what was said")?
            .map(|row| Ok((row.try_get("said")?, time(row.try_get("changed_at")?))))
            .transpose()
    }
}

/// Notes what is said, where that is something else than before, and that it is to be told; whether it was.
async fn change(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    (what, said): (&str, &str),
    told: Option<(NoticeKind, &str, &Value)>,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let sql = "-- say
        insert into told_changes (environment, flag, about, said, changed_at)
        values ($1, $2, $3, $4, $5)
        on conflict (environment, flag, about) do update
        set said = excluded.said, changed_at = excluded.changed_at
        where told_changes.said <> excluded.said";
    let changed = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(what)
        .bind(said)
        .bind(millis(now))
        .execute(&mut **tx)
        .await
        .context("noting what is said")?;
    if changed.rows_affected() == 0 {
        return Ok(false);
    }
    if let Some(told) = told {
        insert(tx, about, told, now).await?;
    }
    Ok(true)
}
