//! Makes a trace of what is known.

use chrono::{DateTime, Utc};

use crate::model::RecordingId;

use super::{
    Arrived, Attempted, Compared, Control, Effected, Event, Material, Of, Ran, Routed, Span,
    SpanId, Status, Trace, TraceId, Value,
};

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Truth(truth)
    }
}

/// Says of a span that nobody sees what it is of.
const SHADOW: &str = "shadow";

impl Trace {
    /// The whole trace.
    pub fn of(material: &Material) -> Self {
        let id = material.id();
        let root = id.span("recording", "");
        let mut spans = Vec::new();
        if let Some(routed) = &material.routed {
            spans.extend(routed.arrivals.iter().map(|one| arrival(id, root, one)));
            spans.push(decision(id, root, routed));
        }
        if let Some(control) = control(material, id, root) {
            spans.push(control);
        }
        if let Some(run) = &material.run {
            spans.extend(candidate(id, root, run));
            spans.extend(
                run.comparisons
                    .iter()
                    .map(|one| comparison(id, root, run, one)),
            );
        }
        spans.insert(0, whole(material, root, &spans));
        Self { id, spans }
    }

    /// What is left when all spans but these comparisons were told before.
    #[must_use]
    pub fn only_comparisons(mut self, comparisons: &[String]) -> Self {
        let wanted: Vec<SpanId> = comparisons
            .iter()
            .map(|comparison| self.id.span("comparison", comparison))
            .collect();
        self.spans.retain(|span| wanted.contains(&span.id));
        self
    }
}

impl Material {
    /// The id of its trace.
    pub fn id(&self) -> TraceId {
        let of = match (&self.routed, &self.run) {
            (None, Some(run)) => Of::Run(&run.id),
            (routed, _) => {
                let generation = routed.as_ref().map_or(1, |routed| routed.generation);
                Of::Route(&self.transcript, generation)
            }
        };
        TraceId::of(&self.environment, &self.flag, of)
    }
}

/// A span that is not judged, and never ends before it begins.
fn span(
    id: SpanId,
    parent: SpanId,
    name: &str,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
) -> Span {
    Span {
        id,
        parent: Some(parent),
        name: name.to_owned(),
        start,
        end: end.max(start),
        attributes: Vec::new(),
        events: Vec::new(),
        status: Status::Unset,
    }
}

