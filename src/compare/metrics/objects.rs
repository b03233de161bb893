//! Which objects a run left behind. Bytes are not compared: encoders differ, see `envelope`.

use std::collections::BTreeMap;

use crate::model::Object;

/// How the candidate's objects depart from the control's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Departure {
    /// `bucket/key` that only the control has.
    pub missing: Vec<String>,
    /// `bucket/key` that only the candidate has.
    pub extra: Vec<String>,
    /// `bucket/key`, the control's content type, the candidate's.
    pub retyped: Vec<(String, String, String)>,
}

/// Compares by bucket and key, whatever the order.
pub fn departure(control: &[Object], candidate: &[Object]) -> Departure {
    let (left, right) = (by_name(control), by_name(candidate));
    let only = |these: &BTreeMap<String, &str>, others: &BTreeMap<String, &str>| -> Vec<String> {
        these
            .keys()
            .filter(|name| !others.contains_key(*name))
            .cloned()
            .collect()
    };
    Departure {
        missing: only(&left, &right),
        extra: only(&right, &left),
        retyped: left
            .iter()
            .filter_map(|(name, kind)| right.get(name).map(|other| (name, *kind, *other)))
            .filter(|(_, kind, other)| kind != other)
            .map(|(name, kind, other)| (name.clone(), kind.to_owned(), other.to_owned()))
            .collect(),
    }
}

fn by_name(objects: &[Object]) -> BTreeMap<String, &str> {
    objects
        .iter()
        .map(|object| {
            (
                format!("{}/{}", object.bucket, object.key),
                object.content_type.as_str(),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leftover_track_is_extra() {
        let object = |key: &str| Object {
            bucket: "b".to_owned(),
            key: key.to_owned(),
            content_type: "audio/mpeg".to_owned(),
            size: 1,
        };
        let found = departure(&[object("mix")], &[object("padded_0"), object("mix")]);
        assert_eq!(found.extra, ["b/padded_0"]);
        assert!(found.missing.is_empty() && found.retyped.is_empty());
    }
}
