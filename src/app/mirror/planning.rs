//! What speaks against a mirror, looked at before anything is done.

use chrono::TimeDelta;
use uuid::Uuid;

use super::Mirrors;
use crate::{
    model::{OutcomeStatus, TranscriptId},
    store::{Mirror, MirrorState},
};

/// Names below it are the ids of mirrors' tasks, so that one published twice is one task.
const TASKS: Uuid = Uuid::from_u128(0x91c3_7d0e_55ab_4f1c_a0d2_18e6_72bb_903d);

/// A run that takes longer than that is none: its worker was killed.
const STUCK: TimeDelta = TimeDelta::days(1);

impl Mirrors<'_> {
    /// Notes a mirror, after everything that speaks against it was looked at.
    pub async fn plan(&self, original: &TranscriptId) -> anyhow::Result<Mirror> {
        let transcript = TranscriptId::new(Uuid::new_v4().to_string());
        self.tell(0, "looking whether a mirror can be run");
        if let Some(reason) = self.disturbed(&transcript).await? {
            anyhow::bail!("no mirror of transcript `{original}` was begun: {reason}");
        }
        let kept = self.app.keep_finished(original).await?;
        let control = self.original_control(&kept.control_id).await?;
        anyhow::ensure!(
            control.outcome.status == OutcomeStatus::Ended,
            "the run of transcript `{original}` ended in `error`, so there is nothing to measure; mirror another one"
        );
        anyhow::ensure!(
            !control.outcome.audio_deleted,
            "the sound of transcript `{original}` was deleted, so nothing can be run on it again; mirror another one"
        );
        let subject = kept.subject;
        let bucket = &subject.recording.bucket_name;
        for key in &subject.track_keys {
            anyhow::ensure!(
                self.objects.exists(bucket, key).await?,
                "a track of transcript `{original}` is no longer in bucket `{bucket}`, so nothing can be run on it again; mirror another one"
            );
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
            original_control_id: kept.control_id,
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
