//! `switchyard up`, `serve`, `tap`, `worker`, `engine`, `objects` and `share`: the roles that run until stopped.

use std::net::SocketAddr;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{ExitStatus, Globals};
use crate::app::{Doors, listen, listen_for_objects, make_bucket, run_all};

/// What `switchyard serve` takes.
#[derive(clap::Args)]
pub(super) struct ServeArgs {
    /// Leaves the tap of the settings to `switchyard tap`: two taps on one queue lose nothing, but
    /// messages may overtake one another.
    #[arg(long)]
    without_tap: bool,
}

/// What processes take that have no pages.
#[derive(clap::Args)]
pub(super) struct MetricsArgs {
    /// Serves `/metrics` there; each process wants an address of its own.
    #[arg(long, env = "SWITCHYARD_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
}

pub(super) async fn serve(args: ServeArgs, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let listener = listen(app.config.server.listen, "server.listen").await?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone());
    info!("pages and API at http://{}", listener.local_addr()?);
    info!("{}", app.who_is_answered());
    let traces = app.traces()?;
    let intake = app.intake()?;
    let tapping = app.tapping(&intake)?.filter(|_| !args.without_tap);
    let tapping = async {
        if let Some(tapping) = tapping {
            tapping.run(shutdown.clone()).await;
        }
    };
    let telling = async {
        if let Some(traces) = traces {
            traces.run(shutdown.clone()).await;
        }
    };
    let (served, (), (), (), (), (), (), ()) = tokio::join!(
        app.serve_http(listener, intake.clone(), shutdown.clone()),
        app.look_after(shutdown.clone())?,
        app.routing()?.run(shutdown.clone()),
        app.notices()?.run(shutdown.clone()),
        app.mirror_by_itself(shutdown.clone()),
        intake.run(shutdown.clone()),
        tapping,
        telling,
    );
    served?;
    Ok(ExitStatus::Success)
}

pub(super) async fn tap(args: MetricsArgs, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone());
    let metrics = app.listen_for_metrics(args.metrics_listen).await?;
    let (served, metered) = tokio::join!(
        app.serve_tap(shutdown.clone()),
        app.serve_metrics(metrics, shutdown),
    );
    served?;
    metered?;
    Ok(ExitStatus::Success)
}

pub(super) async fn worker(args: MetricsArgs, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone());
    info!("working for {}", app.environment.conductor.url);
    let metrics = app.listen_for_metrics(args.metrics_listen).await?;
    let ((), metered) = tokio::join!(
        app.work(shutdown.clone())?,
        app.serve_metrics(metrics, shutdown),
    );
    metered?;
    Ok(ExitStatus::Success)
}

pub(super) async fn engine(args: MetricsArgs, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let listener = listen(app.config.engine.listen, "engine.listen").await?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone());
    info!(
        "the embedded engine listens at http://{}/api",
        listener.local_addr()?
    );
    let metrics = app.listen_for_metrics(args.metrics_listen).await?;
    let (served, metered) = tokio::join!(
        app.serve_engine(listener, shutdown.clone()),
        app.serve_metrics(metrics, shutdown),
    );
    served?;
    metered?;
    Ok(ExitStatus::Success)
}

pub(super) async fn objects(globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let listener = listen_for_objects(&app).await?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone());
    info!(
        "the local object store listens at {}",
        listener.local_addr()?
    );
    let bucket = make_bucket(&app);
    let served = app.serve_objects(listener, shutdown);
    let mut served = std::pin::pin!(served);
    tokio::select! {
        ended = served.as_mut() => ended?,
        made = bucket => {
            made?;
            served.await?;
        }
    }
    Ok(ExitStatus::Success)
}

pub(super) async fn share(args: MetricsArgs, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let listener = listen(app.sharing_address()?, "sharing.listen").await?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone());
    let address = listener.local_addr()?;
    info!(
        "the control asks at http://{address}/control/llm and http://{address}/control/transcription"
    );
    let metrics = app.listen_for_metrics(args.metrics_listen).await?;
    let (served, metered) = tokio::join!(
        app.serve_sharing(listener, shutdown.clone()),
        app.serve_metrics(metrics, shutdown),
    );
    served?;
    metered?;
    Ok(ExitStatus::Success)
}

pub(super) async fn up(globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone());
    let mut doors = Doors {
        http: listen(app.config.server.listen, "server.listen").await?,
        engine: Some(listen(app.config.engine.listen, "engine.listen").await?),
        objects: None,
        sharing: None,
    };
    if app.environment.objects.local_dir.is_some() {
        doors.objects = Some(listen_for_objects(&app).await?);
    }
    if let Some(sharing) = &app.environment.sharing {
        doors.sharing = Some(listen(sharing.listen, "sharing.listen").await?);
    }
    info!("pages and API at http://{}", doors.http.local_addr()?);
    info!("{}", app.who_is_answered());
    run_all(app, doors, shutdown).await?;
    Ok(ExitStatus::Success)
}

/// Cancels the token at Ctrl-C or SIGTERM. A second one ends the process at once.
pub(super) fn stop_on_signal(shutdown: CancellationToken) {
    // Caught from here on: a signal that comes before the task below runs ends nothing by itself.
    let mut signals = Signals::caught();
    tokio::spawn(async move {
        signals.next().await;
        info!("stopping; once more to stop at once");
        shutdown.cancel();
        signals.next().await;
        std::process::exit(130);
    });
}

/// What tells a process to stop; none of a kind that the system does not let us catch.
struct Signals([Option<Signal>; 2]);

impl Signals {
    fn caught() -> Self {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
        Self(kinds.map(|kind| signal(kind).ok()))
    }

    async fn next(&mut self) {
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            () = received(interrupt) => {}
            () = received(terminate) => {}
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
