//! Reflector's `DATA_DIR`: the folder that its API server reads waveforms and sound from.
//!
//! What surprises most: the server may run as another user, so what is written here is readable as
//! that user's own umask would have it, and not for us alone as temporary files usually are.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::model::TranscriptId;
use crate::rollout::Live;

/// How long a file may take. The folder is often on a network, which may be gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// The folder, seen from where we run.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

/// Why a file could not be written or deleted.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Not an id Reflector gives; it might lead out of the folder.
    #[error(
        "the transcript's id cannot be a folder's name: it must be letters, digits, `-` and `_`"
    )]
    Id,
    /// The folder itself is not there. It is not made: it would hide that nothing is mounted.
    #[error("Reflector's data folder `{}` is not there; check that it is mounted", .0.display())]
    Missing(PathBuf),
    /// No answer in time; the file may yet come or go. It is safe to try again.
    #[error("{doing} in Reflector's data folder: no answer within {} s", PATIENCE.as_secs())]
    Slow {
        /// What we were at.
        doing: &'static str,
    },
    /// As the system tells it. What was there is as it was.
    #[error("{doing} in Reflector's data folder")]
    Io {
        /// What we were at.
        doing: &'static str,
        /// The system's own words.
        #[source]
        source: io::Error,
    },
}

impl DataDir {
    /// Takes the folder as Reflector's `DATA_DIR` names it. It is looked at when it is used.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Writes `{transcript}/audio.json`, replacing one that is there. Readers see the old file or
    /// the new one, whole.
    pub async fn write_waveform(
        &self,
        live: &Live,
        transcript: &TranscriptId,
        text: &str,
    ) -> Result<(), DataDirError> {
        let folder = self.folder(transcript)?;
        // Named after the run: another one would write the same bytes, and of what a crash leaves
        // behind there is never more than one.
        let unfinished = folder.join(format!("audio.json.{}", file_name(live.run().as_str())?));
        let text = text.to_owned();
        self.bounded("writing a waveform", move || {
            make_folder(&folder)?;
            let written = replace(&unfinished, &folder.join("audio.json"), text.as_bytes());
            if written.is_err() {
                // The first error tells more.
                drop(fs::remove_file(&unfinished));
            }
            written
        })
        .await
    }

    /// Deletes `{transcript}/audio.mp3` and `audio.wav`. What is not there is deleted already.
    pub async fn delete_audio(
        &self,
        _: &Live,
        transcript: &TranscriptId,
    ) -> Result<(), DataDirError> {
        let folder = self.folder(transcript)?;
        self.bounded("deleting a sound file", move || {
            // Both are tried, whatever becomes of the first.
            let results = ["audio.mp3", "audio.wav"].map(|name| remove(&folder.join(name)));
            results.into_iter().collect()
        })
        .await
    }

    /// Deletes the folder of a mirror, which no user can see, so that it asks for no proof. What is
    /// not there is deleted already. To be called once the mirror's row was removed, which tells that
    /// it was one.
    pub async fn remove_mirror(&self, mirror: &TranscriptId) -> Result<(), DataDirError> {
        let folder = self.folder(mirror)?;
        self.bounded(
            "deleting a mirror's folder",
            move || match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            },
        )
        .await
    }

    /// Works on files in a folder that is there, for so long and no longer.
    async fn bounded(
        &self,
        doing: &'static str,
        work: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<(), DataDirError> {
        let root = self.root.clone();
        let working = tokio::task::spawn_blocking(move || {
            if !root.is_dir() {
                return Err(DataDirError::Missing(root));
            }
            work().map_err(|source| DataDirError::Io { doing, source })
        });
        match tokio::time::timeout(PATIENCE, working).await {
            Ok(Ok(done)) => done,
            // The runtime is ending.
            Ok(Err(broken)) => Err(DataDirError::Io {
                doing,
                source: io::Error::other(broken),
            }),
            Err(_) => Err(DataDirError::Slow { doing }),
        }
    }

    fn folder(&self, transcript: &TranscriptId) -> Result<PathBuf, DataDirError> {
        Ok(self.root.join(file_name(transcript.as_str())?))
    }
}

/// An id that is a plain name, and nothing a path could be.
fn file_name(id: &str) -> Result<&str, DataDirError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=128).contains(&id.len()) && id.bytes().all(is_plain) {
        Ok(id)
    } else {
        Err(DataDirError::Id)
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn replace(unfinished: &Path, finished: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(unfinished)?;
    file.write_all(content)?;
    // Without this a power cut could leave the new name on an empty file.
    file.sync_all()?;
    fs::rename(unfinished, finished)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
