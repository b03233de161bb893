//! Reading Reflector's own database and listening to its Redis.

mod checking;
mod dispatching;
mod listening;
mod reading;
pub mod world;
