//! Notices reach each target in its own form, once, whatever receivers and processes do.

mod forms;
mod outbox;
mod turns;
pub mod world;
