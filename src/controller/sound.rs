//! The sound of a run: where both sides' mixes lie, whether they may be heard, and their bytes.
//!
//! Whoever listens is asked for each time, not when the page was made: a denied consent silences
//! what is open in a browser with the next piece it asks for.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::{future::BoxFuture, stream::BoxStream};
use tracing::warn;

use super::control::{FROM_MIRROR, FROM_ROWS};
use crate::{
    model::{EnvironmentName, Pipeline, RunId, Subject},
    rollout::Isolation,
    store::{Run, Store},
};

/// Why the sound of a meeting may not be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenBack {
    /// Somebody denied consent.
    Denied,
    /// The pipeline that serves users has deleted it.
    AudioDeleted,
    /// Reflector no longer has the transcript or its recording.
    Gone,
}

impl TakenBack {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "consent denied",
            Self::AudioDeleted => "audio deleted",
            Self::Gone => "transcript deleted",
        }
    }
}

/// Says whether people took a meeting's sound back, as Reflector's rows say now.
pub type AskConsent =
    Arc<dyn Fn(Subject) -> BoxFuture<'static, anyhow::Result<Option<TakenBack>>> + Send + Sync>;

/// An object of Reflector's bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lies {
    /// Bytes.
    pub size: u64,
    /// Changes with the content.
    pub etag: Option<String>,
}

/// Looks for an object by its key; none where there is none.
pub type Look =
    Arc<dyn Fn(String) -> BoxFuture<'static, anyhow::Result<Option<Lies>>> + Send + Sync>;

/// Bytes as they come.
pub type Bytes = BoxStream<'static, std::io::Result<Vec<u8>>>;

/// Reads these bytes of a mix, the last included.
pub type ReadMix =
    Arc<dyn Fn(Mix, (u64, u64)) -> BoxFuture<'static, anyhow::Result<Bytes>> + Send + Sync>;

/// The sound of one environment's runs.
#[derive(Clone)]
pub struct Sound {
    /// The environment; others keep their sound elsewhere.
    pub environment: EnvironmentName,
    /// Our database.
    pub store: Store,
    /// Who knows whether sound was taken back; where nobody does, what was known when the run began
    /// counts.
    pub consent: Option<AskConsent>,
    /// Looks for objects.
    pub look: Look,
    /// Reads them.
    pub read: ReadMix,
    /// How long Reflector and the store may take to answer.
    pub patience: Duration,
}

/// A mix that is there and may be heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Where it lies in Reflector's bucket.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Changes with the content.
    pub etag: Option<String>,
}

/// Why there is nothing to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    /// There is no such run.
    NoRun,
    /// It is another environment's.
    Elsewhere(EnvironmentName),
    /// It may not be heard.
    TakenBack(TakenBack),
    /// Nothing runs beside a live run, or the control was taken without its sound.
    NoControl,
    /// Nothing lies at its place.
    Missing,
    /// What lies at its place is another mix.
    Replaced,
    /// It cannot be told now: who does not answer.
    Unknown(&'static str),
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRun => f.write_str("there is no such run"),
            Self::Elsewhere(name) => write!(
                f,
                "the run is of the environment `{name}`, whose own server has its sound"
            ),
            Self::TakenBack(why) => write!(
                f,
                "the sound of this meeting was taken back: {}",
                why.as_str()
            ),
            Self::NoControl => f.write_str("there is no control whose sound is kept"),
            Self::Missing => {
                f.write_str("the mix is not in the object store: it was deleted, or never made")
            }
            Self::Replaced => {
                f.write_str("what lies where the control's mix was is another by now")
            }
            Self::Unknown(who) => write!(
                f,
                "{who} does not answer, so the sound cannot be given now; try again"
            ),
        }
    }
}

const REFLECTOR: &str = "Reflector's database, which knows who consents,";
const OBJECTS: &str = "the object store";

impl Sound {
    /// The mix of one side of a run.
    ///
    /// # Errors
    ///
    /// Our own database does not answer.
    pub async fn mix(&self, id: &RunId, of: Pipeline) -> anyhow::Result<Result<Mix, Silence>> {
        let Some(run) = self.store.run(id).await? else {
            return Ok(Err(Silence::NoRun));
        };
        match self.may_be_heard(&run).await? {
            Ok(()) => self.find(&run, of).await,
            Err(silence) => Ok(Err(silence)),
        }
    }

