//! What deletes what is over its time.

use std::sync::Arc;

use super::App;
use crate::controller::Retention;

impl App {
    /// Deletes what is over its time in this environment.
    pub fn retention(&self) -> anyhow::Result<Retention> {
        Ok(Retention {
            about: self.about()?,
            store: self.store.clone(),
            days: self.environment.retention,
            holder: format!("retention-{}", uuid::Uuid::new_v4().simple()),
            clock: Arc::clone(&self.clock),
        })
    }
}
