//! Where sound is read from by hand: files, URLs, and objects of an environment's store. Nothing else of
//! the settings is needed, and our database is not opened.

use std::{fs::File, path::PathBuf, str::FromStr, time::Duration};

use anyhow::Context;
use url::Url;

use crate::{
    config::{Config, Environment},
    objects::{self, Addressing, Links, Objects, shown},
};

/// Where one track is.
#[derive(Clone, Debug)]
pub enum Place {
    /// On this machine.
    File(PathBuf),
    /// What a URL reads.
    Link(Url),
    /// In the object store of an environment.
    Object {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
    },
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(object) = text.strip_prefix("s3://") {
            return match object.split_once('/') {
                Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => Ok(Self::Object {
                    bucket: bucket.to_owned(),
                    key: key.to_owned(),
                }),
                _ => Err("write an object as s3://BUCKET/KEY".to_owned()),
            };
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            let url = Url::parse(text).map_err(|error| format!("no URL: {error}"))?;
            return Ok(Self::Link(url));
        }
        Ok(Self::File(PathBuf::from(text)))
    }
}

impl Place {
    /// As it may be told: of a URL nothing that lets others read it.
    pub fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Link(url) => shown(url),
            Self::Object { bucket, key } => format!("s3://{bucket}/{key}"),
        }
    }

    /// The last part of its path.
    pub fn file_name(&self) -> String {
        let shown = self.shown();
        let name = shown.rsplit('/').find(|part| !part.is_empty());
        name.unwrap_or("track").to_owned()
    }
}

/// A track's bytes, on this machine.
#[derive(Debug)]
pub struct Sound {
    /// Positioned at its beginning.
    pub file: File,
    /// Bytes.
    pub size: u64,
}

impl Sound {
    /// Opens a file, or fetches the whole of what lies elsewhere. `settings` are read for objects
    /// alone; `progress` is told the bytes that came, and of how many.
    pub async fn open(
        place: &Place,
        patience: Duration,
        settings: impl FnOnce() -> anyhow::Result<Environment>,
        progress: &(dyn Fn(u64, Option<u64>) + Sync),
    ) -> anyhow::Result<Self> {
        match place {
            Place::File(path) => {
                let shown = path.display();
                let file = File::open(path).with_context(|| format!("reading `{shown}`"))?;
                let about = file
                    .metadata()
                    .with_context(|| format!("reading `{shown}`"))?;
                anyhow::ensure!(
                    !about.is_dir(),
                    "reading `{shown}`: it is a folder; name the tracks in it"
                );
                let size = about.len();
                Ok(Self { file, size })
            }
            Place::Link(url) => {
                let fetched = Links::new(patience)?.get_to_file(url, progress).await?;
                Ok(Self {
                    file: fetched.file,
                    size: fetched.size,
                })
            }
            Place::Object { bucket, key } => {
                let environment = settings()?;
                let fetched = objects_of(&environment)?.get_to_file(bucket, key).await?;
                Ok(Self {
                    file: fetched.file,
                    size: fetched.size,
                })
            }
        }
    }

    /// The settings of the environment whose store objects are read from.
    pub fn environment(config: &Config, name: Option<&str>) -> anyhow::Result<Environment> {
        let (_, environment) = config.environment(name)?;
        Ok(environment.clone())
    }
}

/// The object store's client.
pub(super) fn objects_of(environment: &Environment) -> anyhow::Result<Objects> {
    let settings = &environment.objects;
    // Bucket names as host names work with AWS alone.
    let addressing = match settings.endpoint {
        Some(_) => Addressing::Path,
        None => Addressing::Host,
    };
    Objects::new(objects::Settings::new(
        settings.endpoint.clone(),
        settings.region.clone(),
        settings.access_key.expose(),
        settings.secret_key.expose(),
        addressing,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_known_by_how_it_begins() {
        let name = |text: &str| text.parse::<Place>().map(|place| place.file_name());
        assert_eq!(name("a/b.webm").unwrap(), "b.webm");
        assert_eq!(
            name("s3://raw/room/0-cam-audio-1").unwrap(),
            "0-cam-audio-1"
        );
        assert_eq!(name("https://h.test/x/t.webm?sig=1").unwrap(), "t.webm");
        assert!(name("s3://raw").unwrap_err().contains("s3://BUCKET/KEY"));
        assert!(name("https://").is_err());
    }
}
