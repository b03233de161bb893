//! What people may do about a run, and why not: pure.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::RunState;

/// Something people do about a run.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mend {
    /// Run the step again that failed, and what follows it. What was done before is found.
    Retry,
    /// Let a run go on that was stopped, is paused, or never got under way.
    Resume,
    /// Give its recording back to Celery.
    Takeover,
    /// Compare it with its control again, by the policy as it is now.
    Compare,
}

impl Mend {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Retry, Self::Resume, Self::Takeover, Self::Compare];

    /// The name in addresses, on the command line and in the audit trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Resume => "resume",
            Self::Takeover => "takeover",
            Self::Compare => "compare",
        }
    }
}

impl fmt::Display for Mend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whom a run serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// Nobody: it is a shadow run.
    Beside,
    /// The users of its recording.
    Serving {
        /// The transcript is ended: deliveries alone may be missing.
        is_finalized: bool,
    },
    /// Nobody any more: its recording was taken from it.
    Taken {
        /// Celery has it.
        is_given: bool,
    },
    /// Nobody any more: another run has its recording.
    Replaced,
}

/// What it depends on whether something may be done about a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any of them may go with any other"
)]
pub struct RunFacts {
    /// How far it is.
    pub state: RunState,
    /// Whom it serves.
    pub stands: Stands,
    /// Conductor has it, and schedules nothing of it.
    pub is_paused: bool,
    /// It is to start, and nobody has set out to start it lately.
    pub is_stranded: bool,
    /// It found its source removed because consent was denied.
    pub is_withdrawn: bool,
    /// There is something to compare it with.
    pub has_control: bool,
    /// Why Conductor takes no work; none while it does.
    pub unwell: Option<String>,
    /// Why nothing can be given to Celery; none where that can.
    pub no_celery: Option<String>,
}

/// Why something may not be done about a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmendable {
    /// It is at work.
    #[error(
        "the run is under way; there is nothing to take up before it has failed or been stopped"
    )]
    UnderWay,
    /// Somebody is just starting it.
    #[error(
        "the run is just being started; wait a minute, and resume it if it has not begun by then"
    )]
    Starting,
    /// It has done everything.
    #[error(
        "the run has ended well; `switchyard dispatch --anew` runs its recording again, as another generation"
    )]
    EndedWell,
    /// It did not fail, it was stopped.
    #[error("the run was stopped and did not fail; resume it")]
    Stopped,
    /// It was not stopped, it failed.
    #[error("the run has failed; retry the step that did")]
    Failed,
    /// Its source is gone for good.
    #[error(
        "the run ended because people took the recording's sound back; there is nothing left to work on"
    )]
    Withdrawn,
    /// Celery serves its recording.
    #[error("the run's recording was given back to Celery, which serves it; the run never goes on")]
    TakenOver,
    /// Another run serves its recording.
    #[error("the run's recording belongs to another run by now, so this one never goes on")]
    Replaced,
    /// Celery serves already.
    #[error("it is a shadow run; Celery serves its recording already")]
    Beside,
    /// Celery must not make it again.
    #[error(
        "the run has ended its transcript, so Celery must not make it again; retry it to complete what is missing of its deliveries"
    )]
    Finalized,
    /// Celery serves already, since somebody took the recording over.
    #[error("Celery has the run's recording already")]
    Given,
    /// Celery cannot be given anything.
    #[error("nothing can be given to Celery: {0}")]
    NoCelery(String),
    /// What was taken up now would not get on.
    #[error("Conductor is not well: {0}; wait until the breaker lets work through")]
    Unwell(String),
    /// There is nothing to compare yet.
    #[error("the run has not ended; it is compared once it has")]
    Unfinished,
    /// A stopped run says nothing of what it would have made.
    #[error(
        "the run was stopped, which says nothing about what it would have made; resume it first"
    )]
    StoppedMidway,
    /// There is nothing to compare with.
    #[error("the run has no control: the control has not ended, or what it made is not kept")]
    NoControl,
}

/// Whether something may be done about a run.
pub fn mendable(mend: Mend, run: &RunFacts) -> Result<(), Unmendable> {
    match mend {
        Mend::Retry => match run.state {
            RunState::Failed => goes_on(run),
            RunState::Terminated => Err(Unmendable::Stopped),
            RunState::Completed => Err(Unmendable::EndedWell),
            RunState::Starting | RunState::Running => Err(Unmendable::UnderWay),
        },
        Mend::Resume => match run.state {
            RunState::Terminated => goes_on(run),
            RunState::Running if run.is_paused => goes_on(run),
            RunState::Starting if run.is_stranded => goes_on(run),
            RunState::Starting => Err(Unmendable::Starting),
            RunState::Running => Err(Unmendable::UnderWay),
            RunState::Failed => Err(Unmendable::Failed),
            RunState::Completed => Err(Unmendable::EndedWell),
        },
        Mend::Takeover => match (run.stands, &run.no_celery) {
            (Stands::Beside, _) => Err(Unmendable::Beside),
            (Stands::Replaced, _) => Err(Unmendable::Replaced),
            (Stands::Serving { is_finalized: true }, _) => Err(Unmendable::Finalized),
            (Stands::Taken { is_given: true }, _) => Err(Unmendable::Given),
            (_, Some(why)) => Err(Unmendable::NoCelery(why.clone())),
            // Somebody who took it may have died before Celery had it.
            (Stands::Serving { .. } | Stands::Taken { .. }, None) => Ok(()),
        },
        Mend::Compare => match run.state {
            RunState::Starting | RunState::Running => Err(Unmendable::Unfinished),
            RunState::Terminated => Err(Unmendable::StoppedMidway),
            RunState::Completed | RunState::Failed if !run.has_control => {
                Err(Unmendable::NoControl)
            }
            RunState::Completed | RunState::Failed => Ok(()),
        },
    }
}

