//! Getting objects, whole.

use std::{fs::File, ops::Deref};

use aws_sdk_s3::primitives::ByteStream;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tracing::warn;

use super::{
    Error, ErrorKind, Objects,
    error::{Asked, innermost},
    size,
};

/// An object that was fetched into a file.
#[derive(Debug)]
pub struct Fetched {
    /// Positioned at its beginning. It has no name any more, so it goes when it is closed.
    pub file: File,
    /// Bytes.
    pub size: u64,
    /// Which version of the object it is.
    pub etag: Option<String>,
    /// SHA-256 of the content in hex.
    pub sha256: String,
}

/// A download under way.
struct Download {
    file: tokio::fs::File,
    hash: Sha256,
    got: u64,
    /// Size and version as the first answer told them.
    whole: Option<(u64, Option<String>)>,
}

/// How an answer's body ended early.
enum Stop {
    /// The connection; the rest can be asked for.
    Cut(String),
    /// The disk.
    Disk(std::io::Error),
}

impl Objects {
    /// Fetches an object into an unlinked temporary file. After a cut the rest is asked for, as
    /// long as the object is the same.
    pub async fn get_to_file(&self, bucket: &str, key: &str) -> Result<Fetched, Error> {
        let asked = Asked::of_object("reading", bucket, key);
        let disk = |error: std::io::Error| {
            asked.error(ErrorKind::Other, format!("temporary file: {error}"))
        };
        let mut download = Download {
            file: tokio::fs::File::from_std(self.unlinked().map_err(disk)?),
            hash: Sha256::new(),
            got: 0,
            whole: None,
        };
        let mut attempt = 1;
        let (size, etag) = loop {
            let (body, size, etag) = self.open(bucket, key, &download, &asked).await?;
            download.whole = Some((size, etag.clone()));
            let cause = match self.receive(body, &mut download).await {
                Ok(()) if download.got == size => break (size, etag),
                Ok(()) => format!("{} of {size} bytes came", download.got),
                Err(Stop::Cut(cause)) => cause,
                Err(Stop::Disk(error)) => return Err(disk(error)),
            };
            // With all bytes there it was the checksum, and resuming would not mend it.
            if attempt == self.attempts || download.got >= size {
                return Err(asked.error(ErrorKind::Transient, cause));
            }
            warn!(
                attempt,
                got_bytes = download.got,
                size_bytes = size,
                "reading an object was cut: {cause}; resuming"
            );
            attempt += 1;
        };
        download.file.flush().await.map_err(disk)?;
        download.file.rewind().await.map_err(disk)?;
        Ok(Fetched {
            file: download.file.into_std().await,
            size,
            etag,
            sha256: hex::encode(download.hash.finalize()),
        })
    }

    fn unlinked(&self) -> std::io::Result<File> {
        match &self.scratch {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        }
    }

    /// A small object. One above `limit` bytes is refused before it is read.
    pub async fn get_bytes(&self, bucket: &str, key: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let asked = Asked::of_object("reading", bucket, key);
        let request = self.client.get_object().bucket(bucket).key(key);
        let answer = request.send().await.map_err(|error| asked.failed(&error))?;
        let told = size(answer.content_length());
        if told > limit {
            let cause = format!("{told} bytes, more than the {limit} that are allowed");
            return Err(asked.error(ErrorKind::Other, cause));
        }
        let mut body = answer.body;
        let mut bytes = Vec::new();
        while let Some(piece) = self
            .piece(&mut body)
            .await
            .map_err(|cause| asked.error(ErrorKind::Transient, cause))?
        {
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > told {
                break;
            }
        }
        if bytes.len() as u64 != told {
            let cause = format!("{} of {told} bytes came", bytes.len());
            return Err(asked.error(ErrorKind::Transient, cause));
        }
        Ok(bytes)
    }

    /// Asks for what is missing; gives the body and the whole object's size and version.
    async fn open(
        &self,
        bucket: &str,
        key: &str,
        download: &Download,
        asked: &Asked,
    ) -> Result<(ByteStream, u64, Option<String>), Error> {
        let mut request = self.client.get_object().bucket(bucket).key(key);
        if let Some((_, etag)) = &download.whole {
            request = request
                .range(format!("bytes={}-", download.got))
                .set_if_match(etag.clone());
        }
        let answer = request.send().await.map_err(|error| {
            if error
                .raw_response()
                .is_some_and(|raw| raw.status().as_u16() == 412)
            {
                changed(asked)
            } else {
                asked.failed(&error)
            }
        })?;
        let Some((size_before, etag_before)) = &download.whole else {
            let told = answer.content_length().ok_or_else(|| {
                asked.error(ErrorKind::Other, "the store does not say how long it is")
            })?;
            return Ok((answer.body, size(Some(told)), answer.e_tag));
        };
        // Not every store knows `If-Match`.
        if answer.e_tag != *etag_before {
            return Err(changed(asked));
        }
        let here = format!("bytes {}-", download.got);
        if !answer
            .content_range()
            .is_some_and(|range| range.starts_with(&here))
        {
            return Err(asked.error(ErrorKind::Transient, "the store cannot resume"));
        }
        Ok((answer.body, *size_before, answer.e_tag))
    }

    async fn receive(&self, mut body: ByteStream, download: &mut Download) -> Result<(), Stop> {
        while let Some(piece) = self.piece(&mut body).await.map_err(Stop::Cut)? {
            download.file.write_all(&piece).await.map_err(Stop::Disk)?;
            download.hash.update(&*piece);
            download.got += piece.len() as u64;
        }
        Ok(())
    }

    pub(super) async fn piece(
        &self,
        body: &mut ByteStream,
    ) -> Result<Option<impl Deref<Target = [u8]> + use<>>, String> {
        let piece = tokio::time::timeout(self.read_timeout, body.try_next()).await;
        piece
            .map_err(|_| format!("nothing came for {} s", self.read_timeout.as_secs_f64()))?
            .map_err(|error| format!("connection cut: {}", innermost(&error)))
    }
}

fn changed(asked: &Asked) -> Error {
    asked.error(ErrorKind::Transient, "the object changed while it was read")
}
