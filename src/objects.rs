//! Objects: tracks, mixes and waveforms in S3 or anything that speaks its protocol, the
//! [local folder](local) included.
//!
//! A download arrives whole or not at all: it is resumed where the connection was cut, and ends in
//! an error when the object changed meanwhile.

use std::{fmt, path::PathBuf, time::Duration};

use anyhow::Context as _;
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    presigning::PresigningConfig,
    types::{BucketLocationConstraint, CreateBucketConfiguration},
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use chrono::{DateTime, Utc};
use url::Url;

mod copy;
mod download;
mod error;
mod link;
pub mod local;
mod metered;
mod pieces;
mod upload;

pub use download::Fetched;
pub use error::{Error, ErrorKind};
pub use link::{Links, shown};
pub use pieces::Pieces;
pub use upload::Stored;

use error::Asked;

/// How to reach a store.
#[derive(Clone)]
pub struct Settings {
    /// None for Amazon's own.
    pub endpoint: Option<Url>,
    /// The region requests are signed for.
    pub region: String,
    /// Whose requests they are.
    pub access_key: String,
    /// What signs them.
    pub secret_key: String,
    /// How a bucket gets into a URL.
    pub addressing: Addressing,
    /// For a connection to come about.
    pub connect_timeout: Duration,
    /// For the first byte of an answer, and for each further piece of a download.
    pub read_timeout: Duration,
    /// For one operation with all its repetitions, a download's body apart.
    pub operation_timeout: Duration,
    /// Requests per operation, and connections per download.
    pub attempts: u32,
    /// The first wait between requests.
    pub backoff: Duration,
    /// Where downloads lie while they are used; the system's own place when none.
    pub scratch: Option<PathBuf>,
}

impl Settings {
    /// Settings with the usual timeouts: 5 s, 30 s and 120 s, three attempts.
    pub fn new(
        endpoint: Option<Url>,
        region: impl Into<String>,
        access_key: impl Into<String>,
        secret_key: impl Into<String>,
        addressing: Addressing,
    ) -> Self {
        Self {
            endpoint,
            region: region.into(),
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            addressing,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
            operation_timeout: Duration::from_mins(2),
            attempts: 3,
            backoff: Duration::from_millis(200),
            scratch: None,
        }
    }
}

/// How a bucket gets into a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// As the first segment of the path; what most stores beside Amazon's need.
    Path,
    /// As the first label of the host.
    Host,
}

/// A client for one store.
#[derive(Clone)]
pub struct Objects {
    client: Client,
    region: String,
    read_timeout: Duration,
    attempts: u32,
    scratch: Option<PathBuf>,
}

/// An object as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Changes with the content.
    pub etag: Option<String>,
    /// When it was put there.
    pub last_modified: Option<DateTime<Utc>>,
}

/// An object without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes.
    pub size: u64,
    /// Changes with the content.
    pub etag: Option<String>,
    /// As it was given.
    pub content_type: Option<String>,
    /// When it was put there.
    pub last_modified: Option<DateTime<Utc>>,
}

/// A URL that reads one object without further credentials, so it prints as `***`.
#[derive(Clone)]
pub struct PresignedUrl(String);

