//! Adapters and loops.

#[path = "../support/database.rs"]
mod database;
#[path = "../support/door.rs"]
mod door;
mod engine;
mod http;
mod objects;
mod providers;
mod runner;
mod sandbox;
mod standup;
mod store;
