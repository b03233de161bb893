//! The lines that make up what is told of recordings.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    controller::control::{FROM_CANDIDATE, FROM_MIRROR, FROM_ROWS, FROM_ROWS_AND_MESSAGES},
    model::{EnvironmentName, FlagName, Origin, RecordingId, RunId, RunState, TranscriptId},
    store::{AllOf, ControlHead, ListedRecording, Mirror, MirrorOutcome, RouteRow, Run, Serves},
};

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RecordingLine {
    /// What its page is asked for by: the recording's id, or the transcript's where that is not known.
    pub id: String,
    /// The recording, where Reflector told it in time.
    pub recording_id: Option<RecordingId>,
    /// The transcript.
    pub transcript_id: TranscriptId,
    /// 1, or higher where it was wanted again.
    pub generation: i64,
    /// Where.
    pub environment: EnvironmentName,
    /// For which migration.
    pub flag: FlagName,
    /// `control`, `beside`, `candidate` or `unrouted`: who serves, and who runs beside.
    pub pipeline: &'static str,
    /// Why it was routed so, for people; empty where no route led to the run.
    pub reason: String,
    /// The way it came: `tap`, `http` or `cli`; none where no route led to the run.
    pub way: Option<&'static str>,
    /// `offered`, `open` or `over`; none where no route led to the run.
    pub route_state: Option<&'static str>,
    /// The phase it came in.
    pub phase: String,
    /// The candidate's run.
    pub run_id: Option<RunId>,
    /// How far that is, or `no_run`.
    pub state: &'static str,
    /// What it was made for.
    pub origin: Option<Origin>,
    /// What comparing it with its control came to, since it ended.
    pub verdict: Option<String>,
    /// It has ended and is still to be compared.
    pub awaits_verdict: bool,
    /// When it came, or was dispatched where no route led to the run.
    pub started_at: DateTime<Utc>,
    /// How long the candidate's run took, or else whoever served; none before the end.
    pub took_ms: Option<i64>,
}

/// Who serves one generation of a transcript, and why.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RouteLine {
    /// Where.
    pub environment: EnvironmentName,
    /// For which migration.
    pub flag: FlagName,
    /// The transcript.
    pub transcript_id: TranscriptId,
    /// 1, or higher where it was wanted again.
    pub generation: i64,
    /// `control`, `beside` or `candidate`.
    pub pipeline: &'static str,
    /// Why, for people.
    pub reason: String,
    /// The phase it came in.
    pub phase: &'static str,
    /// Its percentage, in steps of 0.01 %.
    pub percent_hundredths: u16,
    /// The bucket it went by.
    pub bucket: Option<u16>,
    /// The way it came.
    pub way: &'static str,
    /// The Celery task of the first request.
    pub task_id: String,
    /// `offered`, `open` or `over`.
    pub state: &'static str,
    /// When it came.
    pub arrived_at: DateTime<Utc>,
    /// Since when the candidate alone has the task.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// When whoever serves was done.
    pub over_at: Option<DateTime<Utc>>,
    /// The candidate's run.
    pub run_id: Option<RunId>,
    /// What the control made.
    pub control_id: Option<String>,
}

/// A run of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RunLine {
    /// Its id.
    pub run_id: RunId,
    /// Where.
    pub environment: EnvironmentName,
    /// For which migration.
    pub flag: FlagName,
    /// 1, or higher where the recording is run again.
    pub generation: i64,
    /// The phase it was dispatched in.
    pub phase: String,
    /// Whether it serves the recording's users.
    pub is_live: bool,
    /// What it was made for.
    pub origin: Origin,
    /// How far it is.
    pub state: RunState,
    /// When it was dispatched.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// From one to the other.
    pub took_ms: Option<i64>,
    /// What comparing it with its control came to, since it ended.
    pub verdict: Option<String>,
    /// It has ended and is still to be compared.
    pub awaits_verdict: bool,
    /// Step, attempt and cause of a failure.
    pub failure: Option<String>,
}

/// What the legacy pipeline made, without what that is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ControlLine {
    /// Its id.
    pub control_id: String,
    /// Where it was taken from.
    pub source: &'static str,
    /// When.
    pub taken_at: DateTime<Utc>,
}

/// A second run of the legacy pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MirrorLine {
    /// Its own transcript, which is removed when it has been compared.
    pub transcript_id: TranscriptId,
    /// Where.
    pub environment: EnvironmentName,
    /// The live run it stands beside; none where it measures how far the control differs from itself.
    pub reverse_of: Option<RunId>,
    /// How far it is.
    pub state: &'static str,
    /// What came of it.
    pub outcome: Option<&'static str>,
    /// The verdict on the original against it.
    pub verdict: Option<String>,
    /// Why it came to nothing.
    pub reason: Option<String>,
    /// When it was planned.
    pub started_at: DateTime<Utc>,
    /// When it last got further.
    pub changed_at: DateTime<Utc>,
}

/// Something that happened to a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Moment {
    /// When.
    pub at: DateTime<Utc>,
    /// Where.
    pub environment: EnvironmentName,
    /// What, for people.
    pub what: String,
    /// The run it is about.
    pub run_id: Option<RunId>,
}

/// How long something took, once it has ended.
fn took(from: DateTime<Utc>, to: Option<DateTime<Utc>>) -> Option<i64> {
    to.map(|to| (to - from).num_milliseconds())
}

