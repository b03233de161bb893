//! Getting what a URL names, presigned or public: whole or not at all, as with
//! [`Objects::get_to_file`](super::Objects::get_to_file). Of a URL only what comes before its query is
//! ever told: the rest may let others read the object.

use std::{path::PathBuf, time::Duration};

use reqwest::{
    Client, Response, StatusCode, Version,
    header::{CONTENT_RANGE, ETAG, HeaderMap, IF_MATCH, RANGE, TRANSFER_ENCODING},
    redirect::Policy,
};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use url::Url;

use super::{
    Error, ErrorKind, Fetched,
    error::{Asked, innermost},
};

/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// Gets URLs. Clones share connections.
#[derive(Clone)]
pub struct Links {
    client: Client,
    patience: Duration,
    attempts: u32,
    backoff: Duration,
    scratch: Option<PathBuf>,
}

/// How reading an answer ended.
enum Stop {
    /// The connection or the server; another attempt may get the rest.
    Again(String),
    /// No attempt can.
    Never(Error),
}

/// What of the object is there.
struct Part {
    file: tokio::fs::File,
    hash: Sha256,
    got: u64,
    /// As the first answer told.
    size: Option<u64>,
    etag: Option<String>,
}

impl Links {
    /// Waits this long for a connection, for an answer and for each further piece of it.
    pub fn new(patience: Duration) -> anyhow::Result<Self> {
        let client = Client::builder()
            .redirect(Policy::limited(REDIRECTS))
            .connect_timeout(patience)
            .user_agent(concat!("switchyard/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| anyhow::anyhow!("preparing HTTP: {}", error.without_url()))?;
        Ok(Self {
            client,
            patience,
            attempts: 3,
            backoff: Duration::from_millis(200),
            scratch: None,
        })
    }

    /// Fetches what the URL names into an unlinked temporary file. After a cut the rest is asked for,
    /// as long as it is the same. `progress` is told the bytes that came, and of how many.
    pub async fn get_to_file(
        &self,
        url: &Url,
        progress: &(dyn Fn(u64, Option<u64>) + Sync),
    ) -> Result<Fetched, Error> {
        let asked = Asked::of_url("reading", &shown(url));
        let disk = |error: std::io::Error| {
            asked.error(ErrorKind::Other, format!("temporary file: {error}"))
        };
        let file = match &self.scratch {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        };
        let mut part = Part {
            file: tokio::fs::File::from_std(file.map_err(disk)?),
            hash: Sha256::new(),
            got: 0,
            size: None,
            etag: None,
        };
        let mut attempt = 1;
        loop {
            match self.receive(url, &asked, &mut part, progress).await {
                Ok(()) => break,
                Err(Stop::Never(error)) => return Err(error),
                Err(Stop::Again(cause)) if attempt == self.attempts => {
                    let cause = match part.size {
                        Some(size) => format!("{cause}; {} of {size} bytes came", part.got),
                        None => cause,
                    };
                    return Err(asked.error(ErrorKind::Transient, cause));
                }
                Err(Stop::Again(_)) => {}
            }
            tokio::time::sleep(self.backoff * 2_u32.pow(attempt - 1)).await;
            attempt += 1;
        }
        part.file.flush().await.map_err(disk)?;
        part.file.rewind().await.map_err(disk)?;
        Ok(Fetched {
            file: part.file.into_std().await,
            size: part.got,
            etag: part.etag,
            sha256: hex::encode(part.hash.finalize()),
        })
    }

    /// Asks for what is missing and takes it in.
    async fn receive(
        &self,
        url: &Url,
        asked: &Asked,
        part: &mut Part,
        progress: &(dyn Fn(u64, Option<u64>) + Sync),
    ) -> Result<(), Stop> {
        let mut request = self.client.get(url.clone());
        if part.got > 0 {
            request = request.header(RANGE, format!("bytes={}-", part.got));
            if let Some(etag) = &part.etag {
                request = request.header(IF_MATCH, etag);
            }
        }
        let answer = self.in_time(request.send()).await?;
        let mut answer = part.accept(answer, asked)?;
        while let Some(piece) = self.in_time(answer.chunk()).await? {
            let write = part.file.write_all(&piece).await;
            write.map_err(|error| {
                let cause = format!("temporary file: {error}");
                Stop::Never(asked.error(ErrorKind::Other, cause))
            })?;
            part.hash.update(&piece);
            part.got += piece.len() as u64;
            progress(part.got, part.size);
        }
        match part.size {
            Some(size) if part.got < size => Err(Stop::Again("the connection was cut".into())),
            _ => Ok(()),
        }
    }

    async fn in_time<T>(
        &self,
        coming: impl Future<Output = reqwest::Result<T>>,
    ) -> Result<T, Stop> {
        let came = tokio::time::timeout(self.patience, coming).await;
        came.map_err(|_| {
            Stop::Again(format!(
                "nothing came for {} s",
                self.patience.as_secs_f64()
            ))
        })?
        .map_err(|error| Stop::Again(innermost(&error.without_url())))
    }
}

impl Part {
    /// Judges an answer by its head.
    fn accept(&mut self, answer: Response, asked: &Asked) -> Result<Response, Stop> {
        let status = answer.status();
        let changed = || {
            let cause = "it changed while it was read";
            Stop::Never(asked.error(ErrorKind::Transient, cause))
        };
        if self.got > 0 && status == StatusCode::PRECONDITION_FAILED {
            return Err(changed());
        }
        if !status.is_success() {
            return Err(refused(status, asked));
        }
        let etag = text(answer.headers(), &ETAG);
        if self.got > 0 {
            if etag != self.etag {
                return Err(changed());
            }
            let here = format!("bytes {}-", self.got);
            let resumes = status == StatusCode::PARTIAL_CONTENT
                && text(answer.headers(), &CONTENT_RANGE)
                    .is_some_and(|range| range.starts_with(&here));
            if !resumes {
                let cause = "the connection was cut, and the server cannot resume";
                return Err(Stop::Never(asked.error(ErrorKind::Transient, cause)));
            }
            return Ok(answer);
        }
        self.size = answer.content_length();
        self.etag = etag;
        // Without either, an end and a cut look alike.
        let is_framed = self.size.is_some()
            || answer.version() >= Version::HTTP_2
            || answer.headers().contains_key(TRANSFER_ENCODING);
        if is_framed {
            Ok(answer)
        } else {
            let cause = "the server does not say how long it is, so a cut could not be told";
            Err(Stop::Never(asked.error(ErrorKind::Other, cause)))
        }
    }
}

fn refused(status: StatusCode, asked: &Asked) -> Stop {
    let code = status.as_u16();
    let (kind, remedy) = match code {
        404 | 410 => (ErrorKind::NotFound, "there is nothing; check the URL"),
        401 | 403 => (
            ErrorKind::Denied,
            "refused; a presigned URL may have expired, so ask for a new one",
        ),
        408 | 429 | 500.. => return Stop::Again(format!("status {code}")),
        _ => (ErrorKind::Other, "the server does not take this URL"),
    };
    Stop::Never(asked.error(kind, format!("status {code}, {remedy}")))
}

fn text(headers: &HeaderMap, name: &reqwest::header::HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    value.to_str().ok().map(str::to_owned)
}

/// A URL as it may be told: without user, query and fragment.
pub fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}"));
    format!(
        "{}://{host}{}{}",
        url.scheme(),
        port.unwrap_or_default(),
        url.path()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_nothing_is_told_that_lets_others_read_it() {
        let url = Url::parse("https://me:pass@host.test:8443/a/b%20c?X-Signature=s#f").unwrap();
        assert_eq!(shown(&url), "https://host.test:8443/a/b%20c");
    }
}
