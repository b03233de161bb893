//! Measures as numbers, one file each. They know texts, times and rows of numbers, and nothing of
//! policies or verdicts. Reference is the control, hypothesis the candidate; the control is not
//! the truth, so an "error" here only means disagreement.

pub mod alignment;
pub mod bytes;
pub mod characters;
pub mod chrf;
pub mod drift;
pub mod envelope;
pub mod event_order;
pub mod facts;
pub mod json;
pub mod matching;
pub mod normaliser;
pub mod objects;
pub mod rouge;
pub mod segmentation;
pub mod series;
pub mod similarity;
pub mod speakers;
pub mod zulip_text;

#[cfg(test)]
mod oracle_tests;
