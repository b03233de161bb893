//! Everything a task may touch: the services, its own run, and where it leaves what it made.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Processors, Prompts, TaskError, asking::Asking};
use crate::{
    contract::events::RunEvent,
    gateway::{Gateway, Withdrawal},
    model::{HttpRequest, ObjectKey, Origin, OutcomeStatus, Subject, Timing, Usage, digest},
    objects::{self, ErrorKind, Objects},
    providers::{self, Answer, ChatRequest, Daily, Llm, Transcript, Transcription},
    rollout::{Isolation, Live},
    store::{Intent, IntentKind, Output, Run, Store},
};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// What all tasks of a process share.
pub struct Services {
    /// Our database.
    pub store: Store,
    /// Recordings and results.
    pub objects: Objects,
    /// Daily.
    pub daily: Daily,
    /// The transcription service.
    pub transcription: Transcription,
    /// The language model.
    pub llm: Llm,
    /// Both through our proxy, for shadow runs that may get what the control was answered.
    pub shared: Option<Shared>,
    /// The prompts.
    pub prompts: Prompts,
    /// Numbers and names a task needs.
    pub tuning: Tuning,
    /// The processors audio work may keep busy.
    pub processors: Processors,
    /// Carries out the effects of live runs, and reads what Reflector says now; none where the
    /// settings do not say where Reflector is.
    pub gateway: Option<Gateway>,
    /// The time.
    pub clock: Clock,
}

/// Services as they are reached through our proxy.
pub struct Shared {
    /// The transcription service.
    pub transcription: Transcription,
    /// The language model.
    pub llm: Llm,
}

/// Numbers and names a task needs.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Reflector's own bucket.
    pub bucket: String,
    /// Tokens the language model can take.
    pub context_window: usize,
    /// How often a malformed structured answer is asked for again.
    pub parse_retries: u32,
    /// A topic needs more characters than this.
    pub min_transcript_length: usize,
    /// Bits per second of the mix.
    pub mp3_bitrate: u32,
    /// Whose rule decides where tracks lie.
    pub audio_timing: Timing,
    /// Zulip's host name.
    pub zulip_realm: Option<String>,
}

/// Which attempt of which task this is.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The engine's id of the attempt.
    pub task_id: String,
    /// The engine's id of the workflow.
    pub workflow_id: String,
    /// The task's reference name in the workflow.
    pub task_ref: String,
    /// 1 is the first.
    pub attempt: u32,
    /// How many there may be.
    pub attempts: u32,
}

impl Assignment {
    /// Whether nobody will try again.
    pub const fn is_last(&self) -> bool {
        self.attempt >= self.attempts
    }

    /// Step and attempt, for people.
    pub fn title(&self) -> String {
        format!(
            "{}, attempt {} of {}",
            self.task_ref, self.attempt, self.attempts
        )
    }
}

/// Everything one attempt of a task may touch.
pub struct Context {
    /// What all tasks share.
    pub services: Arc<Services>,
    /// The run it belongs to.
    pub run: Run,
    /// Which attempt of which task this is.
    pub assignment: Assignment,
    asking: Arc<Asking>,
    /// What lets the run act; none for a shadow run.
    pub live: Option<Live>,
    isolation: Isolation,
    /// Stands for what the run's other tasks left, where a task is run on what the control made.
    pinned: Option<BTreeMap<String, Output>>,
    intents: Mutex<Vec<Intent>>,
    usage: Mutex<Vec<Usage>>,
}

impl Context {
    /// The context of one attempt.
    pub(super) fn new(
        services: Arc<Services>,
        asking: Arc<Asking>,
        run: Run,
        assignment: Assignment,
        live: Option<Live>,
    ) -> Self {
        Self {
            isolation: match &live {
                Some(_) => Isolation::of_live(&run.id),
                None => Isolation::of(&run.id),
            },
            live,
            pinned: None,
            services,
            run,
            assignment,
            asking,
            intents: Mutex::default(),
            usage: Mutex::default(),
        }
    }

