//! Conductor's REST API: the types on the wire and a thin client.
//!
//! The workers and the controller meet every workflow engine through this module only; the
//! embedded engine answers with the same types.

pub mod client;
pub mod definitions;
pub mod wire;

pub use client::{Client, ClientConfig, Error, RetryPolicy, Started, install_crypto};