impl RecordingLine {
    pub(super) fn of(listed: ListedRecording) -> Self {
        let id = match &listed.recording_id {
            Some(recording) => recording.to_string(),
            None => listed.transcript_id.to_string(),
        };
        let run = listed.run.as_ref();
        let of_run = run.and_then(|run| took(run.started_at, run.finished_at));
        Self {
            id,
            pipeline: listed.serves.as_str(),
            way: listed.way.map(crate::store::Way::as_str),
            route_state: listed.route_state.map(crate::store::RouteState::as_str),
            run_id: run.map(|run| run.id.clone()),
            state: run.map_or("no_run", |run| run.state.as_str()),
            origin: run.map(|run| run.origin),
            verdict: run.and_then(|run| run.verdict.clone()),
            awaits_verdict: run.is_some_and(|run| {
                run.state.is_compared() && run.has_control && run.verdict.is_none()
            }),
            took_ms: match run {
                Some(_) => of_run,
                None => took(listed.at, listed.over_at),
            },
            started_at: listed.at,
            recording_id: listed.recording_id,
            transcript_id: listed.transcript_id,
            generation: listed.generation,
            environment: listed.environment,
            flag: listed.flag,
            reason: listed.reason,
            phase: listed.phase,
        }
    }
}

impl RouteLine {
    pub(super) fn of(route: &RouteRow) -> Self {
        Self {
            environment: route.environment.clone(),
            flag: route.flag.clone(),
            transcript_id: route.transcript_id.clone(),
            generation: route.generation,
            pipeline: Serves::of(route.owner, route.beside).as_str(),
            reason: route.reason.clone(),
            phase: route.phase.as_str(),
            percent_hundredths: route.percent.hundredths(),
            bucket: route.bucket,
            way: route.way.as_str(),
            task_id: route.task_id.clone(),
            state: route.state.as_str(),
            arrived_at: route.arrived_at,
            confirmed_at: route.confirmed_at,
            over_at: route.over_at,
            run_id: route.run_id.clone(),
            control_id: route.control_id.clone(),
        }
    }
}

impl RunLine {
    pub(super) fn of(run: &Run) -> Self {
        Self {
            run_id: run.id.clone(),
            environment: run.environment.clone(),
            flag: run.flag.clone(),
            generation: run.generation,
            phase: run.phase.clone(),
            is_live: run.is_live(),
            origin: run.origin,
            state: run.state,
            started_at: run.started_at,
            finished_at: run.finished_at,
            took_ms: took(run.started_at, run.finished_at),
            verdict: run.verdict.clone(),
            awaits_verdict: run.awaits_verdict(),
            failure: run.failure.clone(),
        }
    }
}

impl ControlLine {
    pub(super) fn of(control: ControlHead) -> Self {
        let known = [
            FROM_ROWS,
            FROM_ROWS_AND_MESSAGES,
            FROM_MIRROR,
            FROM_CANDIDATE,
        ];
        let source = known.into_iter().find(|source| *source == control.source);
        Self {
            control_id: control.id,
            // Others are folders of whoever dispatched it.
            source: source.unwrap_or("a recorded outcome"),
            taken_at: control.taken_at,
        }
    }
}

impl MirrorLine {
    pub(super) fn of(mirror: &Mirror) -> Self {
        Self {
            transcript_id: mirror.transcript.clone(),
            environment: mirror.environment.clone(),
            reverse_of: mirror.reverse_of.clone(),
            state: mirror.state.as_str(),
            outcome: mirror.outcome.map(MirrorOutcome::as_str),
            verdict: mirror.verdict.clone(),
            reason: mirror.reason.clone(),
            started_at: mirror.started_at,
            changed_at: mirror.changed_at,
        }
    }
}

/// What happened to a recording, in order.
pub(super) fn times(all: &AllOf) -> Vec<Moment> {
    let mut times = Vec::new();
    for route in &all.routes {
        let serves = match Serves::of(route.owner, route.beside) {
            Serves::Control => "the control serves",
            Serves::Beside => "the control serves, the candidate runs beside",
            Serves::Candidate => "the candidate serves",
            Serves::Unrouted => "nobody was asked",
        };
        let mut note = |at: Option<DateTime<Utc>>, what: &str| {
            times.extend(at.map(|at| Moment {
                at,
                environment: route.environment.clone(),
                what: what.to_owned(),
                run_id: None,
            }));
        };
        note(Some(route.arrived_at), &format!("Arrived: {serves}"));
        note(route.confirmed_at, "The candidate alone has the task");
        note(route.over_at, "Whoever serves was done");
    }
    for run in &all.runs {
        let mut note = |at: Option<DateTime<Utc>>, what: String| {
            times.extend(at.map(|at| Moment {
                at,
                environment: run.environment.clone(),
                what,
                run_id: Some(run.id.clone()),
            }));
        };
        let kind = if run.is_live() { "live" } else { "shadow" };
        note(Some(run.started_at), format!("A {kind} run was dispatched"));
        let first = run.failed_at.filter(|at| Some(*at) != run.finished_at);
        note(first, "The run ended without a result first".to_owned());
        note(run.withdrawn_at, "Its source was found removed".to_owned());
        note(
            run.finished_at,
            format!("The run ended: {}", run.state.as_str()),
        );
    }
    for mirror in &all.mirrors {
        times.push(Moment {
            at: mirror.started_at,
            environment: mirror.environment.clone(),
            what: "A mirror was planned".to_owned(),
            run_id: mirror.reverse_of.clone(),
        });
    }
    times.sort_by_key(|moment| moment.at);
    times
}
