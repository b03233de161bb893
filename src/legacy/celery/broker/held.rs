//! Messages in our hands.

use std::fmt;

use crate::legacy::celery::{Envelope, EnvelopeError};

/// One of our processes, as the owner of what it has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder(String);

/// A text that cannot stand in a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a holder's name must be of letters, digits, `.`, `_` and `-`; name the process so")]
pub struct HolderError;

impl Holder {
    /// A name that no other living process has, or two would put back each other's messages.
    pub fn new(name: impl Into<String>) -> Result<Self, HolderError> {
        let name = name.into();
        let is_plain =
            |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(HolderError);
        }
        Ok(Self(name))
    }

    /// A name nobody else has.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A message we have taken and not yet handed on. Dropping it changes nothing: it stays parked in
/// Redis until it is put back.
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    pub(super) receipt: String,
    /// The index of its priority's list.
    pub(super) step: usize,
    pub(super) raw: Vec<u8>,
}

impl Held {
    /// The exact bytes.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The message, if it is one.
    pub fn envelope(&self) -> Result<Envelope, EnvelopeError> {
        Envelope::parse(self.text()?)
    }

    pub(super) fn text(&self) -> Result<&str, EnvelopeError> {
        std::str::from_utf8(&self.raw).map_err(|_| EnvelopeError::new("message", "is no UTF-8"))
    }
}

/// Arguments are customers' keys and ids; they are not printed.
impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("receipt", &self.receipt)
            .field("bytes", &self.raw.len())
            .finish_non_exhaustive()
    }
}

/// What became of a message that was to be handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// Handed on, retries and redeliveries included.
    Rewritten,
    /// Handed on as it was, since its routing key could not be changed.
    Verbatim(EnvelopeError),
    /// Not handed on: somebody has put it back meanwhile, so it will be taken again.
    NotHeld,
}
