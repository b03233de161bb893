//! What every page has around what it shows: where one is, who looks, what was done a moment ago.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::{
    super::Door,
    Visitor,
    done::{Done, Said},
};
use crate::{access::Caller, model::EnvironmentName};

/// A place in the navigation of all pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Place {
    /// How far every migration is, and the pages where they are moved.
    Overview,
    /// Recordings and their runs.
    Recordings,
    /// Differences that people look at.
    Reviews,
    /// What the gate decides on.
    Evidence,
    /// Conductor, and what both pipelines need.
    Health,
    /// Who did what.
    Audit,
    /// Recordings of the past on the candidate.
    Replays,
    /// What is in force.
    Settings,
}

impl Place {
    /// All of them, in the order they are shown.
    pub(super) const ALL: [Self; 8] = [
        Self::Overview,
        Self::Recordings,
        Self::Reviews,
        Self::Evidence,
        Self::Health,
        Self::Audit,
        Self::Replays,
        Self::Settings,
    ];

    /// Its address.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Recordings => "/recordings",
            Self::Reviews => "/reviews",
            Self::Evidence => "/gate",
            Self::Health => "/breaker",
            Self::Audit => "/audit",
            Self::Replays => "/replays",
            Self::Settings => "/settings",
        }
    }

    /// What people read.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Recordings => "Recordings",
            Self::Reviews => "Reviews",
            Self::Evidence => "Evidence",
            Self::Health => "Health",
            Self::Audit => "Audit",
            Self::Replays => "Replays",
            Self::Settings => "Settings",
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.path())
    }
}

/// What `layout.html` is given; a page's own data carry it flattened.
#[derive(Serialize)]
pub(in crate::http) struct Frame<'a> {
    visitor: Visitor<'a>,
    environment: &'a EnvironmentName,
    now: DateTime<Utc>,
    place: Place,
    /// It is a page below that place, and not the place itself.
    is_below: bool,
    /// The stream that says when the page has changed; none where it never does, or nobody says.
    events: Option<String>,
    /// After how many seconds the page is fetched anew.
    every: Option<u16>,
    /// Somebody may be filling in a form, so the page is never loaded anew as a whole.
    has_forms: bool,
    /// What was done a moment ago.
    said: Option<&'static str>,
}

impl<'a> Frame<'a> {
    /// Of the page at that place.
    pub(in crate::http) fn at(place: Place, door: &'a Door, caller: &'a Caller) -> Self {
        Self {
            visitor: Visitor::of(caller, door),
            environment: &door.shadow.environment,
            now: (door.shadow.clock)(),
            place,
            is_below: false,
            events: None,
            every: None,
            has_forms: false,
            said: None,
        }
    }

    /// Of a page below that place.
    pub(in crate::http) fn below(place: Place, door: &'a Door, caller: &'a Caller) -> Self {
        Self {
            is_below: true,
            ..Self::at(place, door, caller)
        }
    }

    /// Fetched anew whenever that stream says something; never where there is none.
    pub(in crate::http) fn told_by(mut self, events: Option<String>) -> Self {
        self.events = events;
        self
    }

    /// Fetched anew every so many seconds.
    pub(in crate::http) fn every(mut self, seconds: u16) -> Self {
        self.every = Some(seconds);
        self
    }

    /// With forms that somebody may be filling in.
    pub(in crate::http) fn with_forms(mut self) -> Self {
        self.has_forms = true;
        self
    }

    /// Saying what was done a moment ago.
    pub(in crate::http) fn saying(mut self, said: Said) -> Self {
        self.said = said.0.map(Done::text);
        self
    }
}
