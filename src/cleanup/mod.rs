//! Looks through a source tree for what is left of the legacy task, once nothing calls it any more.
//!
//! It knows names, not Python: a line is judged by the words in it. What it lists is a checklist for
//! people, and nothing is changed.

mod pattern;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::Serialize;

pub use pattern::{Kind, Left, left_in};

/// Folders that hold no source of one's own.
const NOT_SOURCE: [&str; 9] = [
    ".git",
    ".hg",
    ".mypy_cache",
    ".venv",
    "__pycache__",
    "dist-packages",
    "node_modules",
    "site-packages",
    "target",
];

/// Larger files are no source.
const LARGEST: u64 = 4 << 20;

/// What a tree holds of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Scan {
    /// Files that were read.
    pub files: usize,
    /// What was found, by kind, file and line.
    pub left: Vec<Left>,
}

impl Scan {
    /// Whether nothing has to go any more. What others may need does not count.
    pub fn is_clean(&self) -> bool {
        self.left.iter().all(|left| left.is_shared)
    }
}

/// A tree that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{path}`: {why}")]
pub struct Unreadable {
    /// Which part of it.
    path: PathBuf,
    /// What the system said.
    why: io::Error,
}

/// Looks through a tree, or one file. Links are not followed, and binary files are left out.
pub fn scan(root: &Path) -> Result<Scan, Unreadable> {
    let mut scan = Scan::default();
    let mut folders = vec![root.to_owned()];
    if look(root, fs::symlink_metadata(root))?.is_file() {
        folders.clear();
        read(root, root, &mut scan)?;
    }
    while let Some(folder) = folders.pop() {
        for entry in look(&folder, fs::read_dir(&folder))? {
            let path = look(&folder, entry)?.path();
            let about = look(&path, fs::symlink_metadata(&path))?;
            let name = path.file_name().unwrap_or_default();
            if about.is_dir() {
                if NOT_SOURCE.iter().all(|other| name != *other) {
                    folders.push(path);
                }
            } else if about.is_file() && about.len() <= LARGEST {
                read(root, &path, &mut scan)?;
            }
        }
    }
    scan.left.sort();
    Ok(scan)
}

fn read(root: &Path, path: &Path, scan: &mut Scan) -> Result<(), Unreadable> {
    let bytes = look(path, fs::read(path))?;
    if bytes.contains(&0) {
        return Ok(());
    }
    scan.files += 1;
    let text = String::from_utf8_lossy(&bytes);
    let below = path.strip_prefix(root).unwrap_or(path);
    let file = if below.as_os_str().is_empty() {
        path
    } else {
        below
    };
    scan.left
        .extend(left_in(&file.display().to_string(), &text));
    Ok(())
}

fn look<T>(path: &Path, found: io::Result<T>) -> Result<T, Unreadable> {
    found.map_err(|why| Unreadable {
        path: path.to_owned(),
        why,
    })
}
