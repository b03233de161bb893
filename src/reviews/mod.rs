//! Who has looked at which differences, and what they said: items, clusters, verdicts, waivers, rules
//! that hide, blind side-by-sides, and what all this still lacks before a cutover.
//!
//! Pure: a [`Book`] holds everything there is for one migration under one digest of versions, and
//! every decision is made from it.

mod blind;
mod book;
mod decide;
mod foresight;
mod item;
mod obligations;
mod queue;
mod rule;

#[cfg(test)]
mod tests;

pub use blind::{BLIND_LEAST, Choice, Chosen, Side, Tally, kappa, tally};
pub use book::{Act, Book, ClusterStanding, Earlier, Opened, Standing};
pub use decide::{LONGEST_DAYS, OPENED_FOR_A_CLUSTER, Refused, Says, Target, Wanted, decide};
pub use foresight::{Foreseen, foresee};
pub use item::{Item, ItemKind, Judgement, Source, items_of};
pub use obligations::{Obligation, Summary, Waiver};
pub use queue::{Order, Sought};
pub use rule::{NewRule, Predicate, Preview, RULES_AT_MOST, Rule, may_be_made, may_hide, preview};
