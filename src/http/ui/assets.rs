//! Style, script and icon, compiled in. Their addresses carry a digest, so they may be kept for
//! good.

use std::sync::LazyLock;

use axum::{http::header, response::IntoResponse};

use super::super::{Needs, Routes};
use crate::{model::digest, report::html::SCRIPT as LISTEN};

const STYLE: &str = concat!(
    include_str!("assets/style.css"),
    include_str!("assets/runs.css")
);
const SCRIPT: &str = include_str!("assets/live.js");
const KEYS: &str = include_str!("assets/reviews.js");
const ICON: &str = include_str!("assets/icon.svg");

/// Changes whenever one of them does.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut digest = digest::of_text(&[STYLE, SCRIPT, KEYS, LISTEN, ICON].concat());
    digest.truncate(12);
    digest
});

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/style.css", Needs::Nothing, || async {
            asset("text/css; charset=utf-8", STYLE)
        })
        .get("/live.js", Needs::Nothing, || async {
            asset("text/javascript; charset=utf-8", SCRIPT)
        })
        .get("/reviews.js", Needs::Nothing, || async {
            asset("text/javascript; charset=utf-8", KEYS)
        })
        .get("/listen.js", Needs::Nothing, || async {
            asset("text/javascript; charset=utf-8", LISTEN)
        })
        .get("/icon.svg", Needs::Nothing, || async {
            asset("image/svg+xml", ICON)
        })
}

fn asset(kind: &'static str, content: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, content)
}