impl PresignedUrl {
    /// The URL, to be sent to whom it is meant for and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Objects {
    /// Connects nowhere yet.
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        anyhow::ensure!(
            !settings.access_key.is_empty() && !settings.secret_key.is_empty(),
            "objects: access key and secret key must not be empty"
        );
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.read_timeout)
            .operation_timeout(settings.operation_timeout)
            .build();
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .interceptor(metered::Metered)
            .region(Region::new(settings.region.clone()))
            .credentials_provider(Credentials::new(
                settings.access_key,
                settings.secret_key,
                None,
                None,
                "settings",
            ))
            .force_path_style(settings.addressing == Addressing::Path)
            .timeout_config(timeouts)
            // A download's pieces are timed one by one instead.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(settings.attempts)
                    .with_initial_backoff(settings.backoff),
            );
        if let Some(endpoint) = settings.endpoint {
            anyhow::ensure!(
                matches!(endpoint.scheme(), "http" | "https"),
                "objects: the endpoint must begin with http:// or https://"
            );
            config = config.endpoint_url(endpoint.as_str().trim_end_matches('/'));
        }
        Ok(Self {
            client: Client::from_conf(config.build()),
            region: settings.region,
            read_timeout: settings.read_timeout,
            attempts: settings.attempts.max(1),
            scratch: settings.scratch,
        })
    }

    /// Whether the bucket is there and may be used.
    pub async fn check(&self, bucket: &str) -> Result<(), Error> {
        let asked = Asked::of_bucket("checking bucket", bucket);
        let result = self.client.head_bucket().bucket(bucket).send().await;
        result.map_err(|error| asked.failed(&error))?;
        Ok(())
    }

    /// Makes the bucket unless we have it.
    pub async fn create_bucket_if_missing(&self, bucket: &str) -> Result<(), Error> {
        match self.check(bucket).await {
            Err(error) if error.kind == ErrorKind::NotFound => {}
            other => return other,
        }
        let asked = Asked::of_bucket("creating bucket", bucket);
        // The oldest region is the one that must not be named.
        let place = (self.region != "us-east-1").then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(self.region.as_str()))
                .build()
        });
        let result = self
            .client
            .create_bucket()
            .bucket(bucket)
            .set_create_bucket_configuration(place)
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            // Somebody was faster; whether it is ours, the check tells.
            Err(error) => self.check(bucket).await.map_err(|_| asked.failed(&error)),
        }
    }

    /// An object without its content.
    pub async fn head(&self, bucket: &str, key: &str) -> Result<Head, Error> {
        let asked = Asked::of_object("asking about", bucket, key);
        let request = self.client.head_object().bucket(bucket).key(key);
        let head = request.send().await.map_err(|error| asked.failed(&error))?;
        Ok(Head {
            size: size(head.content_length()),
            etag: head.e_tag,
            content_type: head.content_type,
            last_modified: head.last_modified.and_then(time),
        })
    }

    /// Whether the object is there.
    pub async fn exists(&self, bucket: &str, key: &str) -> Result<bool, Error> {
        match self.head(bucket, key).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Everything whose key begins with `prefix`, in the store's order.
    pub async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Listed>, Error> {
        let asked = Asked::of_object("listing", bucket, prefix);
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(bucket)
            .prefix(prefix)
            .into_paginator()
            .send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| asked.failed(&error))?;
            for object in page.contents.unwrap_or_default() {
                all.push(Listed {
                    key: object.key.unwrap_or_default(),
                    size: size(object.size),
                    etag: object.e_tag,
                    last_modified: object.last_modified.and_then(time),
                });
            }
        }
        Ok(all)
    }

    /// Deletes the object. One that is not there is deleted already.
    pub async fn delete(&self, bucket: &str, key: &str) -> Result<(), Error> {
        let asked = Asked::of_object("deleting", bucket, key);
        let request = self.client.delete_object().bucket(bucket).key(key);
        match request.send().await.map_err(|error| asked.failed(&error)) {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            other => other.map(drop),
        }
    }

    /// A URL that gets the object, for as long as `expiry`. It answers `GET` only: for a `HEAD`
    /// the signature is wrong (403).
    pub async fn presign_get(
        &self,
        bucket: &str,
        key: &str,
        expiry: Duration,
    ) -> anyhow::Result<PresignedUrl> {
        let presigned = PresigningConfig::expires_in(expiry)
            .with_context(|| format!("objects: no URL can be signed for {} s", expiry.as_secs()))?;
        let request = self.client.get_object().bucket(bucket).key(key);
        let request = request
            .presigned(presigned)
            .await
            .map_err(|error| Asked::of_object("signing a URL of", bucket, key).failed(&error))?;
        Ok(PresignedUrl(request.uri().to_owned()))
    }
}

/// Sizes are never negative, whatever the protocol's type says.
fn size(told: Option<i64>) -> u64 {
    told.and_then(|size| size.try_into().ok()).unwrap_or(0)
}

fn time(told: aws_sdk_s3::primitives::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(told.secs(), told.subsec_nanos())
}
