//! Where people are told what happens to the migration.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use serde_json::json;

use super::App;
use crate::{
    config::Secret,
    controller::{Deliver, Notices},
    providers::Notifier,
    store::Notice,
};

impl App {
    /// Delivers this environment's notices.
    pub fn notices(&self) -> anyhow::Result<Notices> {
        Ok(Notices {
            about: self.about()?,
            store: self.store.clone(),
            deliver: self.deliver()?,
            holder: format!("notices-{}", uuid::Uuid::new_v4().simple()),
            clock: Arc::clone(&self.clock),
        })
    }

    fn deliver(&self) -> anyhow::Result<Option<Deliver>> {
        let Some(settings) = &self.environment.notices else {
            return Ok(None);
        };
        let notifier = Notifier::new(
            settings.url.clone(),
            settings.secret.as_ref().map(Secret::expose),
            Duration::from_secs(settings.timeout_s),
        )?;
        let clock = Arc::clone(&self.clock);
        Ok(Some(Arc::new(move |notice| {
            let (notifier, now) = (notifier.clone(), clock());
            Box::pin(async move {
                let sent = notifier.send(&notice.id, &body(&notice), now).await;
                sent.context("telling people")
            })
        })))
    }
}

fn body(notice: &Notice) -> String {
    json!({
        "id": notice.id,
        "kind": notice.kind,
        "text": notice.text,
        "environment": notice.environment,
        "flag": notice.flag,
        "created_at": notice.created_at,
        "document": notice.document,
    })
    .to_string()
}
