//! Whether Conductor is relied on: what was seen, layer by layer, and the breaker with what became of it.

use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    super::{
        Door, Error,
        api::breaker::{close_by, stands},
        error::PageError,
    },
    Page,
    audit::EntryLine,
    done::{Done, Said},
    form::{Form, Refused, by, text},
    frame::{Frame, Place},
    page,
};
use crate::{
    access::{Action, Caller},
    rollout::{BreakerState, Layer},
    store::{ProbeRow, WhichEntries},
};

/// Seconds after which it is fetched anew.
const EVERY: u16 = 10;

/// Changes of the breaker that are shown.
const CHANGES: i64 = 20;

#[derive(Serialize)]
struct BreakerPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    /// `not_watched` where nobody looks.
    state: String,
    since: Option<DateTime<Utc>>,
    checked_at: Option<DateTime<Utc>>,
    opened_at: Option<DateTime<Utc>>,
    reason: String,
    next: String,
    line: String,
    holding: Option<String>,
    /// Notices that did not arrive, in a sentence each.
    not_told: Vec<String>,
    layers: Vec<LayerLine>,
    changes: Vec<EntryLine>,
    may_close: bool,
    /// Whether there is anything to close.
    is_closed: bool,
    typed: &'a Closing,
    refused: Option<&'a Refused>,
}

#[derive(Serialize)]
struct LayerLine {
    name: &'static str,
    what: &'static str,
    probes: Vec<ProbeRow>,
}

/// A person's word that the breaker may be closed.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Closing {
    by: String,
    reason: String,
}

pub(super) async fn show(
    State(door): State<Door>,
    caller: Caller,
    said: Said,
) -> Result<Page, PageError> {
    Ok(shown(&door, &caller, said, &Closing::default(), None).await?)
}

async fn shown(
    door: &Door,
    caller: &Caller,
    said: Said,
    typed: &Closing,
    refused: Option<&Refused>,
) -> Result<Page, Error> {
    let standing = stands(door).await?;
    let about = &door.mover.about;
    let which = WhichEntries {
        action: Some("breaker".to_owned()),
        ..WhichEntries::default()
    };
    let migration = (&about.environment, &about.flag);
    let asking = door.mover.store.audit_page(migration, &which, (0, CHANGES));
    let (changes, _) = asking.await?;
    let layers = [
        (
            Layer::Conductor,
            "Conductor and its workers",
            "decide how the breaker stands",
        ),
        (
            Layer::Shared,
            "What both pipelines need",
            "while one of these is down the candidate’s starts wait, and the breaker does not open for it",
        ),
        (
            Layer::Legacy,
            "The legacy pipeline",
            "what Celery needs to take over",
        ),
    ];
    let layers = layers.map(|(layer, name, what)| LayerLine {
        name,
        what,
        probes: standing
            .probes
            .iter()
            .filter(|probe| probe.layer == layer)
            .cloned()
            .collect(),
    });
    let state = standing.state.filter(|_| standing.watched);
    let may = caller.may(Action::CloseBreaker, &about.environment);
    let frame = Frame::at(Place::Health, door, caller)
        .with_forms()
        .saying(said);
    let shown = BreakerPage {
        // What was typed stays.
        frame: if refused.is_none() {
            frame.every(EVERY)
        } else {
            frame
        },
        state: state.map_or_else(|| "not_watched".to_owned(), |state| state.to_string()),
        since: standing.since,
        checked_at: standing.checked_at,
        opened_at: standing.opened_at,
        reason: standing.reason,
        next: standing.next,
        line: standing.line,
        holding: standing.holding,
        not_told: standing.not_told,
        layers: layers
            .into_iter()
            .filter(|layer| !layer.probes.is_empty())
            .collect(),
        changes: changes.iter().map(EntryLine::of).collect(),
        may_close: may.is_ok(),
        is_closed: standing
            .state
            .is_none_or(|state| state == BreakerState::Closed),
        typed,
        refused,
    };
    page("breaker.html", &shown)
}

/// Closes the breaker by a person's word, if the newest look found nothing wrong.
pub(super) async fn close(
    State(door): State<Door>,
    caller: Caller,
    Form(typed): Form<Closing>,
) -> Result<Response, PageError> {
    let closed = async {
        let by = by(&caller, &typed.by)?;
        let reason = text(&typed.reason, "Why", "write why it may be relied on again")?;
        close_by(&door, &by, &reason).await
    };
    match closed.await {
        Ok(()) => Ok(Done::Closed.at("/breaker")),
        Err(error) => {
            let refused = Refused::of("closing", error)?;
            let page = shown(&door, &caller, Said(None), &typed, Some(&refused)).await?;
            Ok(refused.on(page))
        }
    }
}
