//! Adapters and loops.

<<<<<<< HEAD
mod objects;
mod providers;
mod sandbox;
mod standup;
=======
mod engine;
>>>>>>> engine
