//! Several roles in one process: who starts first, who stops last.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::error;

use super::App;
use crate::{config::Config, controller, workers::Pinning};

/// The sockets of `up` and `demo`, bound before anything starts.
pub struct Doors {
    /// Pages and API.
    pub http: TcpListener,
    /// The embedded engine, where there is no other.
    pub engine: Option<TcpListener>,
    /// The local object store.
    pub objects: Option<TcpListener>,
    /// The proxy for shared answers, where the settings have one.
    pub sharing: Option<TcpListener>,
}

impl App {
    /// The worker role, until told to stop: does tasks, looks for the steps that differences come from,
    /// tells users of live runs that failed, and deletes copies of sound that people took back. The last
    /// two need to know where Reflector is.
    pub fn work(
        &self,
        shutdown: CancellationToken,
    ) -> anyhow::Result<impl Future<Output = ()> + Send + use<>> {
        let gateway = self.gateway()?;
        let services = Arc::new(self.services(gateway.clone())?);
        let runner = self.runner(Arc::clone(&services))?;
        let pinning = Pinning::new(
            services,
            self.name.clone(),
            Config::flag(),
            Arc::new(self.policy()?),
            self.environment.comparison.pinned_percent,
        );
        let environment = self.name.clone();
        let bucket = self.environment.objects.bucket.clone();
        Ok(async move {
            let running = async {
                tokio::join!(runner.run(shutdown.clone()), pinning.run(shutdown.clone()));
            };
            let Some(gateway) = gateway else {
                return running.await;
            };
            let telling = gateway
                .clone()
                .tell_failures(environment.clone(), shutdown.clone());
            let sweeping = gateway.sweep(environment, bucket, shutdown.clone());
            tokio::join!(running, telling, sweeping);
        })
    }
}

/// Runs engine, local objects, workers and controller until told to stop. Any of them ending
/// before is a fault, and ends the others.
pub async fn run_all(app: App, doors: Doors, shutdown: CancellationToken) -> anyhow::Result<()> {
    let app = Arc::new(app);
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
    if let Some(listener) = doors.sharing {
        let (app, stop) = (app.clone(), foundations.clone());
        let ended = watch("the proxy for shared answers", stop.clone());
        roles.spawn(async move { ended(app.serve_sharing(listener, stop).await) });
    }
    prepare(&app).await?;

    let intake = app.intake()?;
    let tapping = app.tapping(&intake)?;
    let users = TaskTracker::new();
    {
        let (app, stop) = (app.clone(), shutdown.clone());
        let intake = intake.clone();
        let ended = watch("the HTTP server", stop.clone());
        users.spawn(async move { ended(app.serve_http(doors.http, intake, stop).await) });
    }
    users.spawn(intake.run(shutdown.clone()));
    if let Some(tapping) = tapping {
        users.spawn(tapping.run(shutdown.clone()));
    }
    users.spawn(app.work(shutdown.clone())?);
    users.spawn(app.look_after(shutdown.clone())?);
    users.spawn(app.routing()?.run(shutdown.clone()));
    users.spawn(app.notices()?.run(shutdown.clone()));
    {
        let (app, stop) = (app.clone(), shutdown.clone());
        users.spawn(async move { app.mirror_by_itself(stop).await });
    }
    if let Some(traces) = app.traces()? {
        users.spawn(traces.run(shutdown.clone()));
    }

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

/// Makes Reflector's bucket in the object store, where there is none.
pub async fn make_bucket(app: &App) -> anyhow::Result<()> {
    let bucket = &app.environment.objects.bucket;
    Ok(app.objects()?.create_bucket_if_missing(bucket).await?)
}

/// Binds the address that the clients of the local object store are told.
pub async fn listen_for_objects(app: &App) -> anyhow::Result<TcpListener> {
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

/// Binds an address of the settings; `key` names it in the message.
pub async fn listen(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen at {address}; change `{key}` in the settings, or stop what is there")
    })
}
