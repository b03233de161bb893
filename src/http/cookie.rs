//! The two cookies: one holds a session, the other somebody's way to the provider and back.

use axum::http::{HeaderMap, HeaderValue, header};
use url::Url;

/// A cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cookie {
    /// Holds a session.
    Session,
    /// Holds what a sign-in that was begun is known by.
    SigningIn,
}

/// Whether we are reached over TLS; on a loopback address no TLS is needed to keep a cookie to
/// oneself, and browsers would not send one that asks for it.
pub(super) fn is_secure(public_url: &Url) -> bool {
    public_url.scheme() == "https"
}

impl Cookie {
    /// Its name. With `__Host-` a browser takes it from nobody but this very host, over TLS.
    const fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-switchyard",
            (Self::Session, false) => "switchyard",
            (Self::SigningIn, true) => "__Host-switchyard-sign-in",
            (Self::SigningIn, false) => "switchyard-sign-in",
        }
    }

    /// What a request's cookie holds; nothing where it has several of that name.
    pub(super) fn of(self, headers: &HeaderMap, secure: bool) -> Option<&str> {
        let name = self.name(secure);
        let all = headers.get_all(header::COOKIE).iter();
        let mut found = all
            .filter_map(|all| all.to_str().ok())
            .flat_map(|all| all.split(';'))
            .filter_map(|one| one.trim().split_once('='))
            .filter(|(found, _)| *found == name)
            .map(|(_, value)| value);
        let first = found.next().filter(|value| !value.is_empty())?;
        found.next().is_none().then_some(first)
    }

    /// Has a browser keep it until it is closed, or for so many seconds. The value is hex.
    pub(super) fn set(self, value: &str, seconds: Option<i64>, secure: bool) -> HeaderValue {
        let name = self.name(secure);
        let secure = if secure { "; Secure" } else { "" };
        let age = seconds.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}");
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// Has a browser forget it.
    pub(super) fn forget(self, secure: bool) -> HeaderValue {
        self.set("", Some(0), secure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_by_its_whole_name_and_only_if_there_is_one() {
        for (sent, expected) in [
            ("__Host-switchyard=abc", Some("abc")),
            ("a=b; __Host-switchyard=abc; c=d", Some("abc")),
            ("switchyard=abc", None),
            ("x__Host-switchyard=abc", None),
            ("__Host-switchyard=", None),
            ("__Host-switchyard=abc; __Host-switchyard=def", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(sent));
            assert_eq!(Cookie::Session.of(&headers, true), expected, "{sent}");
        }
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_other_sites_and_plain_connections() {
        let set = Cookie::Session.set("abc", Some(60), true);
        let expected = "__Host-switchyard=abc; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=60";
        assert_eq!(set.to_str().expect("text"), expected);
    }
}
