//! Switchyard moves Reflector's meeting pipeline from one Celery task to a Conductor workflow.
//!
//! The modules in reading order; `docs/architecture.md` tells how they work together.

// Facts
pub mod config;
pub mod model;

// Adapters
pub mod conductor;
pub mod store;

// Loops
pub mod engine;
