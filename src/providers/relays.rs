//! Requests whose bytes were decided elsewhere, and hosts that are reached by another way.
//!
//! A relay is where to connect to instead of a host. The request keeps its own path and query,
//! which are put below the relay's, and its own `Host`, so that nothing else differs.

use std::collections::BTreeMap;

use reqwest::{
    Client, Method, RequestBuilder,
    header::{HOST, HeaderName, HeaderValue},
};
use url::Url;

use super::Cause;
use crate::model::HttpRequest;

/// Relays by host, with the port where a URL has one that is not its scheme's own.
pub(super) struct Relays(BTreeMap<String, Url>);

impl Relays {
    pub(super) fn new(relays: &BTreeMap<String, Url>) -> Self {
        let relays = relays.iter();
        Self(
            relays
                .map(|(host, to)| (host.to_lowercase(), to.clone()))
                .collect(),
        )
    }

    /// The request with exactly its method, URL, headers and body. The client must follow no
    /// redirects: they would lead around a relay.
    pub(super) fn request(
        &self,
        client: &Client,
        exact: &HttpRequest,
    ) -> Result<RequestBuilder, Cause> {
        let invalid = |what: &str| Cause::Invalid(format!("its {what} cannot be put into HTTP"));
        let method = Method::from_bytes(exact.method.as_bytes()).map_err(|_| invalid("method"))?;
        let url = Url::parse(&exact.url).map_err(|_| invalid("URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("URL"));
        }
        let mut request = match self.way(&url) {
            Some((url, host)) => client.request(method, url).header(HOST, host),
            None => client.request(method, url),
        };
        for (name, value) in &exact.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("header"))?;
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| invalid("header"))?;
            request = request.header(name, value);
        }
        if !exact.body.is_empty() {
            request = request.body(exact.body.clone());
        }
        Ok(request)
    }

    /// Where to connect to instead, and the host that is told there.
    fn way(&self, url: &Url) -> Option<(Url, String)> {
        let mut host = url.host_str()?.to_owned();
        if let Some(port) = url.port() {
            host = format!("{host}:{port}");
        }
        let mut to = self.0.get(&host)?.clone();
        let path = format!("{}{}", to.path().trim_end_matches('/'), url.path());
        to.set_path(&path);
        to.set_query(url.query());
        // Credentials in a URL become a header, here as without a relay.
        if !url.username().is_empty() || url.password().is_some() {
            to.set_username(url.username()).ok()?;
            to.set_password(url.password()).ok()?;
        }
        Some((to, host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(relays: &[(&str, &str)], url: &str) -> Option<(String, String)> {
        let relays: BTreeMap<_, _> = relays
            .iter()
            .map(|(host, to)| ((*host).to_owned(), to.parse().unwrap()))
            .collect();
        let (to, host) = Relays::new(&relays).way(&url.parse().unwrap())?;
        Some((to.to_string(), host))
    }

    #[test]
    fn a_relay_keeps_path_query_and_host() {
        for (host, to, url, expected) in [
            (
                "hooks.example",
                "http://127.0.0.1:9/webhook/",
                "https://hooks.example/a%2Fb/?t=1%202",
                "http://127.0.0.1:9/webhook/a%2Fb/?t=1%202",
            ),
            (
                "Hooks.Example:8443",
                "http://127.0.0.1:9",
                "https://HOOKS.example:8443",
                "http://127.0.0.1:9/",
            ),
            (
                "hooks.example",
                "http://127.0.0.1:9/x?ignored=1",
                "https://u:p@hooks.example:443/y",
                "http://u:p@127.0.0.1:9/x/y",
            ),
        ] {
            let (went, told) = way(&[(host, to)], url).expect("a relay");
            assert_eq!(went, expected);
            assert_eq!(told, host.to_lowercase());
        }
    }

    #[test]
    fn a_host_without_a_relay_is_reached_as_it_is() {
        let relays = [("hooks.example", "http://127.0.0.1:9")];
        for url in [
            "https://other.example/",
            "https://hooks.example:8443/",
            "https://hooks.example.org/",
        ] {
            assert_eq!(way(&relays, url), None, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_put_into_http_is_said_without_quoting_it() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::new();
        let sound = HttpRequest {
            method: "POST".to_owned(),
            url: "https://hooks.example/?token=hush".to_owned(),
            headers: vec![("X-A".to_owned(), "b".to_owned())],
            body: "{}".to_owned(),
        };
        let none = Relays::new(&BTreeMap::new());
        assert!(none.request(&client, &sound).is_ok());
        let mut broken = vec![sound.clone(); 4];
        broken[0].method = "PO ST".to_owned();
        broken[1].url = "hush".to_owned();
        broken[2].url = "ftp://hooks.example/hush".to_owned();
        broken[3].headers[0].1 = "hush\nhush".to_owned();
        for request in broken {
            let cause = none.request(&client, &request).expect_err("it is broken");
            assert!(matches!(cause, Cause::Invalid(_)), "{cause}");
            assert!(!cause.to_string().contains("hush"), "{cause}");
        }
    }
}