    /// The context of a task of a shadow run that finds these checkpoints, and none of the run's own.
    pub(super) fn pinned(
        services: Arc<Services>,
        asking: Arc<Asking>,
        run: Run,
        assignment: Assignment,
        checkpoints: Vec<Output>,
    ) -> Self {
        let checkpoints = checkpoints.into_iter();
        Self {
            pinned: Some(
                checkpoints
                    .map(|output| (output.task_ref.clone(), output))
                    .collect(),
            ),
            ..Self::new(services, asking, run, assignment, None)
        }
    }

    /// The services through our proxy, where this run may share answers. A live run never does: it
    /// serves users, and depends on nothing that it can do without.
    fn shared(&self) -> Option<&Shared> {
        self.services
            .shared
            .as_ref()
            .filter(|_| self.live.is_none())
    }

    /// Asks the language model. Where our proxy is not there, the model itself.
    pub async fn chat(&self, request: &ChatRequest) -> Result<Answer, providers::Error> {
        let session = self.run.id.as_str();
        if let Some(shared) = self.shared() {
            match shared.llm.chat(request, session).await {
                Err(error) if error.is_not_connected() => self.told_of_proxy(&error),
                answer => return answer,
            }
        }
        self.services.llm.chat(request, session).await
    }

    /// Has a track transcribed, likewise.
    pub async fn transcribe(
        &self,
        audio_url: &str,
        language: &str,
    ) -> Result<Transcript, providers::Error> {
        let run = self.run.id.as_str();
        if let Some(shared) = self.shared() {
            let asked = shared.transcription.transcribe(audio_url, language, run);
            match asked.await {
                Err(error) if error.is_not_connected() => self.told_of_proxy(&error),
                transcript => return transcript,
            }
        }
        let service = &self.services.transcription;
        service.transcribe(audio_url, language, run).await
    }

