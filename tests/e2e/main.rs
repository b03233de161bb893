//! The program: whole runs over real HTTP.

mod cli;
mod consent;
mod crash;
mod cutover;
#[path = "../support/database.rs"]
mod database;
#[path = "../support/door.rs"]
mod door;
mod failures;
mod inputs;
mod meeting;
mod program;
mod recorded;
#[path = "../support/redis.rs"]
mod redis;
mod reflector;
mod secrecy;
mod world;
