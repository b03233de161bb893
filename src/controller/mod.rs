//! The controller: dispatches runs, follows them, and compares what came out.

mod dispatch;
mod outcome;
mod register;
mod shadow;
pub mod status;
mod takeover;
mod telling;

pub use dispatch::{Again, Dispatched, Wanted, dispatch};
pub use outcome::candidate_outcome;
pub use register::{Change, Registered, register};
pub use shadow::{FROM_ROWS, Followed, Shadow};
pub use takeover::{GaveBack, GiveBack, Refusal};
pub use telling::Telling;
