//! The parts together, on files that are hard on purpose and on a whole recorded meeting.
#![allow(clippy::cast_possible_wrap, reason = "fixtures are short")]

mod aac;
mod damage;
mod fixtures;
mod lossless;
mod mixing;
mod other_kinds;
mod standup;
mod structure;
