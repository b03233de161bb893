//! Headers every answer has.

use std::sync::LazyLock;

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::Response,
};

use crate::report::html;

/// For pages: style, script, events and forms from here, and nothing from anywhere else.
pub(super) const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// For pages that play what runs mixed.
pub(super) static HEARING_PAGE_POLICY: LazyLock<String> =
    LazyLock::new(|| format!("{PAGE_POLICY}; media-src 'self'"));

/// For a run's report, which plays what the run mixed by the one script that it carries.
pub(super) static LISTENING_POLICY: LazyLock<String> = LazyLock::new(|| {
    let script = html::script_hash();
    format!("{REPORT_POLICY}; media-src 'self'; script-src '{script}'")
});

/// For sound, which browsers put into a page of their own.
pub(super) const SOUND_POLICY: &str = "default-src 'none'; media-src 'self'; \
     style-src 'unsafe-inline'; frame-ancestors 'none'";

/// For other reports, which carry their styles and have no script.
pub(super) const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
     img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// For everything that is not a page.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// What is added where a handler said nothing else. Nothing but assets may be kept by anybody.
const DEFAULTS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, DATA_POLICY),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // With `no-referrer` browsers say `Origin: null` of our own forms, which nobody could tell from others'.
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Adds them.
pub(super) async fn add(mut response: Response) -> Response {
    for (name, value) in DEFAULTS {
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}
