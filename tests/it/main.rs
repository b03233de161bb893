//! Adapters and loops.

mod engine;
