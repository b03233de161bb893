//! State of the embedded engine.
