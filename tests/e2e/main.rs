//! The program: whole runs over real HTTP.

mod cli;
mod crash;
#[path = "../support/door.rs"]
mod door;
mod failures;
mod inputs;
mod meeting;
mod program;
mod recorded;
mod secrecy;
mod world;
