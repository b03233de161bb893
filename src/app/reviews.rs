//! What it takes to review differences, and to test the comparison.

use std::sync::Arc;

use super::App;
use crate::controller::{Recent, Reviews, SelfTests};

impl App {
    /// Keeps this environment's reviews.
    pub fn reviews(&self) -> anyhow::Result<Reviews> {
        Ok(Reviews {
            about: self.about()?,
            store: self.store.clone(),
            salt: uuid::Uuid::new_v4().simple().to_string(),
            clock: Arc::clone(&self.clock),
            recent: Recent::default(),
        })
    }

    /// Tests this environment's comparison.
    pub fn selftests(&self) -> anyhow::Result<SelfTests> {
        Ok(SelfTests {
            about: self.about()?,
            store: self.store.clone(),
            policy: Arc::new(self.policy()?),
            reviews: self.reviews()?,
            holder: format!("selftest-{}", uuid::Uuid::new_v4().simple()),
            clock: Arc::clone(&self.clock),
        })
    }
}
