//! Who asks over HTTP: told by a token or a session, or the local operator where nobody has to sign
//! in. Signs people in and out, makes tokens, and keeps a record of it.

mod repeats;
mod signing;
mod tokens;

use std::{
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;
use url::Url;
use uuid::Uuid;

use super::shadow::Clock;
use crate::{
    access::{
        By, Caller, Challenge, Denied, Identity, Meter, NotSignedIn, Pace, Turned, csrf_of,
        has_token_shape, powers_of, session_stands, token_stands,
    },
    model::{GroupRole, SessionLimits, digest},
    store::{About, NOTED_EVERY, Session, Store, Token},
};

pub use repeats::owner_of;
pub use signing::{Begun, Returned, Started};
pub use tokens::{LONGEST_DAYS, Made, WantedToken};

/// Where to send somebody to sign in.
pub type Begin = Arc<
    dyn Fn(Challenge) -> Pin<Box<dyn Future<Output = Result<Url, NotSignedIn>> + Send>>
        + Send
        + Sync,
>;

/// Who came back with that code.
pub type Finish = Arc<
    dyn Fn(String, Challenge) -> Pin<Box<dyn Future<Output = Result<Identity, NotSignedIn>> + Send>>
        + Send
        + Sync,
>;

/// An OpenID Connect provider.
#[derive(Clone)]
pub struct Provider {
    /// Its name, which an answer to a sign-in may give.
    pub issuer: String,
    /// Where to send somebody.
    pub begin: Begin,
    /// Who came back.
    pub finish: Finish,
}

/// How people and programs say who they are.
#[derive(Clone)]
pub struct SignIn {
    /// The address people know us by.
    pub public_url: Url,
    /// Other names we are asked under.
    pub hosts: Vec<String>,
    /// Proxies that say where a request came from.
    pub proxies: Vec<IpAddr>,
    /// What groups are here.
    pub roles: Vec<GroupRole>,
    /// How long sessions last.
    pub limits: SessionLimits,
    /// Who knows people; none where there are tokens alone.
    pub provider: Option<Provider>,
}

/// What a request shows of who makes it.
#[derive(Clone, Copy)]
pub enum Offered<'a> {
    /// Nothing.
    Nothing,
    /// A token.
    Bearer(&'a str),
    /// What a session's cookie holds.
    Cookie(&'a str),
}

/// Knows who asks. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    /// Where it is recorded, and where actions are decided on.
    pub about: About,
    /// Our database.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// How people and programs say who they are; where there is none, nobody has to.
    pub sign_in: Option<Arc<SignIn>>,
    meters: Arc<Mutex<Meters>>,
    /// What forms of the local operator are known by.
    secret: Arc<str>,
}

/// How often what was tried.
struct Meters {
    /// Sign-ins, by address.
    sign_ins: Meter,
    /// Tokens that are none, by address.
    failures: Meter,
    /// Entries on record about somebody who was refused, by name or address.
    records: Meter,
    /// The same of everybody.
    all_records: Meter,
}

const fn pace(at_once: u32, seconds: i64) -> Pace {
    Pace {
        at_once,
        every: TimeDelta::seconds(seconds),
    }
}

impl Access {
    /// Knows who asks about that migration.
    pub fn new(about: About, store: Store, clock: Clock, sign_in: Option<SignIn>) -> Self {
        Self {
            about,
            store,
            clock,
            sign_in: sign_in.map(Arc::new),
            meters: Arc::new(Mutex::new(Meters {
                sign_ins: Meter::new(pace(20, 6)),
                failures: Meter::new(pace(10, 6)),
                records: Meter::new(pace(5, 600)),
                all_records: Meter::new(pace(50, 60)),
            })),
            secret: secret().into(),
        }
    }

    /// Who shows that, from that address; or why they are turned away.
    pub async fn identify(
        &self,
        offered: Offered<'_>,
        from: &str,
    ) -> anyhow::Result<Result<Caller, Turned>> {
        let Some(sign_in) = &self.sign_in else {
            return Ok(Ok(Caller::local(csrf_of(&self.secret))));
        };
        match offered {
            Offered::Nothing => Ok(Err(Turned::Unknown)),
            Offered::Bearer(token) => self.by_token(token, from).await,
            Offered::Cookie(cookie) => self.by_session(sign_in, cookie).await,
        }
    }

    async fn by_token(&self, secret: &str, from: &str) -> anyhow::Result<Result<Caller, Turned>> {
        let found = if has_token_shape(secret) {
            self.store.token_of(&hash_of("token", secret)).await?
        } else {
            None
        };
        let now = (self.clock)();
        let Some(token) = found else {
            // Somebody else's token from the same address goes on being good.
            let tried = self.meters().failures.take(from, now);
            if let Err(wait) = tried {
                return Ok(Err(Turned::TooOften(wait)));
            }
            self.record("refused", from, "a token that is none of ours")
                .await?;
            return Ok(Err(Turned::Invalid(
                "this is no token of ours; an admin makes one with `switchyard token create`"
                    .to_owned(),
            )));
        };
        if let Err(spent) = token_stands(token.expires_at, token.revoked_at, now) {
            let what = format!("token {}, which does not count any more", token.id);
            self.record("refused", &token.owner, &what).await?;
            return Ok(Err(Turned::Invalid(spent.to_string())));
        }
        if is_due(token.used_at, now) {
            self.store.note_token_used(&token.id, now).await?;
        }
        Ok(Ok(Caller {
            name: Some(token.owner),
            powers: token.powers,
            by: By::Token(token.id),
            csrf: String::new(),
            until: Some(token.expires_at),
        }))
    }

    async fn by_session(
        &self,
        sign_in: &SignIn,
        cookie: &str,
    ) -> anyhow::Result<Result<Caller, Turned>> {
        let over = |why: &str| Ok(Err(Turned::Invalid(why.to_owned())));
        let hash = hash_of("session", cookie);
        let Some(session) = self.store.session(&hash).await? else {
            return over("your session is over; sign in again");
        };
        let now = (self.clock)();
        let (started, seen) = (session.started_at, session.seen_at);
        let ends_at = match session_stands(started, seen, sign_in.limits, now) {
            Ok(ends_at) => ends_at,
            Err(why) => {
                self.store
                    .end_session(&self.about, &hash, &why.to_string(), now)
                    .await?;
                return over(&why.to_string());
            }
        };
        let token = match &session.token_id {
            None => None,
            Some(id) => match self.store.token(id).await? {
                None => return over("the token you signed in with is gone; sign in again"),
                Some(token) => Some(token),
            },
        };
        if let Some(token) = &token
            && let Err(spent) = token_stands(token.expires_at, token.revoked_at, now)
        {
            return over(&spent.to_string());
        }
        if is_due(Some(session.seen_at), now) {
            self.store.note_session_used(&hash, now).await?;
        }
        Ok(Ok(Self::of_session(
            sign_in, session, token, ends_at, cookie,
        )))
    }

    /// Roles are looked up anew for each request, so that what an admin changes counts at once.
    fn of_session(
        sign_in: &SignIn,
        session: Session,
        token: Option<Token>,
        ends_at: DateTime<Utc>,
        cookie: &str,
    ) -> Caller {
        let until = token.as_ref().map(|token| token.expires_at);
        Caller {
            name: Some(session.name),
            powers: match token {
                Some(token) => token.powers,
                None => powers_of(&session.groups, &sign_in.roles),
            },
            by: By::Session(session.hash),
            csrf: csrf_of(cookie),
            until: Some(until.map_or(ends_at, |until| until.min(ends_at))),
        }
    }

    /// Puts on record that somebody asked for more than they may.
    pub async fn refused(&self, caller: &Caller, denied: &Denied) -> anyhow::Result<()> {
        self.record("refused", caller.shown(), &denied.to_string())
            .await
    }

    /// Puts something on record that anybody can cause as often as they like: no more than so often,
    /// since the trail is for what matters.
    async fn record(&self, what: &str, who: &str, why: &str) -> anyhow::Result<()> {
        let now = (self.clock)();
        let may = {
            let mut meters = self.meters();
            meters.records.wait(who, now).is_none()
                && meters.all_records.take("", now).is_ok()
                && meters.records.take(who, now).is_ok()
        };
        warn!("{what}: {who}: {why}");
        if may {
            let entry = self.about.entry(what, (who, why), ("", ""), now);
            self.store.note_in_audit(entry).await?;
        }
        Ok(())
    }

    fn meters(&self) -> MutexGuard<'_, Meters> {
        // Counts are whole between calls.
        self.meters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sign_in(&self) -> anyhow::Result<&SignIn> {
        let sign_in = self.sign_in.as_deref();
        sign_in.context("nobody has to sign in here, and nobody can")
    }
}

/// Whether it is time to note again that something was used: SQLite lets one write at a time, and most
/// requests need not wait for that.
fn is_due(noted: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    noted.is_none_or(|at| now - at >= NOTED_EVERY)
}

/// A secret nobody can guess: 244 bits from the operating system, as hex.
pub fn secret() -> String {
    let half = || Uuid::new_v4().simple();
    format!("{}{}", half(), half())
}

/// What is kept of a secret. Tokens and sessions are as random as a key, so that no slow hash has to
/// keep anybody from trying passwords; `kind` keeps one from being taken for the other.
fn hash_of(kind: &str, secret: &str) -> String {
    digest::of_text(&format!("{kind}:{secret}"))
}
