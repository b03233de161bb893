//! The parts together, on files that are hard on purpose and on a whole recorded meeting.
#![allow(clippy::cast_possible_wrap, reason = "fixtures are short")]

mod aac;
mod damage;
mod fixtures;
mod joints;
mod lossless;
mod measuring;
mod mixing;
mod mutations;
mod other_kinds;
mod standup;
mod structure;
