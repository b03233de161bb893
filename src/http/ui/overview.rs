//! The first page: every migration in every environment, with what stops it and who changed it last.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    super::{Door, error::PageError},
    Page,
    done::Said,
    frame::{Frame, Place},
    page,
    phases::{HoldLine, Serving, path_of},
};
use crate::{
    access::{Action, Caller},
    controller::{Glimpse, Told},
    model::{EnvironmentName, FlagName, GateVerdict},
};

/// Seconds after which it is fetched anew.
const EVERY: u16 = 10;

#[derive(Serialize)]
struct OverviewPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    /// Columns.
    environments: Vec<EnvironmentName>,
    /// Rows.
    flags: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    flag: FlagName,
    /// A cell for each environment; none where that migration never moved there.
    cells: Vec<Option<Cell>>,
}

/// One migration in one environment.
#[derive(Serialize)]
pub(super) struct Cell {
    /// The page where it is moved; none where another program moves it.
    path: Option<String>,
    position: String,
    serving: String,
    gate: Option<GateLine>,
    breaker: BreakerLine,
    holds: Vec<HoldLine>,
    requests: usize,
    open: i64,
    live: i64,
    changed: Option<Change>,
}

#[derive(Serialize)]
struct Change {
    at: DateTime<Utc>,
    by: String,
}

/// What the gate says.
#[derive(Serialize)]
pub(super) struct GateLine {
    verdict: GateVerdict,
    /// Without the verdict's word, which stands before it.
    line: String,
    at: DateTime<Utc>,
}

impl GateLine {
    fn of(told: &Told) -> Self {
        let label = told.verdict.label();
        let rest = told.line.strip_prefix(label).unwrap_or(&told.line);
        Self {
            verdict: told.verdict,
            line: rest.trim_start_matches([':', ';', ' ']).to_owned(),
            at: told.at,
        }
    }
}

/// How the breaker stands.
#[derive(Serialize)]
pub(super) struct BreakerLine {
    /// `not_watched` where nobody looks.
    state: String,
    reason: String,
    /// What both pipelines need and is down.
    holding: Option<String>,
}

impl Cell {
    pub(super) fn of(glimpse: Glimpse, now: DateTime<Utc>) -> Self {
        let row = glimpse.row;
        let breaker = glimpse.breaker;
        let state = breaker.state.filter(|_| breaker.watched);
        Self {
            path: glimpse.is_own.then(|| path_of(&row.environment, &row.flag)),
            position: row.position.to_string(),
            serving: Serving(row.position).to_string(),
            gate: glimpse.gate.as_ref().map(GateLine::of),
            breaker: BreakerLine {
                reason: match (state, breaker.checked_at) {
                    (None, Some(at)) => {
                        format!("the last look was at {}", at.format("%Y-%m-%d %H:%M:%S"))
                    }
                    (Some(_), _) | (None, None) => breaker.reason,
                },
                state: state.map_or_else(|| "not_watched".to_owned(), |state| state.to_string()),
                holding: breaker.holding,
            },
            holds: glimpse
                .holds
                .into_iter()
                .map(|hold| HoldLine::of(hold, now))
                .collect(),
            requests: glimpse.requests,
            open: glimpse.open,
            live: glimpse.live,
            changed: row
                .changed_at
                .zip(row.changed_by)
                .filter(|_| row.version > 0)
                .map(|(at, by)| Change { at, by }),
        }
    }
}

pub(super) async fn show(
    State(door): State<Door>,
    caller: Caller,
    said: Said,
) -> Result<Page, PageError> {
    let now = (door.shadow.clock)();
    let glimpses = door.overview.look(&caller.reach(Action::View)).await?;
    let about = &door.mover.about;
    let mut environments: Vec<EnvironmentName> = Vec::new();
    let mut flags: Vec<FlagName> = Vec::new();
    for glimpse in &glimpses {
        environments.push(glimpse.row.environment.clone());
        flags.push(glimpse.row.flag.clone());
    }
    // The one that goes before ours stands before it, and all others after.
    environments.sort_by_key(|name| {
        let place = if about.after.as_ref() == Some(name) {
            0
        } else if *name == about.environment {
            1
        } else {
            2
        };
        (place, name.clone())
    });
    environments.dedup();
    flags.dedup();
    let mut cells: Vec<_> = glimpses.into_iter().map(Some).collect();
    let rows = flags.into_iter().map(|flag| Row {
        cells: environments
            .iter()
            .map(|name| {
                let of_both = |glimpse: &&mut Option<Glimpse>| {
                    let row = glimpse.as_ref().map(|glimpse| &glimpse.row);
                    row.is_some_and(|row| row.flag == flag && row.environment == *name)
                };
                let found = cells.iter_mut().find(of_both)?.take()?;
                Some(Cell::of(found, now))
            })
            .collect(),
        flag,
    });
    let shown = OverviewPage {
        frame: Frame::at(Place::Overview, &door, &caller)
            .every(EVERY)
            .saying(said),
        flags: rows.collect(),
        environments,
    };
    Ok(page("overview.html", &shown)?)
}
