//! Switchyard moves Reflector's meeting pipeline from one Celery task to a Conductor workflow.
//!
//! The modules in reading order; `docs/architecture.md` tells how they work together.

// Facts
pub mod config;
pub mod model;

// Calculations
pub mod audio;
pub mod contract;
pub mod cost;
pub mod progress;
pub mod rollout;

// Adapters
pub mod conductor;
pub mod legacy;
pub mod objects;
pub mod providers;
pub mod store;

// Loops
// pub mod controller;
pub mod workers;
