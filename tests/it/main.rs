//! Adapters and loops.
