//! Who is told of how Switchyard is: metrics for Prometheus, traces for a collector.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::App;
use crate::{
    config::Secret,
    controller::{Metrics, NotTold, Traces},
    http::{self, Metering},
    providers::Collector,
};

impl App {
    /// What `/metrics` answers with beside the pages.
    pub fn metering(&self) -> anyhow::Result<Metering> {
        let metrics = Metrics::new(self.mover()?, self.environment.shadow);
        Ok(Metering::new(Some(metrics), self.metrics_token()))
    }

    fn metrics_token(&self) -> Option<&str> {
        let token = self.config.telemetry.metrics_token.as_ref();
        token.map(Secret::expose)
    }

    /// Binds the address of `/metrics` of a process without pages, if it is to have one.
    pub async fn listen_for_metrics(
        &self,
        address: Option<SocketAddr>,
    ) -> anyhow::Result<Option<TcpListener>> {
        let Some(address) = address else {
            return Ok(None);
        };
        anyhow::ensure!(
            address.ip().is_loopback() || self.metrics_token().is_some(),
            "without a token metrics are served on loopback only; say `--metrics-listen 127.0.0.1:{}`, or set `telemetry.metrics_token`",
            address.port()
        );
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen at {address}; say another address with `--metrics-listen`")
        })?;
        info!("metrics at http://{}/metrics", listener.local_addr()?);
        Ok(Some(listener))
    }

    /// Serves what this process counts of itself until told to stop.
    pub async fn serve_metrics(
        &self,
        listener: Option<TcpListener>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let Some(listener) = listener else {
            return Ok(());
        };
        let router = http::metrics_router(Metering::new(None, self.metrics_token()));
        axum::serve(listener, router)
            .with_graceful_shutdown(async move { shutdown.cancelled().await })
            .await
            .context("serving metrics")
    }

    /// Where traces go; none where the settings name nobody.
    pub fn collector(&self) -> anyhow::Result<Option<Collector>> {
        let Some(settings) = &self.config.telemetry.traces else {
            return Ok(None);
        };
        let headers = settings.headers.iter();
        let collector = Collector::new(
            settings.url.clone(),
            headers.map(|(name, value)| (name.as_str(), value.expose())),
            self.name.as_str(),
            Duration::from_secs(settings.timeout_s),
        )?;
        Ok(Some(collector))
    }

    /// Tells a collector of this environment's recordings; none where the settings name none.
    pub fn traces(&self) -> anyhow::Result<Option<Traces>> {
        let collector = self.collector()?;
        let Some((collector, settings)) = collector.zip(self.config.telemetry.traces.as_ref())
        else {
            return Ok(None);
        };
        Ok(Some(Traces {
            about: self.about()?,
            store: self.store.clone(),
            tell: Arc::new(move |traces| {
                let collector = collector.clone();
                Box::pin(async move {
                    match collector.send(&traces).await {
                        Ok(taken) if taken.rejected > 0 => {
                            let (rejected, why) = (taken.rejected, &taken.message);
                            warn!("the collector did not take {rejected} spans: {why}");
                            Ok(())
                        }
                        Ok(_) => Ok(()),
                        // These say that the traces are at fault, not the address or the key.
                        Err(error) if matches!(error.status(), Some(400 | 413 | 422)) => {
                            Err(NotTold::Never(error.into()))
                        }
                        Err(error) => Err(NotTold::Later(error.into())),
                    }
                })
            }),
            sample_percent: settings.sample_percent,
            holder: format!("traces-{}", uuid::Uuid::new_v4().simple()),
            clock: Arc::clone(&self.clock),
        }))
    }
}
