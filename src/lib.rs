//! Switchyard moves Reflector's meeting pipeline from one Celery task to a Conductor workflow.
//!
//! The modules in reading order; `docs/architecture.md` tells how they work together.

// Facts
pub mod model;

// Calculations
pub mod compare;

// Renderings
pub mod report;
