//! Digests what decides what a run makes and how it is judged, so that evidence gathered by another
//! program does not count for this one.
//!
//! Of the sources, not of the executable: the same sources have the same digest on every machine and
//! in every profile. What only shows things (pages, commands, reports) and tests are left out, or every
//! reworded message would begin the evidence anew.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

const SHOWS: [&str; 8] = [
    "cli",
    "http",
    "notices",
    "report",
    "retention",
    "sandbox",
    "cleanup",
    "rollout",
];

fn main() -> io::Result<()> {
    let mut files = vec![PathBuf::from("Cargo.lock")];
    for folder in ["src", "workflows"] {
        println!("cargo::rerun-if-changed={folder}");
        list(Path::new(folder), &mut files)?;
    }
    println!("cargo::rerun-if-changed=Cargo.lock");
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let name = file.to_string_lossy().replace('\\', "/");
        let text = fs::read(&file)?;
        hash.update(format!("{name}\0{}\0", text.len()));
        hash.update(text);
    }
    let mut digest = String::new();
    for byte in hash.finalize() {
        write!(digest, "{byte:02x}").expect("a text takes what is written");
    }
    println!("cargo::rustc-env=SWITCHYARD_SOURCES={digest}");
    Ok(())
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let shows = folder == Path::new("src") && SHOWS.contains(&name.trim_end_matches(".rs"));
        if shows || name.trim_end_matches(".rs").ends_with("tests") {
            continue;
        }
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
