//! The program: whole runs over real HTTP.

#[path = "../support/door.rs"]
mod door;
mod failures;
mod inputs;
mod meeting;
mod recorded;
mod world;
