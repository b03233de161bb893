//! The way in: from a message or a request to a pinned route, a run and a control. On a real Redis,
//! and with Reflector's schema on a real PostgreSQL where rows are read.

mod controls;
mod deciding;
mod giving_back;
mod helper;
mod settling;
mod starting;
mod tapped;
pub mod world;
