//! Who may do what over HTTP.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Environment, Error, Secret};
use crate::model::{GroupRole, is_loopback_name};

/// How people and programs say who they are.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The address people know us by, e.g. `https://switchyard.example.com`.
    pub public_url: Url,
    /// Other names we are asked under, without ports.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Addresses of proxies whose `X-Forwarded-For` is believed.
    #[serde(default)]
    pub proxies: Vec<IpAddr>,
    /// Hours until people have to sign in again.
    #[serde(default = "session_hours")]
    pub session_hours: i64,
    /// Minutes without a request until they have to.
    #[serde(default = "idle_minutes")]
    pub idle_minutes: i64,
    /// The provider people sign in at; tokens alone without it.
    pub oidc: Option<Oidc>,
    /// What the provider's groups are here.
    #[serde(default)]
    pub roles: Vec<GroupRole>,
}

const fn session_hours() -> i64 {
    12
}

const fn idle_minutes() -> i64 {
    60
}

/// An OpenID Connect provider.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Its name exactly as it writes it; `/.well-known/openid-configuration` lies below.
    pub issuer: String,
    /// How it knows us.
    pub client_id: String,
    /// What shows that it is us; left out where it trusts PKCE alone.
    pub client_secret: Option<Secret>,
    /// What we ask to be told.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim people are called by in the audit trail. It has to be one that nobody can choose freely.
    #[serde(default = "name_claim")]
    pub name_claim: String,
    /// The claim that holds the groups.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// Seconds one request may take.
    #[serde(default = "timeout_s")]
    pub timeout_s: u64,
}

fn scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

fn name_claim() -> String {
    "email".to_owned()
}

fn groups_claim() -> String {
    "groups".to_owned()
}

const fn timeout_s() -> u64 {
    10
}

impl Access {
    /// Whether all of it makes sense.
    pub(super) fn validate(
        &self,
        environments: &BTreeMap<String, Environment>,
    ) -> Result<(), Error> {
        let invalid = |key: &str, message: String| {
            Err(Error::Invalid {
                key: format!("access.{key}"),
                message,
            })
        };
        if !keeps_secrets(&self.public_url) || self.public_url.path() != "/" {
            return invalid(
                "public_url",
                "write `https://` and the name people know us by, without a path; `http://` is for loopback names alone, since cookies and tokens would be read along the way"
                    .to_owned(),
            );
        }
        if self
            .hosts
            .iter()
            .any(|host| host.is_empty() || host.contains([':', '/']))
        {
            return invalid(
                "hosts",
                "these are bare names, without scheme and port, e.g. `switchyard.internal`"
                    .to_owned(),
            );
        }
        if !(1..=168).contains(&self.session_hours) {
            return invalid("session_hours", "write 1 to 168".to_owned());
        }
        if !(5..=1440).contains(&self.idle_minutes) {
            return invalid("idle_minutes", "write 5 to 1440".to_owned());
        }
        if let Some(oidc) = &self.oidc {
            oidc.validate()?;
            if self.roles.is_empty() {
                return invalid(
                    "roles",
                    "nobody who signs in at the provider could do anything; add `[[access.roles]]` with `group` and `role`"
                        .to_owned(),
                );
            }
        }
        for rule in &self.roles {
            let known = |name: &str| environments.contains_key(name);
            let unknown = rule.environments.iter().find(|name| !known(name.as_str()));
            if let Some(name) = unknown {
                let names: Vec<_> = environments.keys().map(String::as_str).collect();
                return invalid(
                    "roles.environments",
                    format!(
                        "group `{}`: there is no environment `{name}`; the settings have: {}",
                        rule.group,
                        names.join(", ")
                    ),
                );
            }
        }
        Ok(())
    }
}

impl Oidc {
    fn validate(&self) -> Result<(), Error> {
        let invalid = |key: &str, message: &str| {
            Err(Error::Invalid {
                key: format!("access.oidc.{key}"),
                message: message.to_owned(),
            })
        };
        let issuer = self.issuer.parse::<Url>();
        let is_plain = |url: &Url| url.query().is_none() && url.fragment().is_none();
        if !issuer.is_ok_and(|issuer| keeps_secrets(&issuer) && is_plain(&issuer)) {
            return invalid(
                "issuer",
                "write the provider's name exactly as it does, `https://` at the beginning; `http://` is for loopback names alone",
            );
        }
        if self.client_id.is_empty() {
            return invalid("client_id", "write how the provider knows us");
        }
        if !self.scopes.iter().any(|scope| scope == "openid") {
            return invalid("scopes", "`openid` has to be one of them");
        }
        if self.name_claim.is_empty() || self.groups_claim.is_empty() {
            return invalid(
                "name_claim",
                "write which claim is meant (the same for `groups_claim`)",
            );
        }
        if !(1..=60).contains(&self.timeout_s) {
            return invalid("timeout_s", "write 1 to 60 seconds; somebody waits");
        }
        Ok(())
    }
}

/// Whether what is sent there is read by nobody else.
fn keeps_secrets(url: &Url) -> bool {
    let host = url.host_str();
    match url.scheme() {
        "https" => host.is_some(),
        "http" => host.is_some_and(is_loopback_name),
        _ => false,
    }
}
