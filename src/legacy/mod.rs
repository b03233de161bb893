//! Reflector as it is today: what its Celery pipeline made of a recording.

mod field;
pub mod recorded;