    fn told_of_proxy(&self, error: &providers::Error) {
        tracing::warn!(run.id = %self.run.id, "the proxy for shared answers (`sharing.listen`) is not there, asking the service itself: {error}");
    }

    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        (self.services.clock)()
    }

    /// The run's own place for what a live run writes at `live_key`.
    pub fn key(&self, live_key: &str) -> ObjectKey {
        self.isolation.key(live_key)
    }

    /// Where a live run would keep the mix.
    pub fn live_audio_key(&self) -> String {
        format!("{}/audio.mp3", self.run.transcript_id)
    }

    /// Where a live run would keep a padded track.
    pub fn live_padded_key(&self, track_index: u32, extension: &str) -> String {
        format!(
            "file_pipeline/{}/tracks/padded_{track_index}.{extension}",
            self.run.transcript_id
        )
    }

    /// The live key behind one of the run's own keys.
    pub fn live_key<'a>(&self, key: &'a ObjectKey) -> Result<&'a str, TaskError> {
        self.isolation.live_key(key).ok_or_else(|| {
            TaskError::terminal(format!(
                "the key `{key}` lies outside this run's own prefix"
            ))
        })
    }

    /// Refuses keys that are not the run's own.
    pub fn own(&self, key: &ObjectKey) -> Result<(), TaskError> {
        self.live_key(key).map(drop)
    }

    /// The name under which other tasks find this task's document.
    pub fn reference(&self) -> String {
        self.assignment.task_ref.clone()
    }

    /// What another task of this run left.
    pub async fn checkpoint(&self, task_ref: &str) -> Result<Option<Output>, TaskError> {
        match &self.pinned {
            Some(pinned) => Ok(pinned.get(task_ref).cloned()),
            None => Ok(self.services.store.output(&self.run.id, task_ref).await?),
        }
    }

    /// The document another task of this run left in the store.
    pub async fn document<T: DeserializeOwned>(&self, task_ref: &str) -> Result<T, TaskError> {
        let document = self
            .checkpoint(task_ref)
            .await?
            .and_then(|output| output.document)
            .ok_or_else(|| missing(task_ref))?;
        serde_json::from_value(document).map_err(|error| unreadable(task_ref, &error))
    }

    /// What another task of this run reported.
    pub async fn output<T: DeserializeOwned>(&self, task_ref: &str) -> Result<T, TaskError> {
        let output = self.checkpoint(task_ref).await?;
        let output = output.ok_or_else(|| missing(task_ref))?.output;
        serde_json::from_value(output).map_err(|error| unreadable(task_ref, &error))
    }

    /// Notes what this attempt used.
    pub fn used(&self, usage: impl IntoIterator<Item = Usage>) {
        self.usage
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(usage);
    }

    /// Notes what a live run would show now.
    pub fn intend(&self, kind: IntentKind, target: impl Into<String>, content: impl Into<String>) {
        self.intents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Intent {
                kind,
                target: target.into(),
                content: content.into(),
            });
    }

    /// Notes something a shadow run tells of, and a live run does not do: it keeps its
    /// half-finished things to itself.
    pub fn intend_scratch(&self, kind: IntentKind, target: String, content: impl Into<String>) {
        if self.live.is_none() {
            self.intend(kind, target, content);
        }
    }

    /// What Reflector's rows say at this moment, where they can be asked. A shadow run goes on from
    /// what they said at dispatch, since the control has written to them; only the answers to
    /// the question of consent are always those of now.
    pub async fn subject_now(&self) -> Result<Subject, TaskError> {
        let then = self.run.subject.clone();
        if self.run.origin == Origin::Rehearsal {
            // Its meeting is nobody's, and no row says more of it.
            return Ok(then);
        }
        let now = match &self.services.gateway {
            Some(gateway) => gateway.subject_now(&then).await?,
            None => None,
        };
        Ok(match (now, &self.live) {
            (Some(now), Some(_)) => now,
            (Some(now), None) => Subject {
                consents: now.consents,
                ..then
            },
            (None, _) => then,
        })
    }

    /// What it means that sound of the recording cannot be read: where it is gone, consent may have
    /// been denied meanwhile, and the run is then marked as withdrawn. Where Reflector cannot be
    /// asked, or says nothing of the kind, it is a failure like any other.
    pub async fn unreadable_source(&self, error: objects::Error) -> TaskError {
        let Some(gateway) = &self.services.gateway else {
            return error.into();
        };
        if error.kind != ErrorKind::NotFound {
            return error.into();
        }
        match gateway.withdrawal(&self.run.subject).await {
            Ok(Some(Withdrawal::Denied | Withdrawal::AudioDeleted)) => {}
            Ok(Some(Withdrawal::Gone) | None) => return error.into(),
            Err(problem) => {
                tracing::warn!(run.id = %self.run.id, "cannot ask why the recording's sound is gone: {problem}");
                return error.into();
            }
        }
        let store = &self.services.store;
        match store.mark_withdrawn(&self.run.id, self.now()).await {
            Ok(()) => TaskError::terminal(OutcomeStatus::WITHDRAWN),
            Err(problem) => problem.into(),
        }
    }

    /// Notes a value a live run would write into the transcript's row.
    pub fn intend_column(&self, column: &str, value: impl Serialize) {
        let value = serde_json::to_string(&value).unwrap_or_else(|_| "null".to_owned());
        self.intend(IntentKind::Column, column, value);
    }

    /// Notes the messages a live run would send to browsers.
    pub fn intend_messages(&self, event: &RunEvent) {
        let user = self.run.subject.transcript.user_id.as_deref();
        for message in event.published(&self.run.transcript_id, user) {
            self.intend(IntentKind::Message, message.channel, message.payload);
        }
    }

    /// Notes an event a live run would store, and the messages it would send of it.
    pub fn intend_event(&self, event: &RunEvent) {
        let stored = event.event();
        self.intend(IntentKind::Event, stored.event, stored.data.to_string());
        self.intend_messages(event);
    }

    /// Notes a request a live run would send.
    pub fn intend_request(&self, kind: IntentKind, request: &HttpRequest) -> Result<(), TaskError> {
        let content = serde_json::to_string(request)
            .map_err(|error| TaskError::terminal(format!("cannot keep a request: {error}")))?;
        self.intend(kind, &request.url, content);
        Ok(())
    }

    /// Decides what a failed question means that the legacy does without an answer to: try again,
    /// or, after the last attempt and where trying cannot help, go on. Returns what to report then.
    pub fn go_on_without(&self, error: impl Into<TaskError>) -> Result<String, TaskError> {
        let error = error.into();
        if matches!(error, TaskError::Retry(_)) && !self.assignment.is_last() {
            return Err(error);
        }
        let told = format!("{}: {error}", self.assignment.title());
        tracing::warn!(run.id = %self.run.id, "going on without an answer: {told}");
        Ok(told)
    }

    /// What was intended, and empties the list.
    pub(super) fn take_intents(&self) -> Vec<Intent> {
        std::mem::take(&mut *self.intents.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was used, added up by kind and thing, and empties the list.
    pub(super) fn take_usage(&self) -> Vec<Usage> {
        let used = std::mem::take(&mut *self.usage.lock().unwrap_or_else(PoisonError::into_inner));
        let mut sums: BTreeMap<_, f64> = BTreeMap::new();
        for usage in used {
            *sums.entry((usage.kind, usage.of)).or_default() += usage.amount;
        }
        sums.into_iter()
            .map(|((kind, of), amount)| Usage { kind, of, amount })
            .collect()
    }

    /// The answer kept for the same question, or a new one, which is then kept. `kind` and
    /// `question` decide what is the same.
    pub async fn remember<T, F>(
        &self,
        kind: &str,
        question: &Value,
        ask: impl FnOnce() -> F + Send,
    ) -> Result<T, TaskError>
    where
        T: Serialize + DeserializeOwned + Send,
        F: Future<Output = Result<T, TaskError>> + Send,
    {
        self.remember_if(kind, question, |_| true, ask).await
    }

    /// The same, for answers that are not all worth keeping.
    pub async fn remember_if<T, F>(
        &self,
        kind: &str,
        question: &Value,
        is_worth_keeping: impl FnOnce(&T) -> bool + Send,
        ask: impl FnOnce() -> F + Send,
    ) -> Result<T, TaskError>
    where
        T: Serialize + DeserializeOwned + Send,
        F: Future<Output = Result<T, TaskError>> + Send,
    {
        let store = &self.services.store;
        let scope = &self.run.cache_scope;
        let hash = digest::of_json(question);
        let _turn = self.asking.turn(format!("{scope} {kind} {hash}")).await;
        if let Some(kept) = store.cached_answer(scope, kind, &hash).await?
            && let Ok(answer) = serde_json::from_value(kept)
        {
            return Ok(answer);
        }
        let answer = ask().await?;
        if !is_worth_keeping(&answer) {
            return Ok(answer);
        }
        let kept = serde_json::to_value(&answer)
            .map_err(|error| TaskError::terminal(format!("cannot keep an answer: {error}")))?;
        store
            .keep_answer(scope, kind, &hash, &kept, self.now())
            .await?;
        Ok(answer)
    }

    /// Forgets the answer kept for this question.
    pub async fn forget(&self, kind: &str, question: &Value) -> Result<(), TaskError> {
        let hash = digest::of_json(question);
        let scope = &self.run.cache_scope;
        Ok(self
            .services
            .store
            .forget_answer(scope, kind, &hash)
            .await?)
    }
}

fn missing(task_ref: &str) -> TaskError {
    TaskError::terminal(format!(
        "the result of `{task_ref}` is not in the store; start the run again"
    ))
}

fn unreadable(task_ref: &str, error: &serde_json::Error) -> TaskError {
    TaskError::terminal(format!(
        "the result of `{task_ref}` in the store cannot be read: {error}"
    ))
}
