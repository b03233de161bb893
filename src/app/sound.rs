//! What it takes to let people hear what a run mixed.

use std::{sync::Arc, time::Duration};

use super::App;
use crate::{
    controller::{AskConsent, Lies, Sound, TakenBack},
    gateway::Withdrawal,
    objects::{ErrorKind, Objects},
};

/// How long somebody who wants to hear something waits for Reflector or the store.
const PATIENCE: Duration = Duration::from_secs(10);

impl App {
    /// The sound of this environment's runs.
    pub fn sound(&self) -> anyhow::Result<Sound> {
        let gateway = self.gateway()?;
        let consent = gateway.map(|gateway| -> AskConsent {
            Arc::new(move |subject| {
                let gateway = gateway.clone();
                Box::pin(async move {
                    let withdrawn = gateway.withdrawal(&subject).await?;
                    Ok(withdrawn.map(taken_back))
                })
            })
        });
        let bucket = self.environment.objects.bucket.clone();
        Ok(Sound {
            environment: self.name.clone(),
            store: self.store.clone(),
            consent,
            look: look(self.objects()?, bucket.clone()),
            read: read(self.objects()?, bucket),
            patience: PATIENCE,
        })
    }
}

const fn taken_back(withdrawal: Withdrawal) -> TakenBack {
    match withdrawal {
        Withdrawal::Denied => TakenBack::Denied,
        Withdrawal::AudioDeleted => TakenBack::AudioDeleted,
        Withdrawal::Gone => TakenBack::Gone,
    }
}

/// Looks for objects of a bucket.
pub fn look(objects: Objects, bucket: String) -> crate::controller::Look {
    Arc::new(move |key| {
        let (objects, bucket) = (objects.clone(), bucket.clone());
        Box::pin(async move {
            match objects.head(&bucket, &key).await {
                Ok(head) => Ok(Some(Lies {
                    size: head.size,
                    etag: head.etag,
                })),
                Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
    })
}

/// Reads objects of a bucket.
pub fn read(objects: Objects, bucket: String) -> crate::controller::ReadMix {
    Arc::new(move |mix, part| {
        let (objects, bucket) = (objects.clone(), bucket.clone());
        Box::pin(async move {
            let etag = mix.etag.as_deref();
            Ok(objects.pieces(&bucket, &mix.key, part, etag).await?)
        })
    })
}
