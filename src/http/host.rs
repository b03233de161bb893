//! Answers only requests that are addressed to a name of ours: the public address and the other names of
//! the settings, and loopback names always.
//!
//! A page on the web can point a name of its own at our address and then read what is served there as if
//! it were its own (DNS rebinding). The name it used is in the request.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::Error;
use crate::{controller::access::SignIn, model::is_loopback_name};

/// The names we are asked under, beside loopback ones. Cheap to clone.
#[derive(Clone)]
pub(super) struct Names(Arc<[String]>);

impl Names {
    /// Those of the settings; none where nobody has to sign in.
    pub(super) fn of(sign_in: Option<&SignIn>) -> Self {
        let names = sign_in.map(|sign_in| {
            let public = sign_in.public_url.host_str().map(str::to_owned);
            public.into_iter().chain(sign_in.hosts.iter().cloned())
        });
        Self(names.into_iter().flatten().collect())
    }

    fn has(&self, named: &Authority) -> bool {
        let host = named.host();
        is_loopback_name(host) || self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    fn remedy(&self) -> String {
        let first = "only requests to `localhost`, `127.0.0.1` or `[::1]`";
        if self.0.is_empty() {
            return format!(
                "{first} are answered, since nobody has to sign in; use one of these names, through a tunnel if need be"
            );
        }
        let names = self.0.join("`, `");
        format!(
            "{first}, or to `{names}` are answered; use one of these names, or add yours to `access.hosts`"
        )
    }
}

/// Passes a request on if it is addressed to us.
pub(super) async fn only_ours(names: Names, request: Request, next: Next) -> Response {
    let asked = request.uri().authority().cloned().or_else(|| {
        let host = request.headers().get(header::HOST)?.to_str().ok()?;
        host.parse::<Authority>().ok()
    });
    match asked {
        Some(asked) if names.has(&asked) => next.run(request).await,
        _ => Error::Misdirected(names.remedy()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_are_ours_with_any_port_and_nothing_else_is() {
        let names = Names::of(None);
        let ours = |text: &str| names.has(&text.parse().expect("an authority"));
        for name in ["localhost", "LOCALHOST:8480", "127.0.0.1:1", "[::1]:8480"] {
            assert!(ours(name), "{name}");
        }
        for name in [
            "example.com",
            "localhost.example.com:8480",
            "127.0.0.1.example.com",
            "localhost@example.com",
            "127.0.0.2",
            "[::2]:8480",
        ] {
            assert!(!ours(name), "{name}");
        }
    }
}
