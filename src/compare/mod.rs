//! Compares.
pub mod metrics;
