//! What can go wrong with a service, told so that a caller can decide whether to try again.

use std::{fmt, time::Duration};

use crate::meters;

/// The service that was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Daily's REST API.
    Daily,
    /// The transcription service on a GPU.
    Transcription,
    /// The language model.
    Llm,
    /// The model that says what texts mean.
    Embeddings,
    /// Zulip's REST API.
    Zulip,
    /// A customer's receiver.
    Webhook,
    /// Where people are told what happens to a migration.
    Notices,
    /// The provider people sign in at.
    SignIn,
    /// Where traces go.
    Collector,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Daily => "daily",
            Self::Transcription => "transcription",
            Self::Llm => "llm",
            Self::Embeddings => "embeddings",
            Self::Zulip => "zulip",
            Self::Webhook => "webhook",
            Self::Notices => "notices",
            Self::SignIn => "sign-in provider",
            Self::Collector => "traces",
        })
    }
}

impl Service {
    /// As metrics have it.
    pub(super) const fn metered(self) -> meters::Service {
        match self {
            Self::Daily => meters::Service::Daily,
            Self::Transcription => meters::Service::Transcription,
            Self::Llm => meters::Service::Llm,
            Self::Embeddings => meters::Service::Embeddings,
            Self::Zulip => meters::Service::Zulip,
            Self::Webhook => meters::Service::Webhook,
            Self::Notices => meters::Service::Notices,
            Self::SignIn => meters::Service::SignIn,
            Self::Collector => meters::Service::Collector,
        }
    }
}

/// What is known of a request that ended badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing came of it: the service was not reached, or too busy to look. It may be sent again.
    NotDone,
    /// Nothing came of it, and nothing will: the service said no, or the request cannot be made.
    Refused,
    /// The service may have done what it was asked.
    Unknown,
}

/// A call that was given up.
#[derive(Debug, thiserror::Error)]
#[error("{service}: {asked}: {cause} (request {attempts} of at most {allowed})")]
pub struct Error {
    /// Who was asked.
    pub service: Service,
    /// What for, in words and ids.
    pub asked: String,
    /// What the last request ended with.
    pub cause: Cause,
    /// Requests that were sent.
    pub attempts: u32,
    /// Requests the policy would have allowed.
    pub allowed: u32,
    /// Time all those requests took, waits between them left out. A failed request costs too.
    pub spent: Duration,
}

impl Error {
    /// Whether the same call may succeed later.
    pub const fn retryable(&self) -> bool {
        !self.cause.is_permanent()
    }

    /// How long the service asked to be left alone.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.cause.retry_after()
    }

    /// What the last request may have caused, for whoever must not cause it twice.
    pub const fn fate(&self) -> Fate {
        self.cause.fate()
    }

    /// Whether nobody was there to ask.
    pub const fn is_not_connected(&self) -> bool {
        matches!(self.cause, Cause::NotConnected(_))
    }

    /// The status the service answered with, if it did and that was the trouble.
    pub const fn status(&self) -> Option<u16> {
        match self.cause {
            Cause::Busy { status, .. }
            | Cause::Server { status, .. }
            | Cause::Refused { status } => Some(status),
            Cause::Timeout { .. }
            | Cause::NotConnected(_)
            | Cause::Connection(_)
            | Cause::BadAnswer(_)
            | Cause::Empty { .. }
            | Cause::Filtered
            | Cause::Invalid(_) => None,
        }
    }
}

