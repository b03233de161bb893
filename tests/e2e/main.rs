//! The program: whole runs over real HTTP.

mod cli;
mod crash;
mod failures;
mod inputs;
mod meeting;
mod program;
mod secrecy;
mod world;
