//! The program: whole runs over real HTTP.

mod access;
mod audio;
mod browser;
mod chaos;
mod cli;
#[allow(dead_code, reason = "the other suite uses all of it")]
#[path = "../support/collector.rs"]
mod collector;
mod consent;
mod controllers;
mod crash;
mod cutover;
#[allow(dead_code, reason = "the other suite uses all of it")]
#[path = "../support/database.rs"]
mod database;
#[path = "../support/door.rs"]
mod door;
mod effects;
mod failures;
#[allow(dead_code, reason = "the other suite uses all of it")]
#[path = "../support/faulty.rs"]
mod faulty;
mod fuzzed;
mod inputs;
mod journey;
mod legacy;
mod live;
mod lost;
mod meeting;
mod mending;
mod migration;
#[path = "../support/legacy.rs"]
mod miniature;
mod observed;
mod outage;
mod pinning;
mod program;
mod recorded;
#[allow(dead_code, reason = "the other suite uses all of it")]
#[path = "../support/redis.rs"]
mod redis;
mod reflector;
mod replaying;
mod secrecy;
mod sharing;
mod upkeep;
mod world;
