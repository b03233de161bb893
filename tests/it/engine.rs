//! What a workflow engine must do, asked over HTTP: of the embedded engine always, and of a real
//! Conductor when `SWITCHYARD_TEST_CONDUCTOR` has its base URL (`scripts/conductor start` prints
//! it). Test names begin with the id of the requirement. Where the two differ, the case says so.
//!
//! Seen on a real 3.15.0 (in-memory store, no index), beside what the cases assert:
//! - Errors carry no `code`. `/api/version` and unknown paths are 404 with Spring's own body.
//! - A start whose first step cannot be decided (a dynamic fork over text) is 400 and leaves no run.
//! - A run that ends because of a dynamic fork's input is FAILED, not TERMINATED, and has no tasks.
//! - The same reference twice in one dynamic list is forked once, without complaint; only a
//!   reference that the run has already fails it.
//! - `resume` sets `lastRetriedTime`, so the run's timeout counts anew.
//! - `DELETE …/remove` of an open run deletes it and answers 400.
//! - A result without `workerId` makes the task forget its worker; one without `status` is a 500.
//! - `${}` is refused at registration with 500, other blanks with 400; output parameters may name
//!   unknown roots.

mod controlling;
mod definitions;
mod durability;
mod expressions;
mod forking;
pub mod harness;
mod polling;
mod retrying;
mod starting;
mod timing;
mod updating;
