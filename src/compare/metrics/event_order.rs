//! Whether two sequences of events tell the same story where some of it happens at once. Events
//! of different branches may come in any order among each other; everything else is in order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names of events that follow one another, beside other branches.
pub type Branch = Vec<String>;

/// Which steps run at the same time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartialOrder {
    /// The branches.
    pub branches: Vec<Branch>,
}

/// How the candidate's sequence departs from the control's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Departure {
    /// Events the candidate lacks, as often as it lacks them.
    pub missing: Vec<String>,
    /// Events only the candidate has.
    pub extra: Vec<String>,
    /// Whether events both have come in an order the control's order forbids.
    pub reordered: bool,
    /// Whether the sequences differ within what the partial order allows.
    pub interleaved: bool,
}

/// Two sequences agree when, for each branch, they are equal after all other branches' events are
/// left out.
pub fn departure(control: &[String], candidate: &[String], order: &PartialOrder) -> Departure {
    let missing = super::facts::missing(control, candidate);
    let extra = super::facts::missing(candidate, control);
    let comparable = missing.is_empty() && extra.is_empty();
    let no_branch = Branch::new();
    let agree = order
        .branches
        .iter()
        .chain(std::iter::once(&no_branch))
        .all(|branch| view(control, order, branch).eq(view(candidate, order, branch)));
    Departure {
        reordered: comparable && !agree,
        interleaved: comparable && agree && control != candidate,
        missing: missing.into_iter().map(str::to_owned).collect(),
        extra: extra.into_iter().map(str::to_owned).collect(),
    }
}

/// The sequence as one branch sees it.
fn view<'a>(
    sequence: &'a [String],
    order: &'a PartialOrder,
    branch: &'a Branch,
) -> impl Iterator<Item = &'a String> {
    sequence.iter().filter(move |event| {
        branch.contains(event) || !order.branches.iter().any(|other| other.contains(event))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(control: &str, candidate: &str) -> Departure {
        let list = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let order = PartialOrder {
            branches: vec![list("TITLE"), list("SHORT LONG")],
        };
        departure(&list(control), &list(candidate), &order)
    }

    #[test]
    fn the_title_may_come_anywhere_among_the_summaries() {
        let found = check("TOPIC TITLE SHORT LONG END", "TOPIC SHORT TITLE LONG END");
        assert_eq!(
            found,
            Departure {
                interleaved: true,
                ..Departure::default()
            }
        );
    }

    #[test]
    fn the_long_summary_never_comes_first() {
        assert!(check("TOPIC TITLE SHORT LONG END", "TOPIC TITLE LONG SHORT END").reordered);
    }

    #[test]
    fn the_title_never_comes_after_the_end() {
        assert!(check("TOPIC SHORT LONG TITLE END", "TOPIC SHORT LONG END TITLE").reordered);
    }

    #[test]
    fn a_lost_event_is_missing_and_not_reordered() {
        let found = check("TOPIC TOPIC END", "TOPIC END");
        assert_eq!(
            (found.missing.as_slice(), found.reordered),
            (["TOPIC".to_owned()].as_slice(), false)
        );
    }
}
