//! The program: whole runs over real HTTP.

mod crash;
mod meeting;
mod program;
mod world;
