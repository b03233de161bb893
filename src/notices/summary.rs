//! Many notices told in one.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::model::{Gravity, NoticeKind};

/// One of those that are told together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// How grave it is.
    pub gravity: Gravity,
    /// What it says.
    pub text: String,
    /// When it came to be.
    pub at: DateTime<Utc>,
}

/// What is told of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// For people.
    pub text: String,
    /// For machines: how many of which kind, how grave, and their ids.
    pub document: Value,
}

/// So many of the gravest are quoted.
const QUOTED: usize = 3;

/// Tells of all of these at once: how many of which kind, and what the gravest say.
pub fn summary(covered: &[Covered]) -> Summary {
    let mut kinds: BTreeMap<NoticeKind, usize> = BTreeMap::new();
    for one in covered {
        *kinds.entry(one.kind).or_default() += 1;
    }
    let counts: Vec<String> = kinds
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let from = covered.iter().map(|one| one.at).min().unwrap_or_default();
    let to = covered.iter().map(|one| one.at).max().unwrap_or_default();
    let gravest = covered.iter().map(|one| one.gravity).max();
    let gravest = gravest.unwrap_or(Gravity::Info);
    let mut quoted: Vec<&Covered> = covered.iter().collect();
    // The newest of the gravest says how things are.
    quoted.sort_by_key(|one| std::cmp::Reverse((one.gravity, one.at)));
    let quoted: Vec<&str> = quoted
        .iter()
        .take(QUOTED)
        .map(|one| one.text.as_str())
        .collect();
    Summary {
        text: format!(
            "{} notices from {} to {} in one ({}): {}; `switchyard notices` lists the others",
            covered.len(),
            from.format("%Y-%m-%d %H:%M:%S"),
            to.format("%H:%M:%S UTC"),
            counts.join(", "),
            quoted.join("; ")
        ),
        document: json!({
            "gravity": gravest,
            "kinds": kinds.iter().map(|(kind, count)| (kind.to_string(), *count)).collect::<BTreeMap<_, _>>(),
            "notices": covered.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_by_kind_and_quotes_the_gravest() {
        let at = |second| DateTime::from_timestamp(1_772_452_800 + second, 0).expect("a time");
        let one = |second: i64, kind: NoticeKind| Covered {
            id: format!("ntc_{second}"),
            kind,
            gravity: kind.gravity(),
            text: format!("text {second}"),
            at: at(second),
        };
        let told = summary(&[
            one(0, NoticeKind::Release),
            one(1, NoticeKind::Breaker),
            one(2, NoticeKind::Release),
            one(3, NoticeKind::Flip),
            one(4, NoticeKind::Breaker),
        ]);
        assert_eq!(
            told.text,
            "5 notices from 2026-03-02 12:00:00 to 12:00:04 UTC in one (1 flip, 2 release, 2 breaker): text 4; text 1; text 3; `switchyard notices` lists the others"
        );
        assert_eq!(told.document["gravity"], "critical");
        assert_eq!(told.document["notices"].as_array().map(Vec::len), Some(5));
    }
}
