//! Where a result goes: a file that is there whole or not at all, or standard output.

use std::{
    fs::{File, Permissions},
    io::{self, Seek},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use tempfile::NamedTempFile;

use crate::{app::Place, model::digest};

/// Where a result is to go.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// Under this name.
    File(PathBuf),
    /// To whoever reads.
    Stdout,
}

/// A result being written, under a name of its own beside its place. It goes when it is dropped.
pub(super) struct Draft {
    target: Target,
    file: NamedTempFile,
}

/// A result that is in its place.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct Kept {
    /// Its file; none if it went to standard output.
    pub output: Option<PathBuf>,
    /// Of its content, in hex.
    pub sha256: String,
}

impl Target {
    /// What `--output` names; `-` is standard output.
    pub fn named(path: &Path) -> Self {
        if path.as_os_str() == "-" {
            Self::Stdout
        } else {
            Self::File(path.to_owned())
        }
    }

    /// Expects that no track would be replaced.
    pub fn spares(&self, places: &[Place]) -> anyhow::Result<()> {
        let Self::File(path) = self else {
            return Ok(());
        };
        let Ok(ours) = path.canonicalize() else {
            return Ok(());
        };
        for place in places {
            if let Place::File(track) = place
                && track.canonicalize().is_ok_and(|theirs| theirs == ours)
            {
                anyhow::bail!(
                    "`{}` is a track that is read; name another file with `--output`",
                    path.display()
                );
            }
        }
        Ok(())
    }

    /// Begins to write.
    pub fn draft(self) -> anyhow::Result<Draft> {
        let folder = match &self {
            Self::File(path) => match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
                _ => PathBuf::from("."),
            },
            Self::Stdout => std::env::temp_dir(),
        };
        let file = tempfile::Builder::new()
            .prefix(".switchyard-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(&folder)
            .with_context(|| format!("writing into the folder `{}`", folder.display()))?;
        Ok(Draft { target: self, file })
    }
}

impl Draft {
    /// The file to write to.
    pub fn file(&self) -> anyhow::Result<File> {
        self.file.reopen().with_context(|| self.writing())
    }

    fn writing(&self) -> String {
        match &self.target {
            Target::File(path) => format!("writing `{}`", path.display()),
            Target::Stdout => "writing to standard output".to_owned(),
        }
    }

    /// Puts it in another place of the same folder, whole.
    pub fn keep_as(mut self, target: Target) -> anyhow::Result<Kept> {
        self.target = target;
        self.keep()
    }

    /// Puts it in its place, whole.
    pub fn keep(mut self) -> anyhow::Result<Kept> {
        let writing = self.writing();
        let file = self.file.as_file_mut();
        file.rewind().with_context(|| writing.clone())?;
        let sha256 = digest::of_reader(&mut *file).with_context(|| writing.clone())?;
        let output = match self.target {
            Target::File(path) => {
                self.file
                    .persist(&path)
                    .map_err(|failed| failed.error)
                    .context(writing)?;
                Some(path)
            }
            Target::Stdout => {
                file.rewind().with_context(|| writing.clone())?;
                match io::copy(file, &mut io::stdout().lock()) {
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                    copied => drop(copied.context(writing)?),
                }
                None
            }
        };
        Ok(Kept { output, sha256 })
    }
}
