//! Whether people took a meeting's sound back, as Reflector's rows say now.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Gateway, GatewayError};
use crate::{
    legacy::reflector::{ReflectorError, WhichPast},
    model::{RecordingId, Subject, TranscriptId},
};

/// Why the sound of a meeting may not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Withdrawal {
    /// Somebody denied consent.
    Denied,
    /// The pipeline that serves users has deleted it.
    AudioDeleted,
    /// Reflector no longer has the transcript or its recording: somebody deleted them.
    Gone,
}

impl Withdrawal {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "consent denied",
            Self::AudioDeleted => "audio deleted",
            Self::Gone => "transcript deleted",
        }
    }
}

/// How many past recordings are read at once.
const PAGE: u32 = 500;

impl Gateway {
    /// Whether the sound of a recording was taken back.
    pub async fn withdrawal(&self, of: &Subject) -> Result<Option<Withdrawal>, GatewayError> {
        let id = &of.transcript.id;
        let unknown = |error: ReflectorError| GatewayError::Retry(error.into());
        let answered = self.answers(id, &of.recording.id).await.map_err(unknown)?;
        if answered.is_some() {
            return Ok(answered);
        }
        let made = self.0.reflector.snapshot(id).await.map_err(unknown)?;
        let is_deleted = made.is_some_and(|made| made.outcome.audio_deleted);
        Ok(is_deleted.then_some(Withdrawal::AudioDeleted))
    }

    /// The same by the answers to the question of consent alone, which is quick.
    pub(super) async fn answers(
        &self,
        transcript: &TranscriptId,
        recording: &RecordingId,
    ) -> Result<Option<Withdrawal>, ReflectorError> {
        match self.0.reflector.subject(transcript, Some(&[]), "").await {
            Ok(Some(now)) => {
                let is_denied = now.recording.id == *recording
                    && now.consents.iter().any(|answer| !answer.consent_given);
                Ok(is_denied.then_some(Withdrawal::Denied))
            }
            Ok(None) | Err(ReflectorError::NoRecording(_)) => Ok(Some(Withdrawal::Gone)),
            Err(error) => Err(error),
        }
    }

    /// The transcripts made at `from` or later whose audio the serving pipeline has deleted.
    pub(super) async fn audio_deleted(
        &self,
        from: DateTime<Utc>,
    ) -> Result<HashSet<TranscriptId>, ReflectorError> {
        let mut deleted = HashSet::new();
        let mut last = None;
        loop {
            let page = self
                .0
                .reflector
                .past(&WhichPast::since(from), last.as_ref(), PAGE)
                .await?;
            let gone = page.iter().filter(|past| past.audio_deleted);
            deleted.extend(gone.map(|past| past.transcript.clone()));
            match page.into_iter().next_back() {
                Some(past) => last = Some(past),
                None => return Ok(deleted),
            }
        }
    }
}
