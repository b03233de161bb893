//! Reflector as it is today: what its Celery pipeline made of a recording, the Celery queues
//! it still works from.

pub mod celery;
mod field;
pub mod recorded;
mod rows;
