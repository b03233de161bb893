//! Reflector as it is today: what its Celery pipeline made of a recording, the Celery queues it
//! still works from, and its own database and pub/sub.

pub mod celery;
mod field;
pub mod recorded;
pub mod reflector;
mod rows;
