//! The program: whole runs over real HTTP.

mod meeting;
mod world;