/// Whether a run may be at work again.
fn goes_on(run: &RunFacts) -> Result<(), Unmendable> {
    if run.is_withdrawn {
        return Err(Unmendable::Withdrawn);
    }
    match run.stands {
        Stands::Taken { .. } => return Err(Unmendable::TakenOver),
        Stands::Replaced => return Err(Unmendable::Replaced),
        Stands::Beside | Stands::Serving { .. } => {}
    }
    run.unwell
        .as_ref()
        .map_or(Ok(()), |why| Err(Unmendable::Unwell(why.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use RunState::{Completed, Failed, Running, Starting, Terminated};

    const SERVING: Stands = Stands::Serving {
        is_finalized: false,
    };

    fn run(state: RunState, stands: Stands) -> RunFacts {
        RunFacts {
            state,
            stands,
            is_paused: false,
            is_stranded: false,
            is_withdrawn: false,
            has_control: true,
            unwell: None,
            no_celery: None,
        }
    }

    #[test]
    fn what_may_be_done_follows_from_how_far_a_run_is() {
        use Unmendable as No;
        for (state, retry, resume, compare) in [
            (
                Starting,
                Err(No::UnderWay),
                Err(No::Starting),
                Err(No::Unfinished),
            ),
            (
                Running,
                Err(No::UnderWay),
                Err(No::UnderWay),
                Err(No::Unfinished),
            ),
            (Completed, Err(No::EndedWell), Err(No::EndedWell), Ok(())),
            (Failed, Ok(()), Err(No::Failed), Ok(())),
            (Terminated, Err(No::Stopped), Ok(()), Err(No::StoppedMidway)),
        ] {
            for stands in [Stands::Beside, SERVING] {
                let run = run(state, stands);
                let found =
                    [Mend::Retry, Mend::Resume, Mend::Compare].map(|mend| mendable(mend, &run));
                let expected = [retry.clone(), resume.clone(), compare.clone()];
                assert_eq!(found, expected, "{state:?}");
            }
        }
    }

    #[test]
    fn a_run_that_stands_still_goes_on_and_one_at_work_does_not_twice() {
        let paused = RunFacts {
            is_paused: true,
            ..run(Running, Stands::Beside)
        };
        let stranded = RunFacts {
            is_stranded: true,
            ..run(Starting, Stands::Beside)
        };
        for still in [paused, stranded] {
            assert_eq!(mendable(Mend::Resume, &still), Ok(()));
            assert_eq!(mendable(Mend::Retry, &still), Err(Unmendable::UnderWay));
        }
    }

    #[test]
    fn only_what_serves_users_and_has_not_ended_their_transcript_goes_back_to_celery() {
        let given = |is_given| Stands::Taken { is_given };
        for (stands, expected) in [
            (Stands::Beside, Err(Unmendable::Beside)),
            (SERVING, Ok(())),
            (
                Stands::Serving { is_finalized: true },
                Err(Unmendable::Finalized),
            ),
            (given(false), Ok(())),
            (given(true), Err(Unmendable::Given)),
            (Stands::Replaced, Err(Unmendable::Replaced)),
        ] {
            for state in [Starting, Running, Failed, Terminated] {
                let run = run(state, stands);
                assert_eq!(mendable(Mend::Takeover, &run), expected, "{stands:?}");
            }
        }
        let without = RunFacts {
            no_celery: Some("it is removed".to_owned()),
            ..run(Running, SERVING)
        };
        let refused = mendable(Mend::Takeover, &without).expect_err("there is no Celery");
        let told = refused.to_string();
        assert_eq!(told, "nothing can be given to Celery: it is removed");
    }

    #[test]
    fn what_has_lost_its_recording_or_its_source_never_goes_on() {
        for (state, mend) in [(Failed, Mend::Retry), (Terminated, Mend::Resume)] {
            let lost = |stands| mendable(mend, &run(state, stands));
            let taken = Stands::Taken { is_given: false };
            assert_eq!(lost(taken), Err(Unmendable::TakenOver));
            assert_eq!(lost(Stands::Replaced), Err(Unmendable::Replaced));
            let finalized = Stands::Serving { is_finalized: true };
            assert_eq!(lost(finalized), Ok(()), "deliveries may be missing");
            let withdrawn = RunFacts {
                is_withdrawn: true,
                ..run(state, Stands::Beside)
            };
            assert_eq!(mendable(mend, &withdrawn), Err(Unmendable::Withdrawn));
            let unwell = RunFacts {
                unwell: Some("the canary does not end".to_owned()),
                ..run(state, Stands::Beside)
            };
            assert!(matches!(
                mendable(mend, &unwell),
                Err(Unmendable::Unwell(_))
            ));
        }
    }

    #[test]
    fn nothing_is_compared_with_nothing() {
        let alone = RunFacts {
            has_control: false,
            ..run(Completed, Stands::Beside)
        };
        assert_eq!(mendable(Mend::Compare, &alone), Err(Unmendable::NoControl));
    }
}
