//! Writes what the legacy pipeline did into a file, before it goes.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::store::{About, Export, Store};

/// Writes an export as JSON Lines into a new file, and notes it with the file's digest. The file is
/// there whole or not at all.
pub async fn export(
    store: &Store,
    about: &About,
    file: &Path,
    by: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Export> {
    let name = file.display();
    anyhow::ensure!(
        !file.exists(),
        "`{name}` exists, and an export replaces nothing; name another file"
    );
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = Path::new(&unfinished);
    let written = write(store, about, unfinished, now).await;
    let (digest, lines) = match written {
        Ok(written) => written,
        Err(error) => {
            // What is left of it is of no use, and may not even be there.
            drop(fs::remove_file(unfinished));
            return Err(error).with_context(|| format!("writing the export `{name}`"));
        }
    };
    fs::rename(unfinished, file).with_context(|| format!("writing the export `{name}`"))?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let export = Export {
        id: format!("exp_{}", &id[..12]),
        digest,
        lines,
        made_by: by.to_owned(),
        made_at: now,
    };
    store.note_export(about, &export).await?;
    Ok(export)
}

async fn write(
    store: &Store,
    about: &About,
    path: &Path,
    now: DateTime<Utc>,
) -> anyhow::Result<(String, i64)> {
    let file: File = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    let mut file = BufWriter::new(file);
    let (mut hash, mut lines) = (Sha256::new(), 0);
    store
        .export(about, now, |line| {
            let mut text = serde_json::to_string(line)?;
            text.push('\n');
            file.write_all(text.as_bytes())?;
            hash.update(text.as_bytes());
            lines += 1;
            Ok(())
        })
        .await?;
    let file = file
        .into_inner()
        .map_err(std::io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok((hex::encode(hash.finalize()), lines))
}
