//! How moves are put in words here: as on the command line, without its commands.

use std::fmt;

use crate::rollout::{Check, Percent, Position, Refusal};

/// Who serves users in a position, in a few words.
pub(in crate::http::ui) struct Serving(pub(in crate::http::ui) Position);

impl fmt::Display for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Position::Infrastructure => f.write_str("the control serves; nobody else runs"),
            Position::Parallel => f.write_str("the control serves; the candidate runs on replays"),
            Position::Shadow(percent) => write!(
                f,
                "the control serves; the candidate runs beside {percent} % of recordings"
            ),
            Position::Cutover(Percent::ALL) => f.write_str("the candidate serves all rooms"),
            Position::Cutover(percent) => write!(
                f,
                "the candidate serves {percent} % of rooms, the control the others"
            ),
            Position::Soak => f.write_str("the candidate serves; it is watched whether that lasts"),
            Position::Draining => f.write_str("the candidate serves; what Celery has ends"),
            Position::Archived => f.write_str("the candidate serves; what Celery did is exported"),
            Position::Removed => f.write_str("the candidate serves; there is no Celery"),
        }
    }
}

/// That a move was not made.
pub(super) const STAYS: &str = "The migration stays where it is";

/// Why a move was refused, and what helps.
pub(super) fn why(refusal: &Refusal) -> String {
    let reason = refusal.reason();
    match refusal {
        Refusal::There { .. } => reason,
        Refusal::Moved { .. } => {
            format!("{reason}; look at it below as it is now, and ask again if it is still wanted")
        }
        Refusal::NewEvidence { .. } => {
            format!("{reason}; look at it below, and ask again if it is still wanted")
        }
        Refusal::NoStep { next, .. } => format!("{reason}; go to {next} first"),
        Refusal::Held(hold) => format!(
            "held by {}: {}; ask {}, or release the hold below",
            hold.owner, hold.reason, hold.owner
        ),
        Refusal::Unmet { .. } => "a precondition is not met".to_owned(),
        Refusal::Unapproved { .. } => format!("{reason}; have it approved on this page"),
    }
}

/// The preconditions that a refused move lacked, each in a sentence.
pub(super) fn unmet(refusal: &Refusal) -> Vec<String> {
    let Refusal::Unmet { preconditions } = refusal else {
        return Vec::new();
    };
    let unmet = preconditions.iter().filter(|one| !one.state.allows());
    unmet
        .map(|one| {
            // Here a name is typed into its field.
            let missing = match one.check {
                Check::TypedName => "type it into the field for it",
                _ => &one.missing,
            };
            format!(
                "{}: it is {}, and has to be {}; {missing}",
                name(one.check),
                one.value,
                one.bound
            )
        })
        .collect()
}

/// What is looked at, for people.
pub(super) const fn name(check: Check) -> &'static str {
    match check {
        Check::Order => "The environment before this one",
        Check::Settings => "Settings",
        Check::Health => "Conductor's health",
        Check::Breaker => "The breaker",
        Check::ParallelRuns => "Runs in parallel",
        Check::ShadowPairs => "Comparisons in shadow",
        Check::Evidence => "The evidence",
        Check::Rehearsal => "The rehearsal",
        Check::Dwell => "Time at this step",
        Check::StepRuns => "Recordings served at this step",
        Check::Soaked => "Time in soak",
        Check::Served => "What was served",
        Check::Quiet => "Time without an open breaker",
        Check::Rules => "Rules of routing",
        Check::LegacyQuiet => "Time without a start on Celery",
        Check::LegacyDrained => "What Celery is at",
        Check::Exported => "The export",
        Check::TypedName => "The typed name",
    }
}

/// The pages that show what a condition rests on, with what people read.
pub(super) const fn rests_on(check: Check) -> &'static [(&'static str, &'static str)] {
    match check {
        Check::Order => &[("/", "Overview")],
        Check::Settings | Check::Rules => &[("/settings", "Settings")],
        Check::Health | Check::Breaker | Check::Quiet => &[("/breaker", "Health")],
        Check::ShadowPairs | Check::Served => &[("/evidence", "Evidence")],
        Check::Evidence => &[("/evidence", "Evidence"), ("/reviews", "Reviews")],
        Check::ParallelRuns => &[("/replays", "Replays"), ("/runs", "Runs")],
        Check::StepRuns => &[("/runs", "Runs")],
        Check::LegacyQuiet | Check::LegacyDrained => &[("/recordings", "Recordings")],
        Check::Rehearsal | Check::Exported => &[("/audit", "Audit")],
        Check::Dwell | Check::Soaked => &[("#history", "History")],
        Check::TypedName => &[],
    }
}
