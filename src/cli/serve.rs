//! `switchyard up`, `serve`, `worker`, `engine` and `objects`: the roles that run until stopped.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info};

use super::{ExitStatus, Globals};
use crate::{app::App, controller};

pub(super) async fn serve(globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let listener = listen(app.config.server.listen, "server.listen").await?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone());
    info!("pages and API at http://{}", listener.local_addr()?);
    let following = app.shadow()?.run(shutdown.clone());
    let (served, ()) = tokio::join!(app.serve_http(listener, shutdown.clone()), following);
    served?;
    Ok(ExitStatus::Success)
}

pub(super) async fn worker(globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone());
    info!("working for {}", app.environment.conductor.url);
    app.runner()?.run(shutdown).await;
    Ok(ExitStatus::Success)
}

pub(super) async fn engine(globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let listener = listen(app.config.engine.listen, "engine.listen").await?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone());
    info!(
        "the embedded engine listens at http://{}/api",
        listener.local_addr()?
    );
    app.serve_engine(listener, shutdown).await?;
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

pub(super) async fn up(globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone());
    let mut doors = Doors {
        http: listen(app.config.server.listen, "server.listen").await?,
        engine: Some(listen(app.config.engine.listen, "engine.listen").await?),
        objects: None,
    };
    if app.environment.objects.local_dir.is_some() {
        doors.objects = Some(listen_for_objects(&app).await?);
    }
    info!("pages and API at http://{}", doors.http.local_addr()?);
    run_all(app, doors, shutdown).await?;
    Ok(ExitStatus::Success)
}

/// The sockets of `up` and `demo`, bound before anything starts.
pub(super) struct Doors {
    /// Pages and API.
    pub http: TcpListener,
    /// The embedded engine, where there is no other.
    pub engine: Option<TcpListener>,
    /// The local object store.
    pub objects: Option<TcpListener>,
}

/// Runs engine, local objects, workers and controller until told to stop. Any of them ending
/// before is a fault, and ends the others.
pub(super) async fn run_all(
    app: App,
    doors: Doors,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let app = std::sync::Arc::new(app);
    let roles = TaskTracker::new();
    let (failures, mut failed) = tokio::sync::mpsc::unbounded_channel();
    // What others depend on stops after them.
    let foundations = CancellationToken::new();
    let watch = |name: &'static str, stop: CancellationToken| {
        let failures = failures.clone();
        let shutdown = shutdown.clone();
        move |result: anyhow::Result<()>| {
            if let Err(problem) = result {
                error!("{name} has stopped: {problem:#}");
                drop(failures.send(problem.context(name)));
            }
            if !stop.is_cancelled() {
                shutdown.cancel();
            }
        }
    };

    if let Some(listener) = doors.objects {
        let (app, stop) = (app.clone(), foundations.clone());
        let ended = watch("the local object store", stop.clone());
        roles.spawn(async move { ended(app.serve_objects(listener, stop).await) });
    }
    if let Some(listener) = doors.engine {
        let (app, stop) = (app.clone(), foundations.clone());
        let ended = watch("the embedded engine", stop.clone());
        roles.spawn(async move { ended(app.serve_engine(listener, stop).await) });
    }
    prepare(&app).await?;

    let users = TaskTracker::new();
    {
        let (app, stop) = (app.clone(), shutdown.clone());
        let ended = watch("the HTTP server", stop.clone());
        users.spawn(async move { ended(app.serve_http(doors.http, stop).await) });
    }
    users.spawn(app.runner()?.run(shutdown.clone()));
    users.spawn(app.shadow()?.run(shutdown.clone()));

    shutdown.cancelled().await;
    users.close();
    users.wait().await;
    foundations.cancel();
    roles.close();
    roles.wait().await;
    failed.close();
    match failed.recv().await {
        Some(problem) => Err(problem),
        None => Ok(()),
    }
}

/// Makes what a fresh machine lacks: the buckets of a local store, and the engine's definitions.
async fn prepare(app: &App) -> anyhow::Result<()> {
    if app.environment.objects.local_dir.is_some() {
        make_bucket(app).await?;
    }
    controller::register(&app.client()?).await?;
    Ok(())
}

async fn make_bucket(app: &App) -> anyhow::Result<()> {
    let bucket = &app.environment.objects.bucket;
    Ok(app.objects()?.create_bucket_if_missing(bucket).await?)
}

/// The address the clients of the local object store are told.
async fn listen_for_objects(app: &App) -> anyhow::Result<TcpListener> {
    let settings = &app.environment.objects;
    anyhow::ensure!(
        settings.local_dir.is_some(),
        "`environments.{}.objects.local_dir` names no folder to serve; name one, or leave this to the store at `objects.endpoint`",
        app.name
    );
    let endpoint = settings.endpoint.as_ref();
    let address = endpoint
        .and_then(|url| url.socket_addrs(|| None).ok())
        .and_then(|addresses| addresses.into_iter().next())
        .context("`objects.endpoint` names no address to serve `objects.local_dir` at")?;
    listen(address, "objects.endpoint").await
}

pub(super) async fn listen(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen at {address}; change `{key}` in the settings, or stop what is there")
    })
}

/// Cancels the token at Ctrl-C or SIGTERM. A second one ends the process at once.
pub(super) fn stop_on_signal(shutdown: CancellationToken) {
    tokio::spawn(async move {
        signal().await;
        info!("stopping; once more to stop at once");
        shutdown.cancel();
        signal().await;
        std::process::exit(130);
    });
}

async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}