    /// The mixes of control and candidate.
    ///
    /// # Errors
    ///
    /// Our own database does not answer.
    pub async fn mixes(&self, id: &RunId) -> anyhow::Result<[Result<Mix, Silence>; 2]> {
        let Some(run) = self.store.run(id).await? else {
            return Ok([Err(Silence::NoRun), Err(Silence::NoRun)]);
        };
        if let Err(silence) = self.may_be_heard(&run).await? {
            return Ok([Err(silence.clone()), Err(silence)]);
        }
        let control = self.find(&run, Pipeline::Control).await?;
        Ok([control, self.find(&run, Pipeline::Candidate).await?])
    }

    /// These bytes of a mix, the last included.
    pub async fn bytes(&self, mix: &Mix, part: (u64, u64)) -> Result<Bytes, Silence> {
        self.soon(OBJECTS, (self.read)(mix.clone(), part)).await
    }

    /// Whether nobody took the sound back: by what was known when the run began, by what it found
    /// itself, and by what Reflector says now.
    async fn may_be_heard(&self, run: &Run) -> anyhow::Result<Result<(), Silence>> {
        if run.environment != self.environment {
            return Ok(Err(Silence::Elsewhere(run.environment.clone())));
        }
        let denied = run.subject.consents.iter().any(|one| !one.consent_given);
        if denied || run.withdrawn_at.is_some() {
            return Ok(Err(Silence::TakenBack(TakenBack::Denied)));
        }
        let Some(consent) = &self.consent else {
            return Ok(Ok(()));
        };
        let asked = self.soon(REFLECTOR, consent(run.subject.clone())).await;
        Ok(match asked {
            Ok(None) => Ok(()),
            // A recording that was only ever played from a folder is in no row.
            Ok(Some(TakenBack::Gone)) if !self.is_of_rows(run).await? => Ok(()),
            Ok(Some(why)) => Err(Silence::TakenBack(why)),
            Err(silence) => Err(silence),
        })
    }

    async fn is_of_rows(&self, run: &Run) -> anyhow::Result<bool> {
        let Some(id) = run.control_id.as_ref().filter(|_| run.epoch.is_none()) else {
            return Ok(true);
        };
        let control = self.store.control(id).await?;
        Ok(control.is_none_or(|control| control.source.starts_with(FROM_ROWS)))
    }

    async fn find(&self, run: &Run, of: Pipeline) -> anyhow::Result<Result<Mix, Silence>> {
        let live_key = format!("{}/audio.mp3", run.transcript_id);
        let (key, size) = match (of, run.epoch, &run.control_id) {
            (Pipeline::Candidate, None, _) => (Isolation::of(&run.id).key(&live_key), None),
            (Pipeline::Candidate, Some(_), _) => (Isolation::of_live(&run.id).key(&live_key), None),
            (Pipeline::Control, None, Some(control)) => {
                let Some(control) = self.store.control(control).await? else {
                    return Ok(Err(Silence::NoControl));
                };
                let outcome = control.outcome;
                if outcome.audio_deleted {
                    return Ok(Err(Silence::TakenBack(TakenBack::AudioDeleted)));
                }
                // A mirror is removed with all it made.
                if control.source == FROM_MIRROR {
                    return Ok(Err(Silence::NoControl));
                }
                let mut objects = outcome.objects.iter();
                let told = objects.find(|object| object.key == live_key);
                (live_key.as_str().into(), told.map(|object| object.size))
            }
            (Pipeline::Control, _, _) => return Ok(Err(Silence::NoControl)),
        };
        let key = key.to_string();
        Ok(match self.soon(OBJECTS, (self.look)(key.clone())).await {
            Ok(Some(lies)) if size.is_some_and(|size| size != lies.size) => Err(Silence::Replaced),
            Ok(Some(lies)) if lies.size > 0 => Ok(Mix {
                key,
                size: lies.size,
                etag: lies.etag,
            }),
            Ok(_) => Err(Silence::Missing),
            Err(silence) => Err(silence),
        })
    }

    async fn soon<T>(
        &self,
        who: &'static str,
        asked: BoxFuture<'static, anyhow::Result<T>>,
    ) -> Result<T, Silence> {
        match tokio::time::timeout(self.patience, asked).await {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(error)) => {
                warn!("cannot give the sound of a run: {error:#}");
                Err(Silence::Unknown(who))
            }
            Err(_) => {
                let seconds = self.patience.as_secs_f64();
                warn!("cannot give the sound of a run: {who} does not answer within {seconds} s");
                Err(Silence::Unknown(who))
            }
        }
    }
}
