//! The provider people sign in at: OpenID Connect by discovery, the authorization code flow with PKCE.
//!
//! It is asked on behalf of somebody who waits, so nothing is asked twice: they can.

mod keys;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use self::keys::Keys;
use super::{
    Cause, Error, Retry, Service,
    http::{Http, json},
};
use crate::{
    access::{Challenge, Expected, Identity, NotSignedIn, identity},
    model::is_loopback_name,
};

/// What the provider needs to know us by, and we it.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// Its name, which is the beginning of its addresses.
    pub issuer: String,
    /// How it knows us.
    pub client_id: String,
    /// What shows that it is us; none where it trusts PKCE alone.
    pub client_secret: Option<String>,
    /// What we ask to be told.
    pub scopes: Vec<String>,
    /// Which claim is the name.
    pub name_claim: String,
    /// Which claim holds the groups.
    pub groups_claim: String,
    /// Where it sends people back to.
    pub redirect_url: Url,
    /// One question may take.
    pub timeout: Duration,
}

/// One provider.
pub struct Oidc {
    settings: OidcSettings,
    http: Http,
    found: Mutex<Option<Found>>,
}

/// What was found of a provider, for a while.
#[derive(Clone)]
struct Found {
    metadata: Arc<Metadata>,
    keys: Arc<Keys>,
    at: DateTime<Utc>,
}

/// What a provider says of itself.
#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// How long it is believed.
const BELIEVED: TimeDelta = TimeDelta::hours(1);

/// No sooner is a provider asked again for a key that it did not have.
const NEW_KEYS: TimeDelta = TimeDelta::seconds(10);

impl Oidc {
    /// Nobody is asked yet.
    pub fn new(settings: OidcSettings) -> anyhow::Result<Self> {
        let issuer = settings.issuer.parse::<Url>();
        let issuer = issuer.context("`access.oidc.issuer` is no URL")?;
        keys::install();
        Ok(Self {
            http: Http::new(
                Service::SignIn,
                issuer,
                None,
                settings.timeout,
                Retry::never(),
            )?,
            found: Mutex::new(None),
            settings,
        })
    }

    /// Its name.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Whether it is there and is what the settings say; how many keys it signs with.
    pub async fn reach(&self, now: DateTime<Utc>) -> Result<usize, NotSignedIn> {
        Ok(self.find(now).await?.keys.len())
    }

