//! Adapters and loops.

mod objects;
mod providers;
mod sandbox;
mod standup;
