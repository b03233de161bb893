//! JSON in the one form that equal values share (RFC 8785): keys in order, numbers as ECMAScript
//! writes them. What a value says, without how it was written.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The canonical text.
pub fn text(value: &Value) -> String {
    serde_json_canonicalizer::to_string(value).expect("a value always serialises")
}

/// SHA-256 of the canonical text, hex. Equal values have equal digests.
pub fn digest(value: &Value) -> String {
    hex::encode(Sha256::digest(text(value)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_of_keys_and_notation_of_numbers_do_not_count() {
        let one = json!({"b": 1.0, "a": [1e21, "é"]});
        let other = json!({"a": [1e21, "é"], "b": 1});
        assert_eq!(text(&one), r#"{"a":[1e+21,"é"],"b":1}"#);
        assert_eq!(digest(&one), digest(&other));
    }
}