    /// Where to send somebody.
    pub async fn authorization_url(
        &self,
        challenge: &Challenge,
        now: DateTime<Utc>,
    ) -> Result<Url, NotSignedIn> {
        let mut url = self
            .known(now)
            .await?
            .metadata
            .authorization_endpoint
            .clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", self.settings.redirect_url.as_str())
            .append_pair("scope", &self.settings.scopes.join(" "))
            .append_pair("state", &challenge.state)
            .append_pair("nonce", &challenge.nonce)
            .append_pair("code_challenge", &challenge.code_challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    /// Who came back with that code.
    pub async fn identity(
        &self,
        code: &str,
        challenge: &Challenge,
        now: DateTime<Utc>,
    ) -> Result<Identity, NotSignedIn> {
        let mut found = self.known(now).await?;
        let token = self.redeem(&found.metadata, code, challenge).await?;
        let unknown_key = keys::names(&token).is_some_and(|name| !found.keys.have(&name));
        if unknown_key && now - found.at >= NEW_KEYS {
            // It may have begun to sign with another since.
            found = self.find(now).await?;
        }
        let claims: Map<String, Value> = found.keys.claims(&token).map_err(|why| {
            NotSignedIn::Refused(format!(
                "the provider's answer does not count: {why}; sign in again"
            ))
        })?;
        let settings = &self.settings;
        let expected = Expected {
            issuer: &settings.issuer,
            client_id: &settings.client_id,
            nonce: &challenge.nonce,
            name_claim: &settings.name_claim,
            groups_claim: &settings.groups_claim,
        };
        identity(&claims, &expected, now)
    }

    /// Gives the code back for an ID token. A code is good once.
    async fn redeem(
        &self,
        metadata: &Metadata,
        code: &str,
        challenge: &Challenge,
    ) -> Result<String, NotSignedIn> {
        #[derive(Deserialize)]
        struct Answer {
            id_token: String,
        }
        let settings = &self.settings;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", settings.redirect_url.as_str()),
            ("client_id", &settings.client_id),
            ("code_verifier", &challenge.verifier),
        ];
        let methods = &metadata.token_endpoint_auth_methods_supported;
        let has = |method: &str| methods.iter().any(|known| known == method);
        // The standard's default is the header.
        let in_form = has("client_secret_post") && !has("client_secret_basic");
        let secret = settings.client_secret.as_deref();
        if let Some(secret) = secret.filter(|_| in_form) {
            form.push(("client_secret", secret));
        }
        let encoded = |text: &str| -> String {
            url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
        };
        let send = || {
            let request = self.http.client().post(metadata.token_endpoint.clone());
            let request = request.form(&form);
            match secret.filter(|_| !in_form) {
                // RFC 6749, 2.3.1: both are encoded before they are joined.
                Some(secret) => {
                    request.basic_auth(encoded(&settings.client_id), Some(encoded(secret)))
                }
                None => request,
            }
        };
        let answer = self.http.call("redeeming a code", send, json::<Answer>);
        match answer.await {
            Ok(reply) => Ok(reply.value.id_token),
            Err(Error {
                cause: Cause::Refused { status: 400 },
                ..
            }) => Err(NotSignedIn::Stale(
                "the provider does not take that code, or takes it once only; begin again"
                    .to_owned(),
            )),
            Err(Error {
                cause: Cause::Refused { status: 401 },
                ..
            }) => Err(NotSignedIn::Provider(
                "it does not know us; an admin checks `access.oidc.client_id` and `client_secret`"
                    .to_owned(),
            )),
            Err(error) => Err(unhelpful(&error)),
        }
    }

    async fn known(&self, now: DateTime<Utc>) -> Result<Found, NotSignedIn> {
        let known = self.lock().clone();
        match known {
            Some(found) if now - found.at < BELIEVED => Ok(found),
            _ => self.find(now).await,
        }
    }

    /// Asks what it says of itself, and for its keys.
    async fn find(&self, now: DateTime<Utc>) -> Result<Found, NotSignedIn> {
        let url = self.http.url(&[".well-known", "openid-configuration"]);
        let send = || self.http.client().get(url.clone());
        let asked = self.http.call("asking what it is", send, json::<Metadata>);
        let metadata = asked.await.map_err(|error| unhelpful(&error))?.value;
        if metadata.issuer != self.settings.issuer {
            return Err(NotSignedIn::Provider(
                "it calls itself by another name than `access.oidc.issuer`; write that exactly as it does"
                    .to_owned(),
            ));
        }
        for url in [
            &metadata.authorization_endpoint,
            &metadata.token_endpoint,
            &metadata.jwks_uri,
        ] {
            if !is_private(url) {
                return Err(NotSignedIn::Provider(
                    "one of its addresses is not https://".to_owned(),
                ));
            }
        }
        let send = || self.http.client().get(metadata.jwks_uri.clone());
        let asked = self.http.call("asking for its keys", send, json::<Value>);
        let keys = asked.await.map_err(|error| unhelpful(&error))?.value;
        let found = Found {
            metadata: Arc::new(metadata),
            keys: Arc::new(Keys::of(&keys)),
            at: now,
        };
        *self.lock() = Some(found.clone());
        Ok(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Found>> {
        // It is replaced whole.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether nobody reads along.
fn is_private(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => url.host_str().is_some_and(is_loopback_name),
        _ => false,
    }
}

fn unhelpful(error: &Error) -> NotSignedIn {
    NotSignedIn::Provider(format!("{}: {}", error.asked, error.cause))
}
