//! Adapters and loops.

mod audio;
mod celery;
mod cleanup;
#[allow(dead_code, reason = "the other suite uses all of it")]
#[path = "../support/collector.rs"]
mod collector;
mod compose;
#[path = "../support/database.rs"]
mod database;
mod deliveries;
#[path = "../support/dice.rs"]
mod dice;
#[path = "../support/door.rs"]
mod door;
mod draws;
mod engine;
#[path = "../support/faulty.rs"]
mod faulty;
mod health;
mod http;

mod intake;
mod mending;
mod notices;
mod objects;
mod oracles;
mod phases;
mod providers;
mod publish;
#[path = "../support/redis.rs"]
mod redis;
mod reflector;
mod replays;
mod runner;
mod sandbox;
mod selftest;
mod sharing;
mod standup;
mod store;
mod telemetry;
mod twins;
