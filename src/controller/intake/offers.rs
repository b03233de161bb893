//! Settles offers: a route of the candidate starts nothing until it is certain that Celery does not
//! have its task, and becomes the control's when Celery has.
//!
//! The certainty is Redis's, where messages are withheld and handed on in the same step in which
//! that is noted. We may have died between our transaction and the broker's, or between the
//! broker's and noting it here: what Redis says holds.

use std::time::Duration;

use anyhow::Context;
use tracing::warn;

use super::{Intake, Request};
use crate::{
    legacy::celery::{Claim, Fate},
    store::{Pinned, RouteRow, RouteState, Way},
};

/// How many offers one tick looks at.
const AT_ONCE: i64 = 256;

/// For how long the caller of the HTTP door may take an offer up.
const OFFER: Duration = Duration::from_secs(30);

/// After how long a message that is nowhere was handed on in doubt, or lost with its Redis.
const MISSING: Duration = Duration::from_mins(1);

impl Intake {
    /// Looks once at every offer.
    pub async fn settle_offers(&self) -> anyhow::Result<()> {
        for route in self
            .store
            .offered_routes(&self.environment, AT_ONCE)
            .await?
        {
            if let Err(error) = self.settle(&route).await {
                warn!(transcript.id = %route.transcript_id, "cannot settle an offer, trying again: {error:#}");
            }
        }
        Ok(())
    }

    /// The route of a second task, when the first one's offer is still open. What is withheld then
    /// must be certain to be served: either the first one's message is ours, or the offer is over
    /// at once.
    pub(super) async fn with_offer_settled(
        &self,
        pinned: Pinned,
        request: &Request,
    ) -> anyhow::Result<Pinned> {
        let route = &pinned.route;
        if route.state != RouteState::Offered || route.task_id == request.task_id {
            return Ok(pinned);
        }
        let claim = match self.standing.may_dispatch() {
            Some(_) => Claim::ForControl,
            None => Claim::Look,
        };
        match self.fate(route, claim).await? {
            Fate::Waiting => return Ok(pinned),
            Fate::Withheld => {
                self.confirm(route).await?;
            }
            Fate::Forwarded | Fate::Gone => {
                let reason = "the offer lapsed: a second task came before it was taken up";
                self.end_offer(route, reason).await?;
            }
        }
        let now = self
            .store
            .route_of_task(&self.environment, &self.flag, &request.task_id)
            .await?;
        Ok(Pinned {
            route: now.context("a route that was pinned is gone")?,
            is_new: pinned.is_new,
        })
    }

    async fn fate(&self, route: &RouteRow, claim: Claim) -> anyhow::Result<Fate> {
        let Some(celery) = &self.celery else {
            return Ok(Fate::Gone);
        };
        let fate = celery.broker.fate(&route.task_id, &celery.from, claim);
        Ok(fate.await?)
    }

    async fn settle(&self, route: &RouteRow) -> anyhow::Result<()> {
        let patience = match route.way {
            Way::Http => OFFER,
            Way::Tap | Way::Cli => MISSING,
        };
        let is_due = (self.clock)() - route.arrived_at >= chrono::TimeDelta::from_std(patience)?;
        let claim = if is_due && self.look().await?.has_celery() {
            Claim::ForControl
        } else {
            Claim::Look
        };
        let fate = self.fate(route, claim).await?;
        let reason = match (fate, route.way) {
            (Fate::Withheld, _) => {
                self.confirm(route).await?;
                return Ok(());
            }
            (Fate::Waiting, _) => return Ok(()),
            (Fate::Gone, _) if !is_due => return Ok(()),
            (Fate::Gone, Way::Http) => "the offer lapsed: it was not accepted in time",
            (Fate::Gone, Way::Tap | Way::Cli) => "the offer lapsed: its message is gone",
            (Fate::Forwarded, _) => "the offer lapsed: its message was handed on in doubt",
        };
        self.end_offer(route, reason).await
    }

    /// Ends an offer that was not taken up: the control serves, as long as there is one. Once Celery
    /// is removed the candidate does, whoever else may have been asked.
    pub(super) async fn end_offer(&self, route: &RouteRow, reason: &str) -> anyhow::Result<()> {
        if !self.look().await?.has_celery() {
            self.confirm(route).await?;
        } else if self.store.lapse_route(route, reason).await? {
            warn!(transcript.id = %route.transcript_id, "the control serves transcript `{}` after all: {reason}", route.transcript_id);
        }
        Ok(())
    }
}
