//! What a page says once after something was done. The address names which of these it is and never the
//! words, so no link of others makes a page of ours say anything else.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::request::Parts,
    response::{IntoResponse, Redirect, Response},
};
use url::form_urlencoded;

/// Something that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Done {
    /// A migration went forward.
    Moved,
    /// A migration went back.
    RolledBack,
    /// A move waits for others.
    Requested,
    /// A request was approved, and others have to approve it too.
    Approved,
    /// A request was taken back.
    Withdrawn,
    /// A hold is in force.
    Held,
    /// A hold is not any more.
    Released,
    /// A step that failed is run again.
    Retried,
    /// A run goes on.
    Resumed,
    /// A run is to go on, and its workflow has not begun.
    Waits,
    /// Celery has a recording.
    GaveBack,
    /// A run was compared again.
    Compared,
    /// A verdict on a cluster was noted.
    Judged,
    /// A rule hides.
    RuleMade,
    /// A rule hides no more.
    RuleRemoved,
    /// The breaker was closed.
    Closed,
    /// A replay was begun.
    ReplayBegun,
    /// A replay goes on.
    ReplayResumed,
    /// A replay starts nothing more for now.
    ReplayPaused,
    /// A replay starts nothing more.
    ReplayCancelled,
}

impl Done {
    /// All of them.
    pub(super) const ALL: [Self; 20] = [
        Self::Moved,
        Self::RolledBack,
        Self::Requested,
        Self::Approved,
        Self::Withdrawn,
        Self::Held,
        Self::Released,
        Self::Retried,
        Self::Resumed,
        Self::Waits,
        Self::GaveBack,
        Self::Compared,
        Self::Judged,
        Self::RuleMade,
        Self::RuleRemoved,
        Self::Closed,
        Self::ReplayBegun,
        Self::ReplayResumed,
        Self::ReplayPaused,
        Self::ReplayCancelled,
    ];

    /// Its name in addresses, and what people read.
    const fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::Moved => ("moved", "The migration was moved."),
            Self::RolledBack => ("rolled-back", "The migration went back."),
            Self::Requested => (
                "requested",
                "Everything is met. The move waits for somebody else's approval.",
            ),
            Self::Approved => (
                "approved",
                "Your approval is noted. The move waits for others to approve it too.",
            ),
            Self::Withdrawn => ("withdrawn", "The request was taken back."),
            Self::Held => ("held", "The hold is in force."),
            Self::Released => ("released", "The hold was released."),
            Self::Retried => ("retried", "The step that failed runs again."),
            Self::Resumed => ("resumed", "The run goes on where it stopped."),
            Self::Waits => (
                "waits",
                "The run is to go on. It begins as soon as the workflow engine answers.",
            ),
            Self::GaveBack => ("gave-back", "Celery has the recording now."),
            Self::Compared => ("compared", "The run was compared again."),
            Self::Judged => ("judged", "The verdict is noted."),
            Self::RuleMade => ("rule-made", "The rule is in force."),
            Self::RuleRemoved => ("rule-removed", "The rule was removed."),
            Self::Closed => ("closed", "The breaker is closed."),
            Self::ReplayBegun => ("replay-begun", "The replay is begun."),
            Self::ReplayResumed => ("replay-resumed", "The replay goes on."),
            Self::ReplayPaused => (
                "replay-paused",
                "The replay is paused; what is under way ends by itself.",
            ),
            Self::ReplayCancelled => (
                "replay-cancelled",
                "The replay is cancelled; what is under way ends by itself.",
            ),
        }
    }

    /// What people read.
    pub(super) const fn text(self) -> &'static str {
        self.row().1
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|done| done.row().0 == name)
    }

    /// Leads to a page of ours, which says so. `path` may have a query of its own.
    pub(in crate::http) fn at(self, path: &str) -> Response {
        let joint = if path.contains('?') { '&' } else { '?' };
        Redirect::to(&format!("{path}{joint}done={}", self.row().0)).into_response()
    }
}

/// What the address says was done, if that is one of ours.
#[derive(Clone, Copy, Default)]
pub(in crate::http) struct Said(pub(super) Option<Done>);

impl<S: Sync> FromRequestParts<S> for Said {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let mut fields = form_urlencoded::parse(query.as_bytes());
        let named = fields.find(|(name, _)| name == "done");
        Ok(Self(named.and_then(|(_, value)| Done::parse(&value))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_done_has_a_name_of_its_own_and_nothing_else_is_said() {
        for done in Done::ALL {
            assert_eq!(Done::parse(done.row().0), Some(done));
        }
        for name in ["", "Moved", "The migration was moved.", "<b>moved</b>"] {
            assert_eq!(Done::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_page_with_a_query_keeps_it() {
        for (path, expected) in [
            ("/holds", "/holds?done=held"),
            ("/items?page=2", "/items?page=2&done=held"),
        ] {
            let response = Done::Held.at(path);
            assert_eq!(response.status().as_u16(), 303);
            assert_eq!(response.headers()["location"], expected);
        }
    }
}
