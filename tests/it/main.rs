//! Adapters and loops.

mod celery;
#[path = "../support/database.rs"]
mod database;
mod deliveries;
#[path = "../support/door.rs"]
mod door;
mod engine;
#[path = "../support/faulty.rs"]
mod faulty;
mod health;
mod http;

mod intake;
mod objects;
mod phases;
mod providers;
mod publish;
#[path = "../support/redis.rs"]
mod redis;
mod reflector;
mod runner;
mod sandbox;
mod standup;
mod store;
