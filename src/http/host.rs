//! Answers only requests that are addressed to a loopback name.
//!
//! A page on the web can point a name of its own at 127.0.0.1 and then read what is served there
//! as if it were its own (DNS rebinding). The name it used is in the request.

use axum::{
    extract::Request,
    http::{header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::Error;
use crate::model::is_loopback_name;

/// Passes a request on if it is addressed to us.
pub(super) async fn only_loopback(request: Request, next: Next) -> Response {
    let named = request.uri().authority().cloned().or_else(|| {
        let host = request.headers().get(header::HOST)?.to_str().ok()?;
        host.parse::<Authority>().ok()
    });
    match named {
        Some(named) if is_ours(&named) => next.run(request).await,
        _ => Error::Misdirected(
            "only requests to `localhost`, `127.0.0.1` or `[::1]` are answered, since there is no sign-in; use one of these names, through a tunnel if need be"
                .to_owned(),
        )
        .into_response(),
    }
}

fn is_ours(named: &Authority) -> bool {
    is_loopback_name(named.host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_are_ours_with_any_port_and_nothing_else_is() {
        let ours = |text: &str| is_ours(&text.parse().expect("an authority"));
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
