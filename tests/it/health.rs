//! Health, breaker and fallback: an engine that fails in every way there is, and what follows.

mod between;
mod failing;
mod falling_back;
mod routing;
