//! Tokens: how programs say who they are. Only hashes of them are kept.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::{Row, any::AnyRow};

use super::{About, Store, audit, millis, plain, time};
use crate::access::Powers;

/// How exactly it is known when a token or a session was used last.
pub const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// A token to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// Its id, which is no secret.
    pub id: String,
    /// SHA-256 of its secret.
    pub hash: String,
    /// What it is for.
    pub label: String,
    /// In whose name it acts.
    pub owner: String,
    /// What it may do.
    pub powers: Powers,
    /// Who makes it.
    pub made_by: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// A token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub label: String,
    /// In whose name it acts.
    pub owner: String,
    /// What it may do.
    pub powers: Powers,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// When it was used last, to a minute.
    pub used_at: Option<DateTime<Utc>>,
    /// When it was taken back, if it was.
    pub revoked_at: Option<DateTime<Utc>>,
    /// By whom.
    pub revoked_by: Option<String>,
}

/// A token, for programs; nothing says what its secret is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TokenLine {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub label: String,
    /// In whose name it acts.
    pub owner: String,
    /// What it may do, in words.
    pub may: String,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// When it was used last, to a minute.
    pub used_at: Option<DateTime<Utc>>,
    /// When it was taken back, if it was.
    pub revoked_at: Option<DateTime<Utc>>,
    /// By whom.
    pub revoked_by: Option<String>,
}

impl Token {
    /// As programs are told of it.
    pub fn told(&self) -> serde_json::Value {
        serde_json::json!(self.line())
    }

    /// What programs are told.
    pub fn line(&self) -> TokenLine {
        TokenLine {
            id: self.id.clone(),
            label: self.label.clone(),
            owner: self.owner.clone(),
            may: self.powers.to_string(),
            made_by: self.made_by.clone(),
            made_at: self.made_at,
            expires_at: self.expires_at,
            used_at: self.used_at,
            revoked_at: self.revoked_at,
            revoked_by: self.revoked_by.clone(),
        }
    }
}

const COLUMNS: &str = "id, label, owner, powers, made_by, made_at, expires_at, used_at, revoked_at, \
     revoked_by";

fn read(row: &AnyRow) -> anyhow::Result<Token> {
    let powers: String = row.try_get("powers")?;
    let moment = |name: &str| -> anyhow::Result<Option<DateTime<Utc>>> {
        Ok(row.try_get::<Option<i64>, _>(name)?.map(time))
    };
    Ok(Token {
        id: row.try_get("id")?,
        label: row.try_get("label")?,
        owner: row.try_get("owner")?,
        powers: serde_json::from_str(&powers).context("reading what a token may do")?,
        made_by: row.try_get("made_by")?,
        made_at: time(row.try_get("made_at")?),
        expires_at: time(row.try_get("expires_at")?),
        used_at: moment("used_at")?,
        revoked_at: moment("revoked_at")?,
        revoked_by: row.try_get("revoked_by")?,
    })
}

impl Store {
    /// Keeps a token, on record.
    pub async fn add_token(
        &self,
        about: &About,
        token: &NewToken,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let doing = "keeping a token";
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- add_token
            insert into tokens (id, hash, label, owner, powers, made_by, made_at, expires_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8)";
        sqlx::query(sql)
            .bind(token.id.as_str())
            .bind(token.hash.as_str())
            .bind(plain(&token.label).as_ref())
            .bind(plain(&token.owner).as_ref())
            .bind(serde_json::to_string(&token.powers).context(doing)?)
            .bind(plain(&token.made_by).as_ref())
            .bind(millis(now))
            .bind(millis(token.expires_at))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        let after = format!(
            "{} for {}: {}, until {}",
            token.id,
            token.owner,
            token.powers,
            token.expires_at.format("%Y-%m-%d %H:%M UTC")
        );
        let by = (token.made_by.as_str(), token.label.as_str());
        let entry = about.entry("token", by, ("", &after), now);
        audit::append(&mut tx, entry).await?;
        tx.commit().await.context(doing)
    }

    /// The token of that hash.
    pub async fn token_of(&self, hash: &str) -> anyhow::Result<Option<Token>> {
        self.token_where("hash", hash).await
    }

    /// The token of that id.
    pub async fn token(&self, id: &str) -> anyhow::Result<Option<Token>> {
        self.token_where("id", id).await
    }

    async fn token_where(&self, column: &str, value: &str) -> anyhow::Result<Option<Token>> {
        let sql = format!("-- token_where\n select {COLUMNS} from tokens where {column} = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(value)
            .fetch_optional(&self.pool)
            .await
            .context("looking for a token")?;
        row.as_ref().map(read).transpose()
    }

    /// All tokens, the newest first.
    pub async fn tokens(&self) -> anyhow::Result<Vec<Token>> {
        let sql = format!(
            "-- tokens\n select {COLUMNS} from tokens order by made_at desc, id limit 1000"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_all(&self.pool)
            .await
            .context("listing tokens")?;
        rows.iter().map(read).collect()
    }

    /// Takes a token back, on record. False where there is none of that id that counts.
    pub async fn revoke_token(
        &self,
        about: &About,
        id: &str,
        (by, reason): (&str, &str),
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let doing = "revoking a token";
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- revoke_token
            update tokens set revoked_at = $2, revoked_by = $3
            where id = $1 and revoked_at is null";
        let revoked = sqlx::query(sql)
            .bind(id)
            .bind(millis(now))
            .bind(plain(by).as_ref())
            .execute(&mut *tx)
            .await
            .context(doing)?;
        if revoked.rows_affected() == 0 {
            return Ok(false);
        }
        let entry = about.entry("revoke", (by, reason), (id, ""), now);
        audit::append(&mut tx, entry).await?;
        tx.commit().await.context(doing)?;
        Ok(true)
    }

    /// Notes that a token was used, once a minute at most.
    pub async fn note_token_used(&self, id: &str, now: DateTime<Utc>) -> anyhow::Result<()> {
        let sql = "-- note_token_used
            update tokens set used_at = $2 where id = $1 and (used_at is null or used_at <= $3)";
        sqlx::query(sql)
            .bind(id)
            .bind(millis(now))
            .bind(millis(now - NOTED_EVERY))
            .execute(&self.pool)
            .await
            .context("noting that a token was used")?;
        Ok(())
    }
}
