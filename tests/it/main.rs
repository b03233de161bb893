//! Adapters and loops.

mod celery;
#[path = "../support/database.rs"]
mod database;
#[path = "../support/door.rs"]
mod door;
mod engine;
mod http;
mod intake;
mod objects;
mod providers;
#[path = "../support/redis.rs"]
mod redis;
mod reflector;
mod runner;
mod sandbox;
mod standup;
mod store;
