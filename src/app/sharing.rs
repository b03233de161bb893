//! The proxy for shared answers, and who asks through it.

use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::App;
use crate::{
    config::{self, SharingMode},
    model::SharedService,
    sharing::{Mode, Settings, Sharing},
    workers::Shared,
};

impl App {
    fn sharing_section(&self) -> anyhow::Result<&config::Sharing> {
        self.environment.sharing.as_ref().with_context(|| {
            format!(
                "the settings have no section `environments.{}.sharing`; add one that says where the proxy listens",
                self.name
            )
        })
    }

    /// The services as shadow runs reach them through the proxy; none where nobody shares.
    pub(super) fn shared(&self) -> anyhow::Result<Option<Shared>> {
        let Some(sharing) = &self.environment.sharing else {
            return Ok(None);
        };
        if sharing.mode == SharingMode::Off {
            return Ok(None);
        }
        let at = |service: SharedService| {
            let url = format!("http://{}/candidate/{}", sharing.listen, service.as_str());
            Url::parse(&url).context("the address of the proxy (`sharing.listen`)")
        };
        let llm = self.llm_at(at(SharedService::Llm)?)?;
        let transcription = self.transcription_at(at(SharedService::Transcription)?)?;
        Ok(Some(Shared {
            llm: llm.naming_runs(),
            transcription: transcription.naming_runs(),
        }))
    }

    /// Serves the proxy until told to stop.
    pub async fn serve_sharing(
        &self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let (environment, sharing) = (&self.environment, self.sharing_section()?);
        let seconds = Duration::from_secs;
        let settings = Settings {
            environment: self.name.clone(),
            mode: match sharing.mode {
                SharingMode::Off => Mode::Off,
                SharingMode::Share => Mode::Share { anew_percent: 0 },
                SharingMode::Sample => Mode::Share {
                    anew_percent: sharing.anew_percent,
                },
            },
            llm: sharing
                .llm_url
                .clone()
                .unwrap_or_else(|| environment.llm.url.clone()),
            transcription: sharing
                .transcription_url
                .clone()
                .unwrap_or_else(|| environment.transcription.url.clone()),
            wait: seconds(sharing.wait_s),
            llm_patience: seconds(environment.llm.timeout_s),
            transcription_patience: seconds(environment.transcription.timeout_s),
            keep: TimeDelta::hours(sharing.keep_hours.into()),
            keep_bytes: i64::from(sharing.keep_mb) << 20,
        };
        Sharing::new(settings, self.store.clone(), self.clock.clone())?
            .serve(listener, shutdown)
            .await
    }

    /// Where the control asks a service by way of the proxy.
    pub(super) fn control_door(&self, service: SharedService) -> anyhow::Result<Url> {
        let address = self.sharing_address()?;
        let url = format!("http://{address}/control/{}", service.as_str());
        Url::parse(&url).context("the address of the proxy (`sharing.listen`)")
    }

    /// Where the proxy listens.
    pub fn sharing_address(&self) -> anyhow::Result<std::net::SocketAddr> {
        Ok(self.sharing_section()?.listen)
    }
}
