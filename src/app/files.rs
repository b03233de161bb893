//! Files that people take away: new, whole or not there at all, and their owner's alone.

use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::fs::{File, OpenOptions};

/// Where a file is written until it is whole.
fn unfinished(path: &Path) -> anyhow::Result<PathBuf> {
    let mut name = path
        .file_name()
        .with_context(|| format!("`{}` names no file", path.display()))?
        .to_owned();
    name.push(".unfinished");
    Ok(path.with_file_name(name))
}

/// Begins a file that must not exist yet, beside its place; where that is.
pub(super) async fn create(path: &Path) -> anyhow::Result<(PathBuf, File)> {
    anyhow::ensure!(
        !path.exists(),
        "there is a file `{}` already; name one that does not exist yet",
        path.display()
    );
    let unfinished = unfinished(path)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    options.mode(0o600);
    let file = options
        .open(&unfinished)
        .await
        .with_context(|| format!("making `{}`", unfinished.display()))?;
    Ok((unfinished, file))
}

/// Puts a file that is whole in its place.
pub(super) async fn finish(file: File, path: &Path) -> anyhow::Result<()> {
    let doing = || format!("writing `{}`", path.display());
    file.sync_all().await.with_context(doing)?;
    tokio::fs::rename(unfinished(path)?, path)
        .await
        .with_context(doing)
}
