//! Adapters and loops.

mod celery;
#[path = "../support/database.rs"]
mod database;
mod engine;
mod http;
mod objects;
mod providers;
#[path = "../support/redis.rs"]
mod redis;
mod sandbox;
mod standup;
mod store;
