//! What a mirror made becomes a control, and is compared with what the original's run made.

use anyhow::Context;

use super::Mirrors;
use crate::{
    compare::{self, Comparison},
    controller::{FROM_MIRROR, NOT_IN_MIRRORS},
    model::{Outcome, OutcomeStatus},
    store::{Control, Mirror, MirrorOutcome, MirrorState},
};

impl Mirrors<'_> {
    /// Keeps what the mirror made, and the comparison.
    pub(super) async fn compare(&self, mirror: &mut Mirror) -> anyhow::Result<()> {
        self.tell(95, "comparing the mirror with the original");
        let original = self.original_control(&mirror.original_control_id).await?;
        let made = self.keep(mirror).await?;
        if made.outcome.status == OutcomeStatus::Error {
            let reason = "the legacy run ended in `error`".to_owned();
            return self.give_up(mirror, MirrorOutcome::Failed, reason).await;
        }
        mirror.control_id = Some(made.id);
        if made.outcome.participants != original.outcome.participants {
            let reason = "the mirror did not get the original's participants in time, so it asked the language model other questions; run it again".to_owned();
            let outcome = MirrorOutcome::NotComparable;
            return self.give_up(mirror, outcome, reason).await;
        }
        let made_id = mirror.control_id.clone().unwrap_or_default();
        let comparison = match &mirror.reverse_of {
            None => self.compared(original.outcome, made.outcome).await?,
            Some(run) => {
                // From here on the run has a control, and is compared with it like any other.
                self.app.store.give_control(run, &made_id).await?;
                self.compared(made.outcome, original.outcome).await?
            }
        };
        mirror.verdict = Some(comparison.verdict.to_string());
        mirror.comparison = Some(serde_json::to_value(&comparison).context("writing it")?);
        mirror.outcome = Some(MirrorOutcome::Compared);
        self.save(mirror, MirrorState::Compared).await
    }

    /// The first is what the second is held to.
    async fn compared(&self, original: Outcome, mirror: Outcome) -> anyhow::Result<Comparison> {
        let policy = self.policy.clone().without(&NOT_IN_MIRRORS);
        // Aligning the words of a long meeting takes seconds.
        let work = move || compare::compare(&original, &mirror, &policy);
        let compared = tokio::task::spawn_blocking(work).await;
        compared.context("comparing a mirror with its original")
    }

    pub(super) async fn original_control(&self, id: &str) -> anyhow::Result<Control> {
        let control = self.app.store.control(id).await?;
        control.with_context(|| format!("the control `{id}` is not in the store"))
    }

    /// Keeps what the mirror made as a control, once.
    async fn keep(&self, mirror: &Mirror) -> anyhow::Result<Control> {
        let transcript = &mirror.transcript;
        let id = format!("ctl_mirror_{transcript}");
        if let Some(control) = self.app.store.control(&id).await? {
            return Ok(control);
        }
        let snapshot = self.reflector.snapshot(transcript).await?;
        let mut outcome = snapshot.context("its run is not over")?.outcome;
        outcome.audio = self.app.mix_of(transcript).await?;
        let control = Control {
            id,
            recording_id: mirror.recording_id.clone(),
            source: FROM_MIRROR.to_owned(),
            outcome,
            taken_at: self.now(),
        };
        self.app.store.insert_control(&control).await?;
        Ok(control)
    }
}
