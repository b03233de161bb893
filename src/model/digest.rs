//! Hashes that stay the same however an engine orders the keys of an object.

use std::io::Read;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 in hex of a JSON value with its keys sorted.
pub fn of_json(value: &Value) -> String {
    let mut text = String::new();
    write_sorted(value, &mut text);
    of_text(&text)
}

/// SHA-256 in hex of a text.
pub fn of_text(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// SHA-256 in hex of everything a reader gives.
pub fn of_reader(mut reader: impl Read) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.keys().collect();
            keys.sort_unstable();
            text.push('{');
            for key in keys {
                text.push_str(&Value::String(key.clone()).to_string());
                text.push(':');
                write_sorted(&map[key], text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_sorted(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_does_not_matter_but_everything_else_does() {
        let one = json!({ "a": 1, "b": { "c": [1, 2], "d": null } });
        let same = json!({ "b": { "d": null, "c": [1, 2] }, "a": 1 });
        assert_eq!(of_json(&one), of_json(&same));
        for other in [
            json!({ "a": 1, "b": { "c": [2, 1], "d": null } }),
            json!({ "a": 1, "b": { "c": [1, 2] } }),
            json!({ "a": "1", "b": { "c": [1, 2], "d": null } }),
        ] {
            assert_ne!(of_json(&one), of_json(&other));
        }
    }
}
