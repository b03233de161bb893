//! Signing in: at the provider and back, or with a token; and out.

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::{Access, Offered, Provider, hash_of, secret};
use crate::{
    access::{By, Caller, Challenge, NotSignedIn, Turned, is_same, local_path, powers_of},
    store::{Session, SigningIn},
};

/// Somebody is to be sent to the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Where.
    pub url: Url,
    /// What their cookie has to hold until they are back.
    pub state: String,
}

/// What somebody came back with.
#[derive(Clone, Copy, Debug)]
pub struct Returned<'a> {
    /// The state in the address.
    pub state: &'a str,
    /// The state in their cookie.
    pub cookie: &'a str,
    /// What the provider gave them for us.
    pub code: &'a str,
    /// Who says to be the provider, where it says so (RFC 9207).
    pub issuer: Option<&'a str>,
}

/// Somebody signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// What their cookie has to hold.
    pub secret: String,
    /// When they have to sign in again.
    pub ends_at: DateTime<Utc>,
    /// The page they asked for.
    pub leads_to: String,
}

/// Minutes somebody has to come back from the provider.
const MINUTES: i64 = 10;

fn stale(why: &str) -> NotSignedIn {
    NotSignedIn::Stale(format!("{why}; begin again"))
}

impl Access {
    /// Whether people sign in at a provider.
    pub fn provider(&self) -> Option<&Provider> {
        self.sign_in.as_ref()?.provider.as_ref()
    }

    fn tried(&self, from: &str) -> Result<(), NotSignedIn> {
        let now = (self.clock)();
        let tried = self.meters().sign_ins.take(from, now);
        tried.map_err(NotSignedIn::TooOften)
    }

    /// Begins a sign-in at the provider, which leads to a page of ours.
    pub async fn begin(
        &self,
        leads_to: &str,
        from: &str,
    ) -> anyhow::Result<Result<Begun, NotSignedIn>> {
        let Some(provider) = self.provider() else {
            let why = "no provider is configured; sign in with a token";
            return Ok(Err(NotSignedIn::Refused(why.to_owned())));
        };
        if let Err(often) = self.tried(from) {
            return Ok(Err(often));
        }
        let challenge = Challenge {
            state: secret(),
            nonce: secret(),
            verifier: secret(),
        };
        let url = match (provider.begin)(challenge.clone()).await {
            Ok(url) => url,
            Err(why) => return Ok(Err(why)),
        };
        let now = (self.clock)();
        let sign_in = SigningIn {
            hash: hash_of("state", &challenge.state),
            nonce: challenge.nonce,
            verifier: challenge.verifier,
            leads_to: local_path(leads_to).to_owned(),
            expires_at: now + TimeDelta::minutes(MINUTES),
        };
        if !self.store.begin_sign_in(&sign_in, now).await? {
            return Ok(Err(NotSignedIn::TooOften(TimeDelta::minutes(1))));
        }
        Ok(Ok(Begun {
            url,
            state: challenge.state,
        }))
    }

    /// Ends a sign-in at the provider with a session, or says why not.
    pub async fn finish(
        &self,
        returned: Returned<'_>,
        from: &str,
        replaces: Option<&str>,
    ) -> anyhow::Result<Result<Started, NotSignedIn>> {
        let finished = self.come_back(returned, from, replaces).await?;
        if let Err(why @ (NotSignedIn::Refused(_) | NotSignedIn::Stale(_))) = &finished {
            let who = format!("somebody at {from}");
            self.record("refused", &who, &format!("sign-in: {why}"))
                .await?;
        }
        Ok(finished)
    }

