//! A value inside text, in the form Java prints it: that is what workers get from Conductor.

use serde_json::{Number, Value};

pub(super) fn of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number_text(number),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(of).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let entries: Vec<_> = map
                .iter()
                .map(|(key, value)| format!("{key}={}", of(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// `Double.toString`: decimal from 10⁻³ to 10⁷, else one digit before the point and `E`.
fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(double) if number.is_f64() => {
            if double == 0.0 || (1e-3..1e7).contains(&double.abs()) {
                return format!("{double:?}");
            }
            let scientific = format!("{double:E}");
            match scientific.split_once('E') {
                Some((digits, exponent)) if !digits.contains('.') => {
                    format!("{digits}.0E{exponent}")
                }
                _ => scientific,
            }
        }
        _ => number.to_string(),
    }
}
