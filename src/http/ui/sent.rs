//! A form as it was sent, read field by field. That a page of ours made it is known by then.

use axum::body::Bytes;

use super::super::{Error, body::wrong, caller::field};
use crate::access::Caller;

/// The longest text a field may hold, in bytes.
const LONGEST: usize = 4096;

/// What a form sent.
pub(super) struct Sent(pub(super) Bytes);

impl Sent {
    /// A field as text without blanks around it; empty where it was left out.
    pub(super) fn text(&self, name: &str) -> String {
        let mut text = field(&self.0, name).unwrap_or_default().trim().to_owned();
        let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or_default());
        text
    }

    /// A text that may be left out.
    pub(super) fn text_if_any(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// A whole number that may be left out.
    pub(super) fn number_if_any(&self, name: &str) -> Result<Option<i64>, Error> {
        let text = self.text_if_any(name);
        let number = text.map(|text| text.parse::<i64>());
        number
            .transpose()
            .map_err(|_| wrong(name, "write a whole number"))
    }

    /// Who acts: whoever is signed in, or the name that was sent where nobody has to sign in.
    pub(super) fn by(&self, caller: &Caller) -> String {
        match &caller.name {
            Some(name) => name.clone(),
            None => self
                .text_if_any("by")
                .unwrap_or_else(|| caller.shown().to_owned()),
        }
    }
}
