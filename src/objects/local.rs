//! A folder served as S3 on loopback, so that a machine without a store runs the same client.
//!
//! Signatures are checked as the real thing does: a wrong secret, a changed or an expired URL gets
//! 403. What the server knows of an object it keeps in a file named after bucket and key, so keys
//! are shorter here than in S3: 147 bytes in a bucket whose name has 21, 114 for objects that are
//! put in parts. Longer ones are refused as `KeyTooLongError`.

use std::{path::Path, pin::Pin, time::Duration};

use anyhow::Context as _;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    auth::SimpleAuth,
    s3_error,
    service::S3ServiceBuilder,
};
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
    service.set_access(Access);
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

/// Who may do what: whoever signs, with keys that fit into a file name.
struct Access;

/// Of a file name, on every file system we know.
const LONGEST_NAME: usize = 255;

impl S3Access for Access {
    fn check<'a, 'b, 'c, 'f>(
        &'a self,
        context: &'b mut S3AccessContext<'c>,
    ) -> Pin<Box<dyn Future<Output = S3Result<()>> + Send + 'f>>
    where
        Self: 'f,
        'a: 'f,
        'b: 'f,
        'c: 'f,
    {
        Box::pin(std::future::ready(check(context)))
    }
}

fn check(context: &S3AccessContext<'_>) -> S3Result<()> {
    if context.credentials().is_none() {
        return Err(s3_error!(AccessDenied, "signature is required"));
    }
    let during_upload = match context.s3_op().name() {
        "PutObject" | "CopyObject" => "",
        "CreateMultipartUpload" => ".upload-00000000-0000-0000-0000-000000000000",
        _ => return Ok(()),
    };
    let Some((bucket, key)) = context.s3_path().as_object() else {
        return Ok(());
    };
    let base64 = |text: &str| (text.len() * 4).div_ceil(3);
    let name = ".bucket-".len()
        + base64(bucket)
        + ".object-".len()
        + base64(key)
        + during_upload.len()
        + ".metadata.json".len();
    if name > LONGEST_NAME {
        return Err(s3_error!(KeyTooLongError));
    }
    Ok(())
}
