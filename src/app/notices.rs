//! Who is told what happens to the migration.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use chrono::TimeDelta;

use super::App;
use crate::{
    config::{NoticeTarget, Secret, TargetKind},
    controller::{Clock, Deliver, MayBeThere, Notices, Target, Undelivered},
    notices,
    providers::{self, Notifier, ZulipNotices},
};

impl App {
    /// Delivers this environment's notices.
    pub fn notices(&self) -> anyhow::Result<Notices> {
        let targets = self.environment.notices.0.iter();
        Ok(Notices {
            about: self.about()?,
            store: self.store.clone(),
            targets: targets
                .map(|settings| {
                    let wanted = settings.clone();
                    Ok(Target {
                        name: settings.name.clone(),
                        kind: settings.kind.as_str(),
                        wants: Arc::new(move |kind, gravity| wanted.wants(kind, gravity)),
                        per_minute: settings.per_minute,
                        deliver: self.deliver(settings)?,
                    })
                })
                .collect::<anyhow::Result<_>>()?,
            console: self.config.console_url(),
            holder: format!("notices-{}", uuid::Uuid::new_v4().simple()),
            clock: Arc::clone(&self.clock),
            left_alone: Arc::default(),
        })
    }

    fn deliver(&self, settings: &NoticeTarget) -> anyhow::Result<Deliver> {
        let key = |key: &str| format!("`environments.{}.notices.{key}` is missing", self.name);
        let timeout = Duration::from_secs(settings.timeout_s);
        if settings.kind == TargetKind::Zulip {
            let text =
                |value: &Option<String>, name: &str| value.clone().with_context(|| key(name));
            let api_key = settings.api_key.as_ref().with_context(|| key("api_key"))?;
            let zulip = Arc::new(ZulipNotices::new(
                &text(&settings.realm, "realm")?,
                (&text(&settings.email, "email")?, api_key.expose()),
                &text(&settings.stream, "stream")?,
                timeout,
                &self.environment.relays,
            )?);
            let topic = settings.topic.clone();
            return Ok(Arc::new(move |told, may_be_there| {
                let (zulip, post) = (Arc::clone(&zulip), notices::zulip(&told, &topic));
                Box::pin(async move {
                    let to = (post.topic.as_str(), post.content.as_str());
                    let again = may_be_there == MayBeThere::Yes;
                    let sent = zulip.send(to, &post.mark, again).await;
                    sent.map_err(|error| not_told(&error))
                })
            }));
        }
        let url = settings.url.as_ref().with_context(|| key("url"))?;
        let notifier = Notifier::new(url.expose().clone(), timeout)?;
        if settings.kind == TargetKind::Slack {
            return Ok(Arc::new(move |told, _| {
                let notifier = notifier.clone();
                Box::pin(async move {
                    let body = notices::slack(&told).to_string();
                    let sent = notifier.send(&told.id, body, &[]).await;
                    sent.map_err(|error| not_told(&error))
                })
            }));
        }
        Ok(by_webhook(
            notifier,
            [&settings.secret, &settings.other_secret].map(Clone::clone),
            Arc::clone(&self.clock),
        ))
    }
}

fn by_webhook(notifier: Notifier, secrets: [Option<Secret>; 2], clock: Clock) -> Deliver {
    Arc::new(move |told, _| {
        let (notifier, now) = (notifier.clone(), clock());
        let body = notices::webhook(&told);
        let secrets: Vec<&str> = secrets.iter().flatten().map(Secret::expose).collect();
        let signed = notices::signed(&secrets, now.timestamp(), &body);
        Box::pin(async move {
            let headers: Vec<(&str, String)> = signed
                .map(|value| (notices::SIGNATURE, value))
                .into_iter()
                .collect();
            let sent = notifier.send(&told.id, body, &headers).await;
            sent.map_err(|error| not_told(&error))
        })
    })
}

/// Why a notice is not known to be there. What services say is told without what was sent.
fn not_told(error: &providers::Error) -> Undelivered {
    Undelivered {
        why: error.to_string(),
        may_be_there: error.may_be_there(),
        asked: error
            .retry_after()
            .and_then(|wait| TimeDelta::from_std(wait).ok()),
    }
}
