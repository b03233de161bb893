//! Switchyard moves Reflector's meeting pipeline from one Celery task to a Conductor workflow.
//!
//! The modules in reading order; `docs/architecture.md` tells how they work together.

// Facts
pub mod model;

// Adapters
pub mod objects;
pub mod providers;

// Stand-ins for local runs and tests
pub mod sandbox;
