//! A notice as JSON for programs, and what signs it.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use super::Told;

/// The header that signs a body: `t={unix seconds},v1={hex}`, where hex is HMAC-SHA256 of
/// `{t}.{body}`; one `v1` for each secret in use.
pub const SIGNATURE: &str = "X-Switchyard-Signature";

/// The body for a notice.
pub fn body(told: &Told) -> String {
    json!({
        "id": told.id,
        "kind": told.kind,
        "gravity": told.gravity,
        "text": told.text,
        "environment": told.environment,
        "flag": told.flag,
        "created_at": told.at,
        "link": told.link,
        "document": told.document,
    })
    .to_string()
}

/// The value of the header. A receiver takes a body if any of its signatures is right under a secret
/// it knows, so that secrets can be changed on one side first.
pub fn signed(secrets: &[&str], unix_seconds: i64, body: &str) -> Option<String> {
    let text = format!("{unix_seconds}.{body}");
    let each: Vec<String> = secrets
        .iter()
        .filter_map(|secret| {
            // HMAC takes a key of any length.
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
            mac.update(text.as_bytes());
            Some(format!(",v1={}", hex::encode(mac.finalize().into_bytes())))
        })
        .collect();
    (!each.is_empty()).then(|| format!("t={unix_seconds}{}", each.concat()))
}

#[cfg(test)]
mod tests {
    use super::super::told;
    use super::*;

    #[test]
    fn a_body_says_all_there_is() {
        let body = body(&told("ana holds it"));
        let body: serde_json::Value = serde_json::from_str(&body).expect("it is JSON");
        assert_eq!(body["kind"], "hold");
        assert_eq!(body["gravity"], "warning");
        assert_eq!(body["document"]["hold"], "hold_1");
        assert_eq!(body["created_at"], "2026-03-02T12:00:00Z");
    }

    /// The first is what `contract::webhook` computes too, from a published example.
    #[test]
    fn each_secret_signs() {
        let body = r#"{"event":"test"}"#;
        let one = signed(&["whsec-test"], 1_735_306_800, body).expect("there is a secret");
        assert_eq!(
            one,
            "t=1735306800,v1=5002413507e66a62a30b0815d0f70cf278c6f4bc0e9981886b50ea894b5e8612"
        );
        let both = signed(&["whsec-test", "next"], 1_735_306_800, body).expect("there are two");
        assert!(both.starts_with(&one));
        assert_eq!(both.matches(",v1=").count(), 2);
        assert_eq!(signed(&[], 0, body), None);
    }
}
