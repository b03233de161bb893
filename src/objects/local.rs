//! A folder served as S3 on loopback, so that a machine without a store runs the same client.
//!
//! Signatures are checked as the real thing does: a wrong secret, a changed or an expired URL gets
//! 403. The server keeps what it knows of an object in a file named after its key, so keys are
//! shorter here than in S3: about 140 characters, 110 for one that is put in parts.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

/// Serves `root` until `shutdown`, then ends its open requests. A bucket is a folder in `root`.
pub async fn serve(
    root: &Path,
    listener: TcpListener,
    access_key: &str,
    secret_key: &str,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(root)
        .with_context(|| format!("local objects: creating `{}`", root.display()))?;
    let files = FileSystem::new(root).map_err(|error| {
        anyhow::anyhow!("local objects: opening `{}`: {error:?}", root.display())
    })?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(access_key, secret_key));
    let service = service.build();

    let http = Builder::new(TokioExecutor::new());
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, mostly: others must close theirs first.
                warn!("local objects: accepting a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let connection = http
            .serve_connection(TokioIo::new(stream), service.clone())
            .into_owned();
        let shutdown = shutdown.clone();
        open.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = shutdown.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                debug!("local objects: a connection ended: {error}");
            }
        });
    }
    open.close();
    open.wait().await;
    Ok(())
}
