//! What a verdict would come to, before it is given.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::book::{Act, Book, Standing};
use super::decide::{Refused, Says, Target, Wanted, decide};

/// What a verdict would come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Foreseen {
    /// Items it is about.
    pub items: usize,
    /// Of these, settled as things are.
    pub settled_before: usize,
    /// Settled once it is given.
    pub settled_after: usize,
    /// Of these, S0 and S1 that stay open all the same.
    pub severe_open: usize,
}

impl std::fmt::Display for Foreseen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "is about {} items, of which {} are settled now and {} would be; {} of severity S0 or S1 would stay open",
            self.items, self.settled_before, self.settled_after, self.severe_open
        )
    }
}

/// Gives the verdict to a copy of the book, and counts.
///
/// # Errors
///
/// It may not be said; as the verdict itself would be refused.
pub fn foresee(book: &Book, wanted: &Wanted, now: DateTime<Utc>) -> Result<Foreseen, Refused> {
    let items = decide(book, wanted)?;
    let ids: Vec<&str> = items.iter().map(|item| item.id.as_str()).collect();
    let is_waiver = wanted.says == Says::Waive;
    let mut then = book.clone();
    then.acts.push(Act {
        // The last of what was said at the same time.
        id: "\u{10ffff}".to_owned(),
        on: wanted.on.as_str().to_owned(),
        on_cluster: matches!(wanted.on, Target::Cluster(_)),
        says: wanted.says,
        by: wanted.by.clone(),
        reason: wanted.reason.clone(),
        owner: wanted.owner.clone(),
        until: wanted
            .days
            .filter(|_| is_waiver)
            .map(|days| now + TimeDelta::days(days)),
        at_most: wanted.at_most.filter(|_| is_waiver),
        size: i64::try_from(items.len()).unwrap_or(i64::MAX),
        at: now,
    });
    let settled = |book: &Book| {
        let standings = book.standings(now);
        let is_settled = |id: &&&str| standings.get(**id).is_some_and(Standing::is_settled);
        ids.iter().filter(is_settled).count()
    };
    let after = then.standings(now);
    let severe_open = items
        .iter()
        .filter(|item| {
            let is_severe = item.about.as_ref();
            is_severe.is_some_and(|about| about.severity.blocks())
        })
        .filter(|item| {
            !after
                .get(item.id.as_str())
                .is_some_and(Standing::is_settled)
        });
    Ok(Foreseen {
        items: ids.len(),
        settled_before: settled(book),
        settled_after: settled(&then),
        severe_open: severe_open.count(),
    })
}
