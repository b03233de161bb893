//! What it takes to replay past recordings.

use std::sync::Arc;

use anyhow::Context;

use super::App;
use crate::{
    controller::{Replays, Tracks},
    model::Subject,
    objects::Objects,
};

impl App {
    /// Replays past recordings of this environment. Fails where the settings do not say where
    /// Reflector's database is.
    pub fn replays(&self) -> anyhow::Result<Replays> {
        let base = self.environment.reflector.ui_base_url.as_str();
        Ok(Replays {
            about: self.about()?,
            shadow: self.shadow()?,
            reflector: self.reflector()?,
            ui_base_url: base.trim_end_matches('/').to_owned(),
            mixes: self.mixes()?,
            tracks: self.tracks()?,
            holder: format!("replay-{}", uuid::Uuid::new_v4().simple()),
        })
    }

    fn tracks(&self) -> anyhow::Result<Tracks> {
        let objects = self.objects()?;
        Ok(Arc::new(move |subject| {
            Box::pin(are_there(objects.clone(), subject))
        }))
    }
}

/// Whether every track of a recording still lies in its bucket.
async fn are_there(objects: Objects, subject: Subject) -> anyhow::Result<bool> {
    for key in &subject.track_keys {
        let there = objects.exists(&subject.recording.bucket_name, key).await;
        if !there.context("looking for the tracks of a past recording")? {
            return Ok(false);
        }
    }
    Ok(true)
}
