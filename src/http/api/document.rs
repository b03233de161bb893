//! The document that tells programs of all this.

use std::sync::LazyLock;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

use super::super::{Needs, Routes, document};

static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_string());

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/openapi.json", Needs::SignedIn, told)
        .says("This document")
        .answers::<serde_json::Map<String, serde_json::Value>>()
}

async fn told() -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, DOCUMENT.as_str()).into_response()
}
