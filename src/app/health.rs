//! What looks after one environment: health, fallback, watchdog, and who follows runs.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::App;
use crate::{
    conductor::{Client, ClientConfig, RetryPolicy},
    controller::{
        Fallback, OnFail, Turns, Watchdog,
        health::{self, Health, Neighbour, Standing},
    },
    model::{RecordingId, TranscriptId},
    objects::ErrorKind,
    providers,
    rollout::{Layer, NotClosed},
};

impl App {
    /// Follows runs, looks at Conductor's health, gives back what it does not get done, reminds it
    /// of the rest, tests the comparison, drives replays begun over HTTP, tells what turned, and deletes
    /// what is over its time, until told to stop.
    pub fn look_after(
        &self,
        shutdown: CancellationToken,
    ) -> anyhow::Result<impl Future<Output = ()> + Send + use<>> {
        let shadow = self.shadow()?;
        let health = self.health()?;
        let fallback = self.fallback()?;
        let selftests = self.selftests()?;
        let replays = match &self.environment.legacy {
            Some(_) => Some(self.replays()?),
            None => None,
        };
        let turns = self.turns()?;
        let retention = self.retention()?;
        let watchdog = Watchdog {
            environment: self.name.clone(),
            store: self.store.clone(),
            client: self.client()?,
            clock: Arc::clone(&self.clock),
        };
        Ok(async move {
            let falling_back = async {
                if let Some(fallback) = fallback {
                    fallback.run(shutdown.clone()).await;
                }
            };
            let replaying = async {
                if let Some(replays) = replays {
                    replays.run(shutdown.clone()).await;
                }
            };
            tokio::join!(
                replaying,
                shadow.run(shutdown.clone()),
                health.run(shutdown.clone()),
                watchdog.run(shutdown.clone()),
                selftests.run(shutdown.clone()),
                turns.run(shutdown.clone()),
                retention.run(shutdown.clone()),
                falling_back,
            );
        })
    }

    /// Tells when something turned in this environment.
    pub fn turns(&self) -> anyhow::Result<Turns> {
        Ok(Turns {
            about: self.about()?,
            store: self.store.clone(),
            on_fail: if self.environment.rollout.hold_on_fail {
                OnFail::Hold
            } else {
                OnFail::Tell
            },
            clock: Arc::clone(&self.clock),
        })
    }

    /// A client that does not wait for long and tries once: what it cannot do now is a finding.
    fn impatient_client(&self) -> anyhow::Result<Client> {
        let limits = &self.environment.health;
        let timeout = Duration::from_secs(limits.timeout_s.unsigned_abs());
        let mut config = ClientConfig::new(self.environment.conductor.url.clone());
        config.connect_timeout = timeout;
        config.request_timeout = timeout;
        config.poll_margin = timeout;
        config.retry = RetryPolicy {
            attempts: 1,
            ..RetryPolicy::default()
        };
        Client::new(config)
    }

    /// Looks at this environment's health.
    pub fn health(&self) -> anyhow::Result<Health> {
        Ok(Health::new(
            self.about()?,
            self.store.clone(),
            self.impatient_client()?,
            self.neighbours()?,
            self.environment.health,
            Arc::clone(&self.clock),
        ))
    }

    /// Gives back what Conductor does not get done; none where the settings do not say where to.
    fn fallback(&self) -> anyhow::Result<Option<Fallback>> {
        let legacy = self.environment.legacy.as_ref();
        if legacy.is_none_or(|legacy| legacy.broker_url.is_none()) {
            return Ok(None);
        }
        let mut giving_back = self.giving_back()?;
        giving_back.client = self.impatient_client()?;
        Ok(Some(Fallback {
            environment: self.name.clone(),
            store: self.store.clone(),
            giving_back,
            limits: self.environment.health,
            clock: Arc::clone(&self.clock),
        }))
    }

    /// How this environment's breaker stands.
    pub async fn standing(&self) -> anyhow::Result<Standing> {
        let limits = &self.environment.health;
        health::standing(&self.store, &self.name, limits, (self.clock)()).await
    }

