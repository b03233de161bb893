//! Reflector's formats, to the byte: captions, messages, webhook, Zulip post, and the rules by
//! which words become segments, topics and summaries.
//!
//! What surprises most: browsers, customers and the comparison see what *Python* printed. Floats,
//! escapes, blanks and trimming follow Python here, not Rust.

pub mod chunks;
pub mod clean_title;
pub mod dictionary;
pub mod events;
pub mod merge;
pub mod participants;
pub mod python_json;
pub mod python_text;
pub mod segments;
pub mod summary;
pub mod waveform;
pub mod webhook;
pub mod webvtt;
pub mod zulip;

#[cfg(test)]
mod golden;
