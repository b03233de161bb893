//! What it takes to know who asks.

use std::{sync::Arc, time::Duration};

use anyhow::Context;

use super::App;
use crate::{
    config,
    controller::access::{Access, Begin, Finish, Provider, SignIn},
    model::SessionLimits,
    providers::{Oidc, OidcSettings},
};

impl App {
    /// Knows who asks about this environment's migration.
    pub fn access(&self) -> anyhow::Result<Access> {
        let sign_in = self
            .config
            .access
            .as_ref()
            .map(|access| self.sign_in(access));
        Ok(Access::new(
            self.about()?,
            self.store.clone(),
            Arc::clone(&self.clock),
            sign_in.transpose()?,
        ))
    }

    fn sign_in(&self, access: &config::Access) -> anyhow::Result<SignIn> {
        Ok(SignIn {
            public_url: access.public_url.clone(),
            hosts: access.hosts.clone(),
            proxies: access.proxies.clone(),
            roles: access.roles.clone(),
            limits: SessionLimits {
                hours: access.session_hours,
                idle_minutes: access.idle_minutes,
            },
            provider: self.oidc()?.map(|oidc| self.provider(oidc)),
        })
    }

    /// The provider people sign in at, if the settings have one.
    pub fn oidc(&self) -> anyhow::Result<Option<Oidc>> {
        let Some(access) = &self.config.access else {
            return Ok(None);
        };
        let Some(oidc) = &access.oidc else {
            return Ok(None);
        };
        let back = access.public_url.join("sign-in/callback");
        let secret = oidc.client_secret.as_ref();
        let oidc = Oidc::new(OidcSettings {
            issuer: oidc.issuer.clone(),
            client_id: oidc.client_id.clone(),
            client_secret: secret.map(|secret| secret.expose().to_owned()),
            scopes: oidc.scopes.clone(),
            name_claim: oidc.name_claim.clone(),
            groups_claim: oidc.groups_claim.clone(),
            redirect_url: back.context("`access.public_url` has no pages below it")?,
            timeout: Duration::from_secs(oidc.timeout_s),
        })?;
        Ok(Some(oidc))
    }

    fn provider(&self, oidc: Oidc) -> Provider {
        let oidc = Arc::new(oidc);
        let issuer = oidc.issuer().to_owned();
        let (asked, clock) = (Arc::clone(&oidc), Arc::clone(&self.clock));
        let begin: Begin = Arc::new(move |challenge| {
            let (oidc, now) = (Arc::clone(&asked), clock());
            Box::pin(async move { oidc.authorization_url(&challenge, now).await })
        });
        let clock = Arc::clone(&self.clock);
        let finish: Finish = Arc::new(move |code, challenge| {
            let (oidc, now) = (Arc::clone(&oidc), clock());
            Box::pin(async move { oidc.identity(&code, &challenge, now).await })
        });
        Provider {
            issuer,
            begin,
            finish,
        }
    }

    /// Says who is answered at the address of pages and API, in one line.
    pub fn who_is_answered(&self) -> String {
        match &self.config.access {
            None => "nobody has to sign in, so this machine alone is answered, and whoever is at it is the local operator; a section `access` in the settings lets others in".to_owned(),
            Some(access) => {
                let how = match &access.oidc {
                    Some(oidc) => format!("people sign in at {} or with a token", oidc.issuer),
                    None => "people sign in with a token".to_owned(),
                };
                format!("{how}; programs send a token")
            }
        }
    }
}
