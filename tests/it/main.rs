//! Adapters and loops.

#[path = "../support/database.rs"]
mod database;
mod engine;
mod http;
mod objects;
mod providers;
mod sandbox;
mod standup;
mod store;