    /// Closes this environment's breaker by a person's word, or says why not.
    pub async fn close_breaker(
        &self,
        by: &str,
        reason: &str,
    ) -> anyhow::Result<Result<(), NotClosed>> {
        let (about, now) = (self.about()?, (self.clock)());
        health::close(&self.store, &about, (by, reason), now).await
    }

    /// What both pipelines need, and what the legacy one needs alone.
    fn neighbours(&self) -> anyhow::Result<Vec<Neighbour>> {
        let mut neighbours = vec![
            self.objects_near()?,
            self.daily_near()?,
            self.transcription_near()?,
            self.llm_near()?,
        ];
        if let Some(legacy) = &self.environment.legacy {
            neighbours.push(self.reflector_near()?);
            if let Some(celery) = super::intake::celery(legacy)? {
                neighbours.push(Neighbour {
                    name: "Celery's broker",
                    layer: Layer::Legacy,
                    reach: Arc::new(move || {
                        let broker = celery.broker.clone();
                        Box::pin(async move {
                            broker.ping().await?;
                            Ok("it answers".to_owned())
                        })
                    }),
                });
            }
        }
        Ok(neighbours)
    }

    fn objects_near(&self) -> anyhow::Result<Neighbour> {
        let (objects, bucket) = (self.objects()?, self.environment.objects.bucket.clone());
        Ok(Neighbour {
            name: "objects",
            layer: Layer::Shared,
            reach: Arc::new(move || {
                let (objects, bucket) = (objects.clone(), bucket.clone());
                Box::pin(async move {
                    match objects.check(&bucket).await {
                        Ok(()) => Ok("they can be read".to_owned()),
                        // Ours to put right, and no reason for Celery to fail.
                        Err(error)
                            if matches!(error.kind, ErrorKind::Denied | ErrorKind::NotFound) =>
                        {
                            Ok(format!("they answer: {error}"))
                        }
                        Err(error) => Err(error.into()),
                    }
                })
            }),
        })
    }

    fn daily_near(&self) -> anyhow::Result<Neighbour> {
        let daily = Arc::new(self.daily()?);
        Ok(Neighbour {
            name: "Daily",
            layer: Layer::Shared,
            reach: Arc::new(move || {
                let daily = Arc::clone(&daily);
                Box::pin(async move {
                    // A recording that cannot exist: any answer will do.
                    let nowhere = RecordingId::new("00000000-0000-4000-8000-000000000000");
                    answered(daily.recording(&nowhere).await.map(drop))
                })
            }),
        })
    }

    fn transcription_near(&self) -> anyhow::Result<Neighbour> {
        let transcription = Arc::new(self.transcription()?);
        Ok(Neighbour {
            name: "transcription",
            layer: Layer::Shared,
            reach: Arc::new(move || {
                let transcription = Arc::clone(&transcription);
                Box::pin(async move { answered(transcription.reach().await) })
            }),
        })
    }

    fn llm_near(&self) -> anyhow::Result<Neighbour> {
        let llm = Arc::new(self.llm()?);
        Ok(Neighbour {
            name: "language model",
            layer: Layer::Shared,
            reach: Arc::new(move || {
                let llm = Arc::clone(&llm);
                Box::pin(async move { answered(llm.reach().await) })
            }),
        })
    }

    fn reflector_near(&self) -> anyhow::Result<Neighbour> {
        let reflector = self.reflector()?;
        Ok(Neighbour {
            name: "Reflector's database",
            layer: Layer::Shared,
            reach: Arc::new(move || {
                let reflector = reflector.clone();
                Box::pin(async move {
                    let nowhere = TranscriptId::new("switchyard-looks");
                    reflector.status(&nowhere).await?;
                    Ok("it answers".to_owned())
                })
            }),
        })
    }
}

/// Whether a service is there: one that refuses us may serve the legacy pipeline all the same.
fn answered(answer: Result<(), providers::Error>) -> anyhow::Result<String> {
    match answer {
        Ok(()) => Ok("it answers".to_owned()),
        Err(error) => match error.status() {
            Some(404) => Ok("it answers".to_owned()),
            Some(status) if status < 500 && status != 429 => Ok(format!("it answers: {error}")),
            Some(_) | None => Err(error.into()),
        },
    }
}
