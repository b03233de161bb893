//! Sessions of people who signed in, and of those who are on their way to the provider and back.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::Row;

use super::{About, Store, audit, millis, plain, time, tokens::NOTED_EVERY};

/// Somebody who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of what their cookie holds.
    pub hash: String,
    /// How they are called in the audit trail.
    pub name: String,
    /// Who they are to the provider; empty where they signed in with a token.
    pub subject: String,
    /// What the provider says they belong to.
    pub groups: Vec<String>,
    /// The token they signed in with, if they did.
    pub token_id: Option<String>,
    /// When they signed in.
    pub started_at: DateTime<Utc>,
    /// When they were seen last, to a minute.
    pub seen_at: DateTime<Utc>,
    /// When they have to sign in again, whatever they do.
    pub ends_at: DateTime<Utc>,
}

/// Somebody who was sent to the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningIn {
    /// SHA-256 of the state they come back with.
    pub hash: String,
    /// The provider's answer has to name it.
    pub nonce: String,
    /// Proves to the provider that we sent them.
    pub verifier: String,
    /// The page they asked for.
    pub leads_to: String,
    /// When it is too late to come back.
    pub expires_at: DateTime<Utc>,
}

/// More people than that are not on their way at once.
const MOST_ON_THEIR_WAY: i64 = 1000;

impl Store {
    /// Notes that somebody is sent to the provider. False where too many are on their way already.
    pub async fn begin_sign_in(
        &self,
        sign_in: &SigningIn,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let doing = "noting that somebody signs in";
        let mut tx = self.begin().await.context(doing)?;
        sqlx::query("-- forget_sign_ins\n delete from sign_ins where expires_at <= $1")
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        let sql = "-- begin_sign_in
            insert into sign_ins (hash, nonce, verifier, leads_to, expires_at)
            select $1, $2, $3, $4, $5 where (select count(*) from sign_ins) < $6";
        let begun = sqlx::query(sql)
            .bind(sign_in.hash.as_str())
            .bind(sign_in.nonce.as_str())
            .bind(sign_in.verifier.as_str())
            .bind(plain(&sign_in.leads_to).as_ref())
            .bind(millis(sign_in.expires_at))
            .bind(MOST_ON_THEIR_WAY)
            .execute(&mut *tx)
            .await
            .context(doing)?;
        tx.commit().await.context(doing)?;
        Ok(begun.rows_affected() == 1)
    }

    /// Takes the sign-in of that state, once; none where it was taken before or is too old.
    pub async fn take_sign_in(
        &self,
        hash: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Option<SigningIn>> {
        let sql = "-- take_sign_in
            delete from sign_ins where hash = $1
            returning hash, nonce, verifier, leads_to, expires_at";
        let row = sqlx::query(sql)
            .bind(hash)
            .fetch_optional(&self.pool)
            .await
            .context("looking for a sign-in")?;
        let Some(row) = row else {
            return Ok(None);
        };
        let taken = SigningIn {
            hash: row.try_get("hash")?,
            nonce: row.try_get("nonce")?,
            verifier: row.try_get("verifier")?,
            leads_to: row.try_get("leads_to")?,
            expires_at: time(row.try_get("expires_at")?),
        };
        Ok((taken.expires_at > now).then_some(taken))
    }

    /// Begins a session, on record; `how` says what they signed in with.
    pub async fn start_session(
        &self,
        about: &About,
        session: &Session,
        how: &str,
    ) -> anyhow::Result<()> {
        let doing = "beginning a session";
        let now = session.started_at;
        let mut tx = self.begin().await.context(doing)?;
        sqlx::query("-- forget_sessions\n delete from sessions where ends_at <= $1")
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        let sql = "-- start_session
            insert into sessions (hash, name, subject, groups, token_id, started_at, seen_at, ends_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8)";
        sqlx::query(sql)
            .bind(session.hash.as_str())
            .bind(plain(&session.name).as_ref())
            .bind(plain(&session.subject).as_ref())
            .bind(plain(&serde_json::to_string(&session.groups).context(doing)?).as_ref())
            .bind(session.token_id.as_deref())
            .bind(millis(now))
            .bind(millis(session.seen_at))
            .bind(millis(session.ends_at))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        let entry = about.entry("sign_in", (&session.name, how), ("", ""), now);
        audit::append(&mut tx, entry).await?;
        tx.commit().await.context(doing)
    }

    /// The session of that hash, whether or not it is over.
    pub async fn session(&self, hash: &str) -> anyhow::Result<Option<Session>> {
        let sql = "-- session
            select hash, name, subject, groups, token_id, started_at, seen_at, ends_at
            from sessions where hash = $1";
        let row = sqlx::query(sql)
            .bind(hash)
            .fetch_optional(&self.pool)
            .await
            .context("looking for a session")?;
        let Some(row) = row else {
            return Ok(None);
        };
        let groups: String = row.try_get("groups")?;
        Ok(Some(Session {
            hash: row.try_get("hash")?,
            name: row.try_get("name")?,
            subject: row.try_get("subject")?,
            groups: serde_json::from_str(&groups).context("reading a session's groups")?,
            token_id: row.try_get("token_id")?,
            started_at: time(row.try_get("started_at")?),
            seen_at: time(row.try_get("seen_at")?),
            ends_at: time(row.try_get("ends_at")?),
        }))
    }

    /// Notes that a session was used, once a minute at most.
    pub async fn note_session_used(&self, hash: &str, now: DateTime<Utc>) -> anyhow::Result<()> {
        let sql = "-- note_session_used
            update sessions set seen_at = $2 where hash = $1 and seen_at <= $3";
        sqlx::query(sql)
            .bind(hash)
            .bind(millis(now))
            .bind(millis(now - NOTED_EVERY))
            .execute(&self.pool)
            .await
            .context("noting that a session was used")?;
        Ok(())
    }

    /// Ends a session, on record. False where it is over already.
    pub async fn end_session(
        &self,
        about: &About,
        hash: &str,
        why: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let doing = "ending a session";
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- end_session\n delete from sessions where hash = $1 returning name";
        let row = sqlx::query(sql)
            .bind(hash)
            .fetch_optional(&mut *tx)
            .await
            .context(doing)?;
        let Some(row) = row else {
            return Ok(false);
        };
        let name: String = row.try_get("name")?;
        let entry = about.entry("sign_out", (&name, why), ("", ""), now);
        audit::append(&mut tx, entry).await?;
        tx.commit().await.context(doing)?;
        Ok(true)
    }
}
