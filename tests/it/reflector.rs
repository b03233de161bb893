//! Reading and writing Reflector's own database and listening to its Redis.

mod checking;
mod conflicting;
mod dispatching;
mod listening;
mod mirroring;
mod reading;
pub mod world;
mod writing;
