//! What can go wrong between us and a workflow engine, in the words a caller branches on.

/// Names a call in messages: method and path, without query or body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `GET`, `POST` …
    pub method: &'static str,
    /// Relative to the base URL.
    pub path: String,
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A call that did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There is no such run, task or definition; for `retry` also: the run is still open.
    #[error("{call}: not found: {message}")]
    NotFound {
        /// The call.
        call: Call,
        /// As the server says it.
        message: String,
    },
    /// The state does not allow it: it exists already, or the run has ended, or has not.
    #[error("{call}: conflict: {message}")]
    Conflict {
        /// The call.
        call: Call,
        /// As the server says it.
        message: String,
    },
    /// Any other status that is no success.
    #[error("{call}: refused with {status}: {message}")]
    Refused {
        /// The call.
        call: Call,
        /// The HTTP status.
        status: u16,
        /// As the server says it; the rules broken, for a 400.
        message: String,
    },
    /// No connection, or it broke. Whether the call took effect is unknown.
    #[error("{call}: the server cannot be reached ({cause})")]
    Unreachable {
        /// The call.
        call: Call,
        /// What the network said, without the URL.
        cause: String,
    },
    /// No answer in time. Whether the call took effect is unknown.
    #[error("{call}: no answer in time")]
    Timeout {
        /// The call.
        call: Call,
    },
    /// A success whose body makes no sense. Whether the call took effect is unknown.
    #[error("{call}: answered {status} with a body that cannot be read: {problem}")]
    BadAnswer {
        /// The call.
        call: Call,
        /// The HTTP status.
        status: u16,
        /// What was expected and where reading stopped; never the body.
        problem: String,
    },
}

impl Error {
    /// Whether the call may have taken effect although it failed. An ambiguous start is resolved by
    /// [`super::Client::find_started`], never by starting again.
    pub const fn is_ambiguous(&self) -> bool {
        match self {
            Self::NotFound { .. } | Self::Conflict { .. } => false,
            Self::Refused { status, .. } => *status >= 500 || *status == 408,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::BadAnswer { .. } => true,
        }
    }

    /// Whether the server is to blame rather than the call: what a health probe counts.
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::NotFound { .. } | Self::Conflict { .. } => false,
            Self::Refused { status, .. } => *status >= 500 || *status == 429 || *status == 408,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::BadAnswer { .. } => true,
        }
    }
}
