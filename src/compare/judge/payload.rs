//! Live messages as they are compared. What is long in one, as a topic's words are, stays a text until
//! somebody has to know its value.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value, value::RawValue};

/// Arrays and objects from this many bytes on stay texts.
const LONG: usize = 1024;

/// A message's payload.
pub(super) struct Payload<'a> {
    /// Its `event`.
    pub(super) event: Option<String>,
    /// Its `data`, without what is long.
    pub(super) data: Value,
    /// What is long in `data`, by its key: JSON.
    pub(super) long: Vec<(String, &'a str)>,
}

impl<'a> Payload<'a> {
    /// Reads one; none when it is not JSON.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let mut payload = Self {
            event: None,
            data: Value::Null,
            long: Vec::new(),
        };
        let Ok(Members(members)) = serde_json::from_str(text) else {
            serde_json::from_str::<&RawValue>(text).ok()?;
            return Some(payload);
        };
        for (name, member) in members {
            match name.as_str() {
                "event" => payload.event = serde_json::from_str(member).ok(),
                "data" => (payload.data, payload.long) = data(member)?,
                _ => {}
            }
        }
        Some(payload)
    }
}

/// Its `data` with what is long in it.
pub(super) fn whole(data: &Value, long: &[(String, &str)]) -> Value {
    let mut data = data.clone();
    if let Value::Object(members) = &mut data {
        for (key, text) in long {
            members.insert(key.clone(), value(text));
        }
    }
    data
}

/// The value of a text that was read before.
pub(super) fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn data(text: &str) -> Option<(Value, Vec<(String, &str)>)> {
    let Ok(Members(members)) = serde_json::from_str(text) else {
        return Some((serde_json::from_str(text).ok()?, Vec::new()));
    };
    let (mut short, mut long) = (Map::new(), Vec::new());
    for (key, member) in members {
        if member.len() >= LONG && member.starts_with(['[', '{']) {
            long.push((key, member));
        } else {
            short.insert(key, serde_json::from_str(member).ok()?);
        }
    }
    Some((Value::Object(short), long))
}

/// An object's members as texts, in their order. Of two with one key the later one counts.
struct Members<'a>(Vec<(String, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reads;

        impl<'de> Visitor<'de> for Reads {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members: Vec<(String, &'de str)> = Vec::new();
                while let Some((key, member)) = map.next_entry::<String, &'de RawValue>()? {
                    match members.iter_mut().find(|known| known.0 == key) {
                        Some(known) => known.1 = member.get(),
                        None => members.push((key, member.get())),
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Reads)
    }
}
