//! Recordings as people and programs are told of them: the list, and everything there is of one.
//!
//! Who was there, in which room and what was said is in none of it: ids, states, times and reasons are.

mod lines;

use schemars::JsonSchema;
use serde::Serialize;

use super::super::Shadow;
use crate::{
    access::Reach,
    model::RecordingId,
    store::{Place, Sought},
};

pub use lines::{ControlLine, MirrorLine, Moment, RecordingLine, RouteLine, RunLine};

/// A page of the list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordingPage {
    /// The newest first.
    pub recordings: Vec<RecordingLine>,
    /// What the next page is asked for with, as `before`; none where this is the last.
    pub next: Option<String>,
}

/// Everything there is of one recording.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RecordingDetail {
    /// The id it was asked for by: the recording's or its transcript's.
    pub id: String,
    /// The recording, where Reflector told it.
    pub recording_id: Option<RecordingId>,
    /// Who serves each generation, and why; the newest first.
    pub routes: Vec<RouteLine>,
    /// The candidate's runs, the newest first.
    pub runs: Vec<RunLine>,
    /// What the legacy pipeline made, the newest first.
    pub controls: Vec<ControlLine>,
    /// Second runs of the legacy pipeline, the newest first.
    pub mirrors: Vec<MirrorLine>,
    /// What happened, in order.
    pub times: Vec<Moment>,
}

impl Shadow {
    /// A page of recordings: so many at most, from the newest on or behind a place.
    pub async fn recordings(
        &self,
        sought: &Sought,
        before: Option<&Place>,
        at_most: usize,
    ) -> anyhow::Result<RecordingPage> {
        // One more says whether there is another page.
        let mut found = self.store.recordings(sought, before, at_most + 1).await?;
        let has_more = found.len() > at_most;
        found.truncate(at_most);
        let last = found.last().filter(|_| has_more);
        Ok(RecordingPage {
            next: last.map(|line| line.place.to_text()),
            recordings: found.into_iter().map(RecordingLine::of).collect(),
        })
    }

    /// Everything there is of a recording in these environments, by its own id or its transcript's; none
    /// where there is nothing.
    pub async fn recording(
        &self,
        id: &str,
        reach: &Reach,
    ) -> anyhow::Result<Option<RecordingDetail>> {
        let mut all = self.store.all_of(id).await?;
        all.routes.retain(|route| reach.has(&route.environment));
        all.runs.retain(|run| reach.has(&run.environment));
        all.mirrors.retain(|mirror| reach.has(&mirror.environment));
        if all.routes.is_empty() && all.runs.is_empty() {
            return Ok(None);
        }
        // A control may be of an environment that is none of these.
        let of_runs = all.runs.iter().filter_map(|run| run.control_id.as_deref());
        let of_routes = all
            .routes
            .iter()
            .filter_map(|route| route.control_id.as_deref());
        let theirs: Vec<_> = of_runs.chain(of_routes).map(str::to_owned).collect();
        all.controls.retain(|control| theirs.contains(&control.id));
        let of_runs = all.runs.first().map(|run| run.recording_id.clone());
        let of_routes = all
            .routes
            .iter()
            .find_map(|route| route.recording_id.clone());
        Ok(Some(RecordingDetail {
            id: id.to_owned(),
            recording_id: of_runs.or(of_routes),
            times: lines::times(&all),
            routes: all.routes.iter().map(RouteLine::of).collect(),
            runs: all.runs.iter().map(RunLine::of).collect(),
            controls: all.controls.into_iter().map(ControlLine::of).collect(),
            mirrors: all.mirrors.iter().map(MirrorLine::of).collect(),
        }))
    }
}