    async fn come_back(
        &self,
        returned: Returned<'_>,
        from: &str,
        replaces: Option<&str>,
    ) -> anyhow::Result<Result<Started, NotSignedIn>> {
        let Some(provider) = self.provider() else {
            return Ok(Err(stale("no provider is configured")));
        };
        if let Err(often) = self.tried(from) {
            return Ok(Err(often));
        }
        if returned.state.is_empty() || !is_same(returned.state, returned.cookie) {
            return Ok(Err(stale("this browser did not begin that sign-in")));
        }
        if returned
            .issuer
            .is_some_and(|issuer| issuer != provider.issuer)
        {
            return Ok(Err(stale("another provider sent you back")));
        }
        let now = (self.clock)();
        let hash = hash_of("state", returned.state);
        let Some(sign_in) = self.store.take_sign_in(&hash, now).await? else {
            return Ok(Err(stale(
                "that sign-in was used already, or took too long",
            )));
        };
        let challenge = Challenge {
            state: returned.state.to_owned(),
            nonce: sign_in.nonce,
            verifier: sign_in.verifier,
        };
        let identity = match (provider.finish)(returned.code.to_owned(), challenge).await {
            Ok(identity) => identity,
            Err(why) => return Ok(Err(why)),
        };
        if powers_of(&identity.groups, &self.sign_in()?.roles).is_empty() {
            return Ok(Err(NotSignedIn::Refused(format!(
                "the provider knows you as {}, and no group of yours has a role here; an admin gives it one in `access.roles`",
                identity.name
            ))));
        }
        let session = Session {
            hash: String::new(),
            name: identity.name,
            subject: identity.subject,
            groups: identity.groups,
            token_id: None,
            started_at: now,
            seen_at: now,
            ends_at: now,
        };
        let how = format!("at {}", provider.issuer);
        let started = self
            .start(session, &how, replaces, sign_in.leads_to)
            .await?;
        Ok(Ok(started))
    }

    /// Begins a session with a token, or says why not.
    pub async fn sign_in_with_token(
        &self,
        token: &str,
        from: &str,
        leads_to: &str,
        replaces: Option<&str>,
    ) -> anyhow::Result<Result<Started, NotSignedIn>> {
        if let Err(often) = self.tried(from) {
            return Ok(Err(often));
        }
        let caller = match self.identify(Offered::Bearer(token.trim()), from).await? {
            Ok(caller) => caller,
            Err(Turned::TooOften(wait)) => return Ok(Err(NotSignedIn::TooOften(wait))),
            Err(turned) => return Ok(Err(NotSignedIn::Refused(turned.to_string()))),
        };
        let (By::Token(id), Some(name)) = (caller.by, caller.name) else {
            return Ok(Err(NotSignedIn::Refused(
                "nobody has to sign in here".to_owned(),
            )));
        };
        let now = (self.clock)();
        let session = Session {
            hash: String::new(),
            name,
            subject: String::new(),
            groups: Vec::new(),
            token_id: Some(id.clone()),
            started_at: now,
            seen_at: now,
            ends_at: now,
        };
        let leads_to = local_path(leads_to).to_owned();
        let how = format!("with token {id}");
        Ok(Ok(self.start(session, &how, replaces, leads_to).await?))
    }

    /// A session always gets a new secret, and ends the one the browser had.
    async fn start(
        &self,
        session: Session,
        how: &str,
        replaces: Option<&str>,
        leads_to: String,
    ) -> anyhow::Result<Started> {
        let now = session.started_at;
        if let Some(cookie) = replaces {
            let hash = hash_of("session", cookie);
            let why = "signed in anew";
            self.store.end_session(&self.about, &hash, why, now).await?;
        }
        let secret = secret();
        let session = Session {
            hash: hash_of("session", &secret),
            ends_at: now + TimeDelta::hours(self.sign_in()?.limits.hours),
            ..session
        };
        self.store.start_session(&self.about, &session, how).await?;
        Ok(Started {
            secret,
            ends_at: session.ends_at,
            leads_to,
        })
    }

    /// Ends somebody's session, if that is how they said who they are.
    pub async fn sign_out(&self, caller: &Caller) -> anyhow::Result<()> {
        if let By::Session(hash) = &caller.by {
            let now = (self.clock)();
            self.store
                .end_session(&self.about, hash, "signed out", now)
                .await?;
        }
        Ok(())
    }
}
