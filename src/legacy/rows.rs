//! Rows of Reflector's tables in the words of the house model, wherever they were read: in a
//! recorded outcome or in Reflector's own database.

mod outcome;
mod subject;

pub(super) use outcome::{outcome, told_topics};
pub(super) use subject::{calendar_event, consent, participants, recording, room, transcript};
