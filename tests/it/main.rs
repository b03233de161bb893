//! Adapters and loops.

mod http;
mod objects;
mod providers;
mod sandbox;
mod standup;
