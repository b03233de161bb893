//! Our database as a file, and back.

use std::path::Path;

use anyhow::Context;
use tokio::{
    fs::File,
    io::{BufReader, BufWriter},
};

use super::{App, files};
use crate::store::{Copied, Restored};

impl App {
    /// Writes everything our database holds to a new file, which only its owner may read: it holds
    /// meetings and customers' webhook secrets. A file appears whole or not at all.
    pub async fn back_up(&self, path: &Path) -> anyhow::Result<Copied> {
        let (unfinished, file) = files::create(path).await?;
        let mut writer = BufWriter::new(file);
        match self.store.back_up(&mut writer, (self.clock)()).await {
            Ok(copied) => {
                files::finish(writer.into_inner(), path).await?;
                Ok(copied)
            }
            Err(error) => {
                // The error that matters is the one before.
                drop(tokio::fs::remove_file(&unfinished).await);
                Err(error.context(format!("backing up to `{}`", path.display())))
            }
        }
    }

    /// Fills our database, which has to be empty, from such a file.
    pub async fn restore(&self, path: &Path, by: &str, reason: &str) -> anyhow::Result<Restored> {
        let shown = path.display();
        let file = File::open(path)
            .await
            .with_context(|| format!("opening the backup `{shown}`"))?;
        let mut reader = BufReader::new(file);
        self.store
            .restore(&mut reader, (by, reason), (self.clock)())
            .await
            .with_context(|| format!("restoring from `{shown}`"))
    }
}
