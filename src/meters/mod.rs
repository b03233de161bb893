//! What can be measured of Switchyard: the [families](catalogue) of metrics there are, and those that
//! this process counts of itself.
//!
//! Labels come from closed sets (states, task kinds, services, templates of routes), so that there are
//! never more than some hundred series: no id, name or path is one. Like the log, what a process
//! counts of itself is one thing for the whole process.

pub mod catalogue;
mod process;
mod sheet;

pub use catalogue::{Family, Kind};
pub use process::{Outcome, Service, attempt, call, of_this_process, request, traces};
pub use sheet::{Reading, Sheet};

/// The type of what `/metrics` answers: Prometheus' text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
