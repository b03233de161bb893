//! What speaks against a mirror, looked at before anything is done.

use chrono::TimeDelta;
use uuid::Uuid;

use super::Mirrors;
use crate::{
    controller::{FROM_CANDIDATE, candidate_outcome},
    model::{Outcome, OutcomeStatus, RunId, Subject, TranscriptId},
    rollout::withheld,
    store::{Control, Mirror, MirrorState, Run},
};

/// Why no mirror was begun.
#[derive(Debug, thiserror::Error)]
pub enum NoMirror {
    /// Another legacy run is under way; later it may do.
    #[error("no mirror of transcript `{0}` was begun: {1}")]
    Disturbed(TranscriptId, String),
    /// It never will.
    #[error("{0}; mirror another one")]
    Unfit(String),
}

/// What a mirror is wanted of.
pub(super) struct Original<'a> {
    /// The transcript that is served.
    pub transcript: &'a TranscriptId,
    /// The candidate's run that served it; none where the control did.
    pub served_by: Option<&'a Run>,
    /// Whether nobody's answer is consent enough.
    pub unanswered: bool,
}

/// What is known of an original before it is mirrored.
struct Known {
    subject: Subject,
    control_id: String,
    outcome: Outcome,
}

/// Names below it are the ids of mirrors' tasks, so that one published twice is one task.
const TASKS: Uuid = Uuid::from_u128(0x91c3_7d0e_55ab_4f1c_a0d2_18e6_72bb_903d);

/// A run that takes longer than that is none: its worker was killed.
const STUCK: TimeDelta = TimeDelta::days(1);

impl Mirrors<'_> {
    /// Notes a mirror, after everything that speaks against it was looked at.
    pub async fn plan(&self, original: &TranscriptId) -> anyhow::Result<Mirror> {
        // Whoever asks for a mirror answers for what nobody answered.
        let original = Original {
            transcript: original,
            served_by: None,
            unanswered: true,
        };
        self.plan_of(&original).await
    }

    pub(super) async fn plan_of(&self, wanted: &Original<'_>) -> anyhow::Result<Mirror> {
        let original = wanted.transcript;
        let transcript = TranscriptId::new(Uuid::new_v4().to_string());
        self.tell(0, "looking whether a mirror can be run");
        if let Some(reason) = self.disturbed(&transcript).await? {
            return Err(NoMirror::Disturbed(original.clone(), reason).into());
        }
        let known = match wanted.served_by {
            None => self.by_control(original).await?,
            Some(run) => self.by_candidate(run).await?,
        };
        let unfit = |why: String| Err(NoMirror::Unfit(why).into());
        let Known {
            subject,
            control_id,
            outcome,
        } = known;
        if outcome.status != OutcomeStatus::Ended {
            return unfit(format!(
                "the run of transcript `{original}` ended in `error`, so there is nothing to measure"
            ));
        }
        if outcome.audio_deleted {
            return unfit(format!(
                "the sound of transcript `{original}` was deleted, so nothing can be run on it again"
            ));
        }
        if let Some(why) = withheld(&subject.consents, wanted.unanswered) {
            return unfit(format!(
                "transcript `{original}` is of a meeting of which {why}"
            ));
        }
        let bucket = &subject.recording.bucket_name;
        for key in &subject.track_keys {
            if !self.objects.exists(bucket, key).await? {
                return unfit(format!(
                    "a track of transcript `{original}` is no longer in bucket `{bucket}`, so nothing can be run on it again"
                ));
            }
        }
        let now = self.now();
        let mirror = Mirror {
            task_id: Uuid::new_v5(&TASKS, transcript.as_str().as_bytes()).to_string(),
            transcript,
            environment: self.app.name.clone(),
            original: original.clone(),
            recording_id: subject.recording.id,
            bucket_name: subject.recording.bucket_name,
            track_keys: subject.track_keys,
            state: MirrorState::Planned,
            reverse_of: wanted.served_by.map(|run| run.id.clone()),
            original_control_id: control_id,
            control_id: None,
            verdict: None,
            comparison: None,
            outcome: None,
            reason: None,
            started_at: now,
            dispatched_at: None,
            changed_at: now,
        };
        let is_first = self.app.store.insert_mirror(&mirror, self.lease()).await?;
        anyhow::ensure!(
            is_first,
            "another mirror was begun at the same moment; wait for it"
        );
        Ok(mirror)
    }

    /// What the control made of a recording that it served.
    async fn by_control(&self, original: &TranscriptId) -> anyhow::Result<Known> {
        let kept = self.app.keep_finished(original).await?;
        let control = self.original_control(&kept.control_id).await?;
        Ok(Known {
            subject: kept.subject,
            control_id: kept.control_id,
            outcome: control.outcome,
        })
    }

    /// What the candidate made of a recording that it served, as it was before people edited the row;
    /// whether they consent is asked anew.
    async fn by_candidate(&self, run: &Run) -> anyhow::Result<Known> {
        let outcome = candidate_outcome(&self.app.store, run).await?;
        let control_id = served_id(&run.id);
        if self.app.store.control(&control_id).await?.is_none() {
            let made = Control {
                id: control_id.clone(),
                recording_id: run.recording_id.clone(),
                source: FROM_CANDIDATE.to_owned(),
                outcome: outcome.clone(),
                taken_at: self.now(),
            };
            self.app.store.insert_control(&made).await?;
        }
        let base = self.app.environment.reflector.ui_base_url.as_str();
        let asked = self
            .reflector
            .subject(&run.transcript_id, None, base.trim_end_matches('/'));
        let Some(now) = asked.await? else {
            let why = format!("transcript `{}` is gone", run.transcript_id);
            return Err(NoMirror::Unfit(why).into());
        };
        let mut subject = run.subject.clone();
        subject.consents = now.consents;
        Ok(Known {
            subject,
            control_id,
            outcome,
        })
    }

    /// Why no mirror may run now: another legacy run is under way.
    pub(super) async fn disturbed(&self, mirror: &TranscriptId) -> anyhow::Result<Option<String>> {
        if !self.rows.other_legacy_runs_active(mirror).await? {
            return Ok(None);
        }
        let mut active = self.reflector.active().await?;
        active.retain(|run| run.transcript != *mirror);
        let names: Vec<_> = active
            .iter()
            .map(|run| format!("`{}`", run.transcript))
            .collect();
        let mut reason = format!(
            "the legacy pipeline is at work on {}, and a mirror's transactions could end that run in `error`; try again when it is done, in a quiet hour",
            if names.is_empty() {
                "another transcript".to_owned()
            } else {
                names.join(", ")
            },
        );
        let stuck = active
            .iter()
            .find(|run| self.now() - run.created_at > STUCK);
        if let Some(run) = stuck {
            reason = format!(
                "{reason}. Transcript `{}` was made more than a day ago and is still in `processing`: its worker was probably killed, and it stays so until somebody reprocesses it in Reflector",
                run.transcript
            );
        }
        Ok(Some(reason))
    }
}

/// The row that holds what a live run made, for its mirror to be held against.
fn served_id(run: &RunId) -> String {
    format!("ctl_served_{run}")
}
