//! Keeping what the control was answered, on the side: whoever is answered never waits for it, and what
//! cannot be kept is let go.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Notify, mpsc};
use tracing::{debug, warn};

use super::{
    Clock,
    control::Asked,
    cost,
    key::{About, Question, key},
    tee::Copy,
};
use crate::{
    model::{EnvironmentName, TranscriptId},
    store::{GivenAnswer, SharedAnswer, Store},
};

/// A request of the control's that was answered.
pub(super) struct Seen {
    pub(super) asked: Asked,
    pub(super) took: Duration,
    pub(super) answered_type: String,
    pub(super) answered_encoding: String,
    pub(super) answer: Arc<Copy>,
}

/// How many answers may wait to be written.
const WAITING: usize = 64;

/// How long writing one may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Hands answers to the task that keeps them.
#[derive(Clone)]
pub(super) struct Keeper(mpsc::Sender<Seen>);

impl Keeper {
    /// Starts the task, which ends with the last keeper.
    pub(super) fn start(
        environment: EnvironmentName,
        store: Store,
        kept: Arc<Notify>,
        clock: Clock,
    ) -> Self {
        let (offers, mut offered) = mpsc::channel::<Seen>(WAITING);
        tokio::spawn(async move {
            while let Some(seen) = offered.recv().await {
                let keeping = keep(seen, &environment, &store, &clock);
                match tokio::time::timeout(PATIENCE, keeping).await {
                    Ok(Ok(true)) => kept.notify_waiters(),
                    Ok(Ok(false)) => {}
                    Ok(Err(error)) => {
                        warn!("cannot keep an answer of the control's, letting it go: {error:#}");
                    }
                    Err(_) => warn!(
                        "cannot keep an answer of the control's, letting it go: the database does not answer"
                    ),
                }
            }
        });
        Self(offers)
    }

    /// Takes an answer, unless too many wait.
    pub(super) fn offer(&self, seen: Seen) {
        if self.0.try_send(seen).is_err() {
            warn!("cannot keep an answer of the control's, letting it go: too many wait");
        }
    }
}

/// Whether it was kept.
async fn keep(
    seen: Seen,
    environment: &EnvironmentName,
    store: &Store,
    clock: &Clock,
) -> anyhow::Result<bool> {
    let asked = seen.asked;
    let service = asked.service.as_str();
    let let_go = |why: &str| {
        debug!(service, "an answer of the control's is not kept: {why}");
        Ok(false)
    };
    if !matches!(seen.answered_encoding.as_str(), "" | "identity") {
        return let_go("it is compressed");
    }
    let key = asked.question.with_whole(|body| {
        key(&Question {
            service: asked.service,
            method: &asked.method,
            path: &asked.path,
            query: asked.query.as_deref(),
            content_type: &asked.content_type,
            body,
        })
    });
    let Some(key) = key else {
        return let_go("there was no room for its question, or it has no body");
    };
    let body = seen
        .answer
        .with_whole(|body| String::from_utf8(body.to_vec()).ok());
    let Some(body) = body.flatten().filter(|body| !body.contains('\0')) else {
        return let_go("there was no room for it, or it is no text");
    };
    let Some(transcript) = transcript(key.about, environment, store).await? else {
        return let_go("it does not say what transcript it is about");
    };
    let answer = SharedAnswer {
        environment: environment.clone(),
        service: asked.service,
        digest: key.digest,
        transcript,
        asked_at: asked.at,
        given: GivenAnswer {
            took_ms: i64::try_from(seen.took.as_millis()).unwrap_or(i64::MAX),
            cost: cost::of(asked.service, &body, seen.took),
            content_type: seen.answered_type,
            body,
        },
    };
    let id = format!("shr_{}", uuid::Uuid::new_v4().simple());
    store.keep_shared(&id, &answer, clock()).await?;
    Ok(true)
}

async fn transcript(
    about: About,
    environment: &EnvironmentName,
    store: &Store,
) -> anyhow::Result<Option<TranscriptId>> {
    match about {
        About::Transcript(transcript) => Ok(Some(transcript)),
        About::Task(task) => store.transcript_of_task(environment, &task).await,
        About::Unknown => Ok(None),
    }
}
