//! Reads a recorded outcome of the legacy pipeline: a folder with rows, messages, requests and
//! objects before and after, as `tests/fixtures/standup/expected/*` has them.
//!
//! Nothing is worked out that was not recorded: token counts, for one, stay unknown.

mod error;
mod outcome;
mod subject;
mod timings;
mod wire;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

pub use error::RecordedError;

use super::field::{Field, parse};
use crate::model::{Outcome, Subject};

/// A recorded run of the legacy pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// What was known when the run began.
    pub subject: Subject,
    /// What the run made. Its `audio` is left to the caller, who can read the MP3.
    pub outcome: Outcome,
    /// The mix, where it was kept.
    pub mp3: Option<PathBuf>,
    /// The recording's tracks that lie beside the folder; empty when none do.
    pub sources: Vec<Source>,
}

/// A track of the recording as a local file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its key in the recording's bucket.
    pub key: String,
    /// Where it lies.
    pub path: PathBuf,
}

/// Reads the outcome recorded in `folder` (e.g. `…/standup/expected/base`), and looks for the
/// tracks in `../../input/tracks`. `ui_base_url` is Reflector's `UI_BASE_URL`; without it, the
/// link in the recorded webhook tells.
pub fn load(folder: &Path, ui_base_url: Option<&str>) -> Result<Recorded, RecordedError> {
    let before = read_json(folder, "db_before.json")?;
    let after = read_json(folder, "db_after.json")?;
    let objects = read_json(folder, "s3.json")?;
    let rows = Rows {
        before: Field::root("db_before.json", &before),
        after: Field::root("db_after.json", &after),
    };
    let objects = Field::root("s3.json", &objects);

    let transcript = rows.transcript()?;
    let recording = subject::recording(&rows)?;
    let outcome = outcome::read(folder, &transcript, &recording, &objects)?;
    let base_url = base_url(ui_base_url, &outcome, transcript.at("id").text()?)?;
    let sources = sources(folder, &recording.track_keys, &objects)?;
    let mp3 = Some(folder.join("audio.mp3")).filter(|path| path.is_file());

    Ok(Recorded {
        subject: subject::read(&rows, recording, base_url)?,
        outcome,
        mp3,
        sources,
    })
}

/// Rows of Reflector's database at both ends of the run.
struct Rows<'a> {
    before: Field<'a>,
    after: Field<'a>,
}

impl<'a> Rows<'a> {
    /// The run's transcript as the run left it.
    fn transcript(&self) -> Result<Field<'a>, RecordedError> {
        the_one(&self.after.at("transcript"))
    }
}

fn the_one<'a>(table: &Field<'a>) -> Result<Field<'a>, RecordedError> {
    let mut rows = table.items()?;
    match rows.len() {
        1 => Ok(rows.remove(0)),
        _ => Err(table.should_be("a list of exactly one row").into()),
    }
}

fn read_text(folder: &Path, file: &str) -> Result<String, RecordedError> {
    fs::read_to_string(folder.join(file)).map_err(|source| RecordedError::Read {
        file: file.to_owned(),
        source,
    })
}

fn read_json(folder: &Path, file: &str) -> Result<Value, RecordedError> {
    Ok(parse(file, &read_text(folder, file)?)?)
}

/// A file that some runs have no reason to leave.
fn read_json_if_any(folder: &Path, file: &str) -> Result<Option<Value>, RecordedError> {
    match read_json(folder, file) {
        Ok(value) => Ok(Some(value)),
        Err(RecordedError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn base_url(
    given: Option<&str>,
    outcome: &Outcome,
    transcript: &str,
) -> Result<String, RecordedError> {
    if let Some(url) = given {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let webhook = outcome.webhook.as_ref().ok_or(RecordedError::NoBaseUrl)?;
    let file = "webhook_1.body.json";
    let body = parse(file, &webhook.body)?;
    let link = Field::root(file, &body).at("transcript").at("frontend_url");
    link.text()?
        .strip_suffix(&format!("/transcripts/{transcript}"))
        .map(str::to_owned)
        .ok_or_else(|| link.should_be("a link to the recorded transcript").into())
}

/// Local files of the recording's tracks. A file is named like its key's last part, with
/// `.webm` or `.{variant}.webm` behind; of several, the one of the object's size is the one.
fn sources(
    folder: &Path,
    keys: &[String],
    objects: &Field<'_>,
) -> Result<Vec<Source>, RecordedError> {
    let files = local_tracks(&folder.join("../../input/tracks"));
    let objects = objects.at("before").items()?;
    let mut sources = Vec::new();
    for key in keys {
        let mut size = None;
        for object in &objects {
            if object.at("key").text()? == key {
                size = Some(object.at("size").count()?);
            }
        }
        let name = key.rsplit('/').next().unwrap_or(key);
        let file = files.iter().find(|(path, file_size)| {
            let file_name = path.file_name().and_then(|name| name.to_str());
            file_name.is_some_and(|file| file.starts_with(name)) && Some(*file_size) == size
        });
        sources.extend(file.map(|(path, _)| Source {
            key: key.clone(),
            path: path.clone(),
        }));
    }
    Ok(sources)
}

/// The `.webm` files of a folder with their sizes; none when there is no such folder.
fn local_tracks(folder: &Path) -> Vec<(PathBuf, u64)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "webm"))
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.len())))
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests;
