//! What stands beside the evidence and decides nothing in it: the last rehearsal of going back, and
//! what shadow runs cost.

use schemars::JsonSchema;
use serde::Serialize;

/// How far back what shadow runs used is summed, in days.
pub const SPENT_DAYS: i64 = 30;

/// What stands beside the evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Beside {
    /// The newest rehearsal; none where there was none.
    pub rehearsal: Option<LastRehearsal>,
    /// What the shadow runs of the last [`SPENT_DAYS`] days used.
    pub spent: Spent,
}

/// The newest rehearsal of cutover, fallback and recovery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LastRehearsal {
    /// Its id.
    pub id: String,
    /// When it began, as it is to be shown.
    pub at: String,
    /// Whether everything went as it has to; none while it is under way.
    pub passed: Option<bool>,
}

/// What shadow runs used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Spent {
    /// US dollars for everything that has a price; none where nothing used has one.
    pub usd: Option<f64>,
    /// Kinds of things used, as models and services,
    pub kinds: usize,
    /// and how many of these have no price.
    pub unpriced: usize,
}

pub(super) fn rehearsed(rehearsal: Option<&LastRehearsal>) -> String {
    let Some(last) = rehearsal else {
        return "there was none".to_owned();
    };
    let ended = match last.passed {
        Some(true) => "passed",
        Some(false) => "failed",
        None => "under way",
    };
    format!("{}, {ended} ({})", last.at, last.id)
}

pub(super) fn spent(spent: Spent) -> String {
    if spent.kinds == 0 {
        return format!("Shadow runs used nothing that is metered in {SPENT_DAYS} days.");
    }
    let unpriced = match spent.unpriced {
        0 => String::new(),
        some => format!("; {some} of {} things used have no price", spent.kinds),
    };
    let usd = spent.usd.map_or_else(
        || "an unknown sum".to_owned(),
        |usd| format!("USD {usd:.2}"),
    );
    format!("Shadow runs of the last {SPENT_DAYS} days cost {usd}{unpriced}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_price_is_told() {
        let told = spent(Spent {
            usd: Some(1.5),
            kinds: 3,
            unpriced: 1,
        });
        assert_eq!(
            told,
            "Shadow runs of the last 30 days cost USD 1.50; 1 of 3 things used have no price."
        );
        assert!(spent(Spent::default()).contains("nothing that is metered"));
        let unknown = Spent {
            usd: None,
            kinds: 1,
            unpriced: 1,
        };
        assert!(spent(unknown).contains("an unknown sum"));
    }

    #[test]
    fn a_rehearsal_that_did_not_end_is_no_passed_one() {
        let last = LastRehearsal {
            id: "reh_1".to_owned(),
            at: "2026-03-19 12:00 UTC".to_owned(),
            passed: None,
        };
        assert_eq!(
            rehearsed(Some(&last)),
            "2026-03-19 12:00 UTC, under way (reh_1)"
        );
        assert_eq!(rehearsed(None), "there was none");
    }
}