impl Span {
    fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    fn with_if(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn ended(mut self, status: Status) -> Self {
        self.status = status;
        self
    }
}

fn whole(material: &Material, root: SpanId, parts: &[Span]) -> Span {
    let begins = parts.iter().map(|part| part.start).min();
    let ends = parts.iter().map(|part| part.end).max();
    let begins = begins.unwrap_or_default();
    let run = material.run.as_ref();
    let routed = material.routed.as_ref();
    let mut whole = span(root, root, "recording", (begins, ends.unwrap_or(begins)))
        .with("switchyard.flag", material.flag.as_str())
        .with("transcript.id", material.transcript.as_str())
        .with_if(
            "recording.id",
            material.recording.as_ref().map(RecordingId::as_str),
        )
        .with_if("run.id", run.map(|run| run.id.as_str()))
        .with_if("route.owner", routed.map(|routed| routed.owner))
        .with_if("route.beside", routed.map(|routed| routed.beside))
        .with(SHADOW, run.is_some_and(|run| run.is_shadow));
    whole.parent = None;
    whole
}

fn arrival(trace: TraceId, root: SpanId, arrived: &Arrived) -> Span {
    let id = trace.span("arrival", &arrived.task_id);
    span(id, root, "arrival", (arrived.at, arrived.at))
        .with("arrival.way", arrived.way.as_str())
        .with("celery.task_id", arrived.task_id.as_str())
}

fn decision(trace: TraceId, root: SpanId, routed: &Routed) -> Span {
    let id = trace.span("route", "");
    span(id, root, "route", (routed.at, routed.at))
        .with("route.owner", routed.owner)
        .with("route.beside", routed.beside)
        .with("route.phase", routed.phase.as_str())
        .with("route.percent", routed.percent.as_str())
        .with_if("route.bucket", routed.bucket)
        .with("route.generation", routed.generation)
        .with("route.reason", routed.reason.as_str())
}

/// The control from the arrival to its end, where it serves; where only its result is known, the
/// moment we took that.
fn control(material: &Material, trace: TraceId, root: SpanId) -> Option<Span> {
    let serves = material
        .routed
        .as_ref()
        .filter(|routed| routed.owner == "control");
    let taken = material.control.as_ref();
    let (start, end) = match (serves, taken) {
        (Some(routed), _) => (routed.at, routed.over_at.unwrap_or(routed.at)),
        (None, Some(control)) => (control.taken_at, control.taken_at),
        (None, None) => return None,
    };
    let status = match (taken, serves.and_then(|routed| routed.over_at)) {
        (Some(control), _) => ended_well(control),
        (None, _) => Status::Unset,
    };
    let control = span(trace.span("control", ""), root, "control", (start, end))
        .with("pipeline", "control")
        .with_if("control.id", taken.map(|control| control.id.as_str()))
        .with_if(
            "control.steps_ms",
            taken.and_then(|control| control.steps_ms),
        )
        .ended(status);
    Some(control)
}

fn ended_well(control: &Control) -> Status {
    match (&control.failure, control.is_well) {
        (_, true) => Status::Ok,
        (failure, false) => {
            Status::Failed(failure.clone().unwrap_or_else(|| "it failed".to_owned()))
        }
    }
}

/// The run, its steps in the order they began, and the attempts at each.
fn candidate(trace: TraceId, root: SpanId, run: &Ran) -> Vec<Span> {
    let id = trace.span("candidate", run.id.as_str());
    let attempts = run.attempts.iter();
    let last = attempts
        .map(|one| one.finished_at.unwrap_or(one.started_at))
        .max();
    let end = run.finished_at.or(last).unwrap_or(run.started_at);
    let status = match (run.state, &run.failure) {
        ("completed", _) => Status::Ok,
        ("starting" | "running", _) => Status::Unset,
        (state, None) => Status::Failed(format!("it was {state}")),
        (_, Some(failure)) => Status::Failed(failure.clone()),
    };
    let mut whole = span(id, root, "candidate", (run.started_at, end))
        .with("pipeline", "candidate")
        .with("run.id", run.id.as_str())
        .with("run.generation", run.generation)
        .with("run.origin", run.origin)
        .with("run.state", run.state)
        .with_if("workflow.id", run.workflow.as_deref())
        .with(SHADOW, run.is_shadow)
        .ended(status);
    whole.events = run.effects.iter().map(effect).collect();
    let mut spans = vec![whole];
    let mut steps: Vec<&str> = Vec::new();
    for attempt in &run.attempts {
        if !steps.contains(&attempt.task_ref.as_str()) {
            steps.push(&attempt.task_ref);
        }
    }
    for step in steps {
        let attempts = run.attempts.iter().filter(|one| one.task_ref == step);
        let attempts: Vec<&Attempted> = attempts.collect();
        spans.extend(self::step(trace, id, (run, end), step, &attempts));
    }
    spans
}

fn effect(effected: &Effected) -> Event {
    Event {
        name: "effect",
        at: effected.at,
        attributes: vec![
            ("effect.kind", effected.kind.as_str().into()),
            ("effect.state", effected.state.as_str().into()),
            ("task.reference", effected.task_ref.as_str().into()),
        ],
    }
}

fn step(
    trace: TraceId,
    parent: SpanId,
    (run, run_end): (&Ran, DateTime<Utc>),
    task_ref: &str,
    attempts: &[&Attempted],
) -> Vec<Span> {
    let Some((first, last)) = attempts.first().zip(attempts.last()) else {
        return Vec::new();
    };
    let id = trace.span("step", &format!("{}\0{task_ref}", run.id));
    let end_of = |attempt: &Attempted| {
        let end = attempt.finished_at.unwrap_or(run_end);
        end.max(attempt.started_at)
    };
    let ends = attempts.iter().map(|one| end_of(one)).max();
    let times = (first.started_at, ends.unwrap_or(first.started_at));
    let count = i64::try_from(attempts.len()).unwrap_or(i64::MAX);
    let whole = span(id, parent, &first.task, times)
        .with("task.kind", first.task.as_str())
        .with("task.reference", task_ref)
        .with("task.attempts", count)
        .with("run.id", run.id.as_str())
        .with(SHADOW, run.is_shadow)
        .ended(came_to(last));
    let mut spans = vec![whole];
    for one in attempts {
        let times = (one.started_at, end_of(one));
        let attempt = span(trace.span("attempt", &one.task_id), id, "attempt", times)
            .with("task.kind", one.task.as_str())
            .with("task.reference", task_ref)
            .with("task.id", one.task_id.as_str())
            .with("task.attempt", one.number)
            .with("worker.id", one.worker.as_str())
            .with("run.id", run.id.as_str())
            .with(SHADOW, run.is_shadow)
            .ended(came_to(one));
        spans.push(attempt);
    }
    spans
}

fn came_to(attempt: &Attempted) -> Status {
    match attempt.status.as_str() {
        "completed" => Status::Ok,
        "running" => Status::Unset,
        status => Status::Failed(attempt.cause.clone().unwrap_or_else(|| status.to_owned())),
    }
}

fn comparison(trace: TraceId, root: SpanId, run: &Ran, compared: &Compared) -> Span {
    let id = trace.span("comparison", &compared.id);
    span(id, root, "comparison", (compared.at, compared.at))
        .with("comparison.id", compared.id.as_str())
        .with("comparison.verdict", compared.verdict.as_str())
        .with("comparison.policy", compared.policy.as_str())
        .with("run.id", run.id.as_str())
        .with(SHADOW, run.is_shadow)
}