/// How one request ended, other than well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No whole answer in time.
    #[error("no answer within {} s", .after.as_secs_f64())]
    Timeout {
        /// The bound of one request.
        after: Duration,
    },
    /// The connection never came about, so the service has seen nothing.
    #[error("connection failed: {0}")]
    NotConnected(String),
    /// The connection was lost, and nobody knows how much of the request arrived before.
    #[error("connection failed: {0}")]
    Connection(String),
    /// 408, 425 or 429.
    #[error("too busy: status {status}{}", asks(*.retry_after))]
    Busy {
        /// The status.
        status: u16,
        /// What `Retry-After` says.
        retry_after: Option<Duration>,
    },
    /// 5xx.
    #[error("failed on its side: status {status}{}", asks(*.retry_after))]
    Server {
        /// The status.
        status: u16,
        /// What `Retry-After` says.
        retry_after: Option<Duration>,
    },
    /// Any other status: the request itself is at fault.
    #[error("refused: status {status}{}", remedy(*.status))]
    Refused {
        /// The status.
        status: u16,
    },
    /// Status 200 with something we cannot read.
    #[error("unusable answer: {0}")]
    BadAnswer(String),
    /// A language model that said nothing.
    #[error("unusable answer: it has no text{}", early(*.cut))]
    Empty {
        /// Whether it ran into `max_tokens` first.
        cut: bool,
    },
    /// A language model that declined (`finish_reason` is `content_filter`).
    #[error("refused: the content filter stopped the answer")]
    Filtered,
    /// The request could not even be made.
    #[error("invalid request: {0}")]
    Invalid(String),
}

impl Cause {
    /// Whether no repetition can help.
    pub const fn is_permanent(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Filtered | Self::Invalid(_) => true,
            Self::Timeout { .. }
            | Self::NotConnected(_)
            | Self::Connection(_)
            | Self::Busy { .. }
            | Self::Server { .. }
            | Self::BadAnswer(_)
            | Self::Empty { .. } => false,
        }
    }

    /// As metrics have it.
    pub const fn outcome(&self) -> meters::Outcome {
        match self {
            Self::Timeout { .. } => meters::Outcome::Timeout,
            Self::NotConnected(_) | Self::Connection(_) => meters::Outcome::Connection,
            Self::Busy { .. } => meters::Outcome::Busy,
            Self::Server { .. } => meters::Outcome::Failed,
            Self::Refused { status } => meters::Outcome::of_status(*status),
            Self::Filtered | Self::Invalid(_) => meters::Outcome::Refused,
            Self::BadAnswer(_) | Self::Empty { .. } => meters::Outcome::BadAnswer,
        }
    }

    /// What the request may have caused.
    pub const fn fate(&self) -> Fate {
        match self {
            // A server that is too busy for a request turns it away unread. One that waited for it
            // in vain (408) may have read it all the same.
            Self::NotConnected(_)
            | Self::Busy {
                status: 425 | 429, ..
            } => Fate::NotDone,
            Self::Refused { .. } | Self::Filtered | Self::Invalid(_) => Fate::Refused,
            Self::Timeout { .. }
            | Self::Connection(_)
            | Self::Busy { .. }
            | Self::Server { .. }
            | Self::BadAnswer(_)
            | Self::Empty { .. } => Fate::Unknown,
        }
    }

    /// How long the service asked to be left alone.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } | Self::Server { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the service answered 200 with something unusable.
    pub(super) const fn is_bad_answer(&self) -> bool {
        matches!(self, Self::BadAnswer(_) | Self::Empty { .. })
    }
}

fn asks(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| {
        format!(", asks to be left alone for {} s", wait.as_secs())
    })
}

const fn remedy(status: u16) -> &'static str {
    match status {
        401 | 403 => "; check the API key",
        404 => "; check the URL, or it is no longer there",
        _ => "",
    }
}

const fn early(cut: bool) -> &'static str {
    if cut {
        ", max_tokens was reached before"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_service_cannot_have_seen_or_turned_away_is_known_not_to_be_done() {
        let busy = |status| Cause::Busy {
            status,
            retry_after: None,
        };
        for (cause, fate) in [
            (Cause::NotConnected("refused".to_owned()), Fate::NotDone),
            (busy(429), Fate::NotDone),
            (busy(425), Fate::NotDone),
            (busy(408), Fate::Unknown),
            (Cause::Refused { status: 400 }, Fate::Refused),
            (Cause::Invalid("no URL".to_owned()), Fate::Refused),
            (Cause::Connection("reset".to_owned()), Fate::Unknown),
            (Cause::BadAnswer("a page".to_owned()), Fate::Unknown),
            (
                Cause::Timeout {
                    after: Duration::from_secs(1),
                },
                Fate::Unknown,
            ),
            (
                Cause::Server {
                    status: 502,
                    retry_after: None,
                },
                Fate::Unknown,
            ),
        ] {
            assert_eq!(cause.fate(), fate, "{cause}");
        }
    }
}
