//! Adapters and loops.

<<<<<<< HEAD
<<<<<<< HEAD
=======
#[path = "../support/database.rs"]
mod database;
>>>>>>> house
mod objects;
mod providers;
mod sandbox;
mod standup;
<<<<<<< HEAD
=======
mod engine;
>>>>>>> engine
=======
mod store;
>>>>>>> house
