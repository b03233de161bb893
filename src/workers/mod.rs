//! The workers: they take tasks from a workflow engine, do them, and report.
//!
//! `ls src/workers/tasks` is the pipeline. The engine delivers at least once, so every task may
//! run twice: it finds its checkpoint in our store and answers from there.

mod analysis;
mod asking;
mod context;
mod error;
mod execution;
mod pinning;
mod predecessor;
mod processors;
mod prompts;
mod registry;
mod runner;
mod task;
pub mod tasks;

pub use context::{Assignment, Clock, Context, Services, Shared, Tuning};
pub use error::TaskError;
pub use pinning::Pinning;
pub use processors::{Leave, Processors};
pub use prompts::Prompts;
pub use registry::{Entry, REGISTRY};
pub use runner::{Runner, RunnerSettings};
pub use task::{Made, Task};
