//! The program: whole runs over real HTTP.

mod cli;
mod crash;
#[path = "../support/door.rs"]
mod door;
mod failures;
mod inputs;
mod legacy;
mod live;
mod meeting;
#[path = "../support/legacy.rs"]
mod miniature;
mod program;
mod recorded;
mod secrecy;
mod world;
