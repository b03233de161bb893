//! The program: whole runs over real HTTP.

mod crash;
#[path = "../support/door.rs"]
mod door;
mod failures;
mod inputs;
mod meeting;
mod program;
mod world;
