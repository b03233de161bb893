//! Measures as numbers, one file each. They know texts, times and rows of numbers, and nothing of
//! policies or verdicts. Reference is the control, hypothesis the candidate; the control is not
//! the truth, so an "error" here only means disagreement.

pub mod alignment;
pub mod attribution;
pub mod bits;
pub mod bytes;
pub mod canonical;
pub mod characters;
pub mod chrf;
pub mod corridor;
pub mod cp;
pub mod di_cp;
pub mod diarization;
pub mod drift;
pub mod envelope;
pub mod event_order;
pub mod facts;
pub mod json;
pub mod json_text;
pub mod matching;
pub mod normaliser;
pub mod objects;
pub mod orc;
pub mod rouge;
pub mod segmentation;
pub mod series;
pub mod similarity;
pub mod speakers;
pub mod tcp;
pub mod ties;
pub mod transcript;
pub mod wavefront;
pub mod zulip_text;

/// A table of many small keys that nobody outside chooses.
pub(in crate::compare) type Map<K, V> = std::collections::HashMap<K, V, foldhash::fast::FixedState>;
