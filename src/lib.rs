//! Switchyard moves Reflector's meeting pipeline from one Celery task to a Conductor workflow.
//!
//! The modules in reading order; `docs/architecture.md` tells how they work together.

// Facts
pub mod config;
pub mod meters;
pub mod model;

// Calculations
pub mod access;
pub mod audio;
pub mod compare;
pub mod contract;
pub mod cost;
pub mod gate;
pub mod notices;
pub mod progress;
pub mod report;
pub mod retention;
pub mod reviews;
pub mod rollout;
pub mod selftest;
pub mod traces;

// Adapters
pub mod cleanup;
pub mod conductor;
pub mod legacy;
pub mod objects;
pub mod providers;
pub mod store;

// Loops
pub mod controller;
pub mod engine;
pub mod gateway;
pub mod workers;

// Stand-ins for the services that nobody can run locally
pub mod sandbox;
pub mod sharing;

// Doors
pub mod app;
pub mod cli;
pub mod http;
