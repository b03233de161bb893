//! Tokens: made, listed, revoked.

use chrono::TimeDelta;
use uuid::Uuid;

use super::{Access, hash_of, secret};
use crate::{
    access::{Powers, is_name},
    store::{NewToken, Token},
};

/// The longest a token lasts.
pub const LONGEST_DAYS: i64 = 366;

/// A token somebody wants made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedToken {
    /// What it is for.
    pub label: String,
    /// In whose name it is to act.
    pub owner: String,
    /// What it is to be able to do.
    pub powers: Powers,
    /// Days it is to last.
    pub days: i64,
    /// Who makes it.
    pub by: String,
}

/// A token that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its id.
    pub id: String,
    /// The token itself, which nobody is told again.
    pub secret: String,
    /// When it ends.
    pub expires_at: chrono::DateTime<chrono::Utc>,
}

impl Access {
    /// Makes a token; or says what is wrong with what is wanted.
    pub async fn make_token(&self, wanted: WantedToken) -> anyhow::Result<Result<Made, String>> {
        for (name, what) in [
            (&wanted.label, "what the token is for"),
            (&wanted.owner, "in whose name the token acts"),
            (&wanted.by, "who makes the token"),
        ] {
            if !is_name(name) {
                return Ok(Err(format!("{what} is not said; write one line of text")));
            }
        }
        if !(1..=LONGEST_DAYS).contains(&wanted.days) {
            let why = format!("a token lasts 1 to {LONGEST_DAYS} days");
            return Ok(Err(why));
        }
        if wanted.powers.is_empty() {
            return Ok(Err("the token could do nothing; give it a role".to_owned()));
        }
        let now = (self.clock)();
        let secret = format!("swy_{}", secret());
        let token = NewToken {
            id: format!("tok_{}", &Uuid::new_v4().simple().to_string()[..12]),
            hash: hash_of("token", &secret),
            label: wanted.label.trim().to_owned(),
            owner: wanted.owner.trim().to_owned(),
            powers: wanted.powers,
            made_by: wanted.by.trim().to_owned(),
            expires_at: now + TimeDelta::days(wanted.days),
        };
        self.store.add_token(&self.about, &token, now).await?;
        Ok(Ok(Made {
            id: token.id,
            secret,
            expires_at: token.expires_at,
        }))
    }

    /// All tokens, the newest first.
    pub async fn tokens(&self) -> anyhow::Result<Vec<Token>> {
        self.store.tokens().await
    }

    /// Takes a token back. False where there is none of that id that counts.
    pub async fn revoke_token(&self, id: &str, by: &str, reason: &str) -> anyhow::Result<bool> {
        let now = (self.clock)();
        self.store
            .revoke_token(&self.about, id, (by, reason), now)
            .await
    }
}
