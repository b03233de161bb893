//! Who may use whom. `docs/architecture.md` explains the table; this test holds `src` to it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const FACTS: &[&str] = &["model", "config", "meters"];
const CALCULATIONS: &[&str] = &[
    "access",
    "audio",
    "contract",
    "compare",
    "cost",
    "gate",
    "notices",
    "progress",
    "report",
    "retention",
    "reviews",
    "rollout",
    "selftest",
    "traces",
];

/// Each module of `src` and what it may use, beside itself.
fn table() -> BTreeMap<&'static str, Vec<&'static str>> {
    let everything_below = [FACTS, CALCULATIONS].concat();
    let and = |more: &[&'static str]| [&everything_below[..], more].concat();
    let without = |modules: Vec<&'static str>, less: &[&str]| -> Vec<&'static str> {
        let stays = |module: &&str| !less.contains(module);
        modules.into_iter().filter(stays).collect()
    };
    let adapters = ["store", "legacy", "conductor", "providers", "objects"];
    let loops = ["engine", "controller", "gateway", "workers"];
    BTreeMap::from([
        // Facts.
        ("model", vec![]),
        ("config", vec!["model"]),
        ("meters", vec!["model"]),
        // Calculations.
        ("access", vec!["model"]),
        ("audio", vec!["model"]),
        ("contract", vec!["model"]),
        ("compare", vec!["model"]),
        ("cost", vec!["model"]),
        ("gate", vec!["model"]),
        ("notices", vec!["model"]),
        ("progress", vec!["model"]),
        ("retention", vec!["model"]),
        ("rollout", vec!["model"]),
        ("report", vec!["model", "compare", "cost", "gate"]),
        ("reviews", vec!["model", "compare"]),
        ("selftest", vec!["model", "compare", "contract"]),
        ("traces", vec!["model"]),
        // Adapters, which never meet.
        ("store", and(&[])),
        ("legacy", and(&[])),
        ("conductor", and(&[])),
        ("providers", and(&[])),
        ("objects", and(&[])),
        // Reads a source tree that is not ours.
        ("cleanup", vec![]),
        // Stand-ins for the services outside.
        ("sandbox", vec!["model"]),
        // Loops, which meet through the store and the engine's REST API.
        ("engine", and(&["store", "conductor"])),
        (
            "controller",
            without(and(&["store", "legacy", "conductor"]), &["audio"]),
        ),
        ("gateway", and(&["store", "legacy", "providers", "objects"])),
        (
            "workers",
            and(&["store", "conductor", "providers", "objects", "gateway"]),
        ),
        // Doors.
        ("sharing", and(&["store"])),
        ("http", and(&["store", "controller"])),
        (
            "app",
            and(&[&adapters[..], &loops, &["sandbox", "sharing", "http"]].concat()),
        ),
        ("cli", and(&["store", "controller", "app", "cleanup"])),
    ])
}

/// One mention of a module: which, and in what line.
#[derive(Debug, PartialEq)]
struct Import {
    line: usize,
    module: String,
}

/// The modules a source text names from the root, `depth` being how far below the root its file's
/// own module is.
fn imports(text: &str, depth: usize) -> Vec<Import> {
    let text = without_comments(text);
    let mut found: Vec<Import> = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let starts_a_path =
            !text[..at].ends_with(|before: char| is_of_word(before) || before == ':');
        if starts_a_path {
            let after = at + "crate::".len();
            found.extend(named_at(&text, after));
        }
    }
    // A chain of `super` that leaves the file's own modules reaches the root as well.
    let up = "super::".repeat(depth);
    for (at, _) in text.match_indices(&up) {
        let is_whole_chain =
            !text[..at].ends_with("super::") && !text[at + up.len()..].starts_with("super::");
        if depth > 0 && is_whole_chain {
            let known = table();
            let named = named_at(&text, at + up.len()).into_iter();
            found.extend(named.filter(|import| known.contains_key(import.module.as_str())));
        }
    }
    found
}

/// Replaces comments by nothing, line by line, so that numbers of lines stay.
fn without_comments(text: &str) -> String {
    let code = |line: &str| match line.find("//") {
        // Not the slashes of a URL.
        Some(at) if !line[..at].ends_with(':') => line[..at].to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(|line| code(line) + "\n").collect()
}

/// The word at that place, or, where a group opens there, the first word of each of its members.
fn named_at(text: &str, at: usize) -> Vec<Import> {
    let import = |at: usize| Import {
        line: text[..at].matches('\n').count() + 1,
        module: text[at..]
            .chars()
            .take_while(|next| is_of_word(*next))
            .collect(),
    };
    let Some(group) = text[at..].strip_prefix('{') else {
        return vec![import(at)];
    };
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut member_begins = true;
    for (offset, next) in group.char_indices() {
        match next {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => member_begins = true,
            _ if member_begins && is_of_word(next) => {
                found.push(import(at + 1 + offset));
                member_begins = false;
            }
            _ => {}
        }
    }
    found
}

fn is_of_word(next: char) -> bool {
    next.is_alphanumeric() || next == '_'
}

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("src can be read") {
        let path = entry.expect("src can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The names from the root down to a file's own module: `["store", "runs"]`.
fn module_of(file: &Path) -> Vec<String> {
    let mut names: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

#[test]
fn every_module_uses_only_what_the_table_allows() {
    let table = table();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for path in sources(&src) {
        let file = path.strip_prefix(&src).expect("it lies in src");
        let names = module_of(file);
        let module = names[0].as_str();
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let Some(allowed) = table.get(module) else {
            wrong.push(format!(
                "src/{}: the module `{module}` is missing in the table of tests/architecture.rs and docs/architecture.md",
                file.display()
            ));
            continue;
        };
        let text = fs::read_to_string(&path).expect("it can be read");
        for import in imports(&text, names.len()) {
            let used = import.module.as_str();
            if used != module && !allowed.contains(&used) {
                wrong.push(format!(
                    "src/{}, line {}: `{module}` uses `{used}`, but may use only: {}",
                    file.display(),
                    import.line,
                    if allowed.is_empty() {
                        "nothing of ours".to_owned()
                    } else {
                        allowed.join(", ")
                    }
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_route_is_declared_with_what_it_takes_to_be_answered() {
    let http = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    for path in sources(&http) {
        // `/metrics` is also served where there are no pages, and has a token of its own.
        if path.ends_with("http/routes.rs") || path.ends_with("http/metrics.rs") {
            continue;
        }
        let text = without_comments(&fs::read_to_string(&path).expect("it can be read"));
        for way_around in [
            ".route(",
            ".route_service(",
            ".nest_service(",
            "axum::routing",
            "routing::",
        ] {
            assert!(
                !text.contains(way_around),
                "{}: `{way_around}` adds a route that says nothing of who may; use `Routes` of src/http/routes.rs",
                path.display()
            );
        }
    }
}

#[test]
fn the_binary_uses_only_the_command_line() {
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs");
    let text = without_comments(&fs::read_to_string(main).expect("it can be read"));
    for (at, name) in text.match_indices("switchyard::") {
        for import in named_at(&text, at + name.len()) {
            assert_eq!(
                import.module, "cli",
                "src/main.rs, line {}: `main` may use only `cli`",
                import.line
            );
        }
    }
}

#[test]
fn imports_are_found_however_they_are_written() {
    let text = "\
use crate::model::RunId; // crate::config
//! See [`crate::store`].
use crate::{
    audio::{self, Error},
    cost,
    store::{Run, Store, runs::{One, Two}}, progress::Step,
};
let url = \"http://crate::host\";
pub(in crate::legacy) fn f(error: &crate::compare::Error) {}
macro_rules! m { () => { $crate::report::make() } }
use othercrate::objects;
";
    let found = imports(text, 1);
    let lines: Vec<_> = found
        .iter()
        .map(|import| (import.line, import.module.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            (1, "model"),
            (4, "audio"),
            (5, "cost"),
            (6, "store"),
            (6, "progress"),
            (8, "host"),
            (9, "legacy"),
            (9, "compare"),
            (10, "report"),
        ]
    );
}

#[test]
fn a_way_around_through_super_is_found() {
    let found = |text, depth| -> Vec<String> {
        let found = imports(text, depth).into_iter();
        found.map(|import| import.module).collect()
    };
    assert_eq!(found("use super::store::Run;", 1), ["store"]);
    assert_eq!(found("use super::super::{store, wire};", 2), ["store"]);
    assert!(found("use super::store::Run;", 2).is_empty());
    assert!(found("use super::own_thing;", 1).is_empty());
}

#[test]
fn every_migration_opens_by_saying_what_a_row_is() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    for entry in fs::read_dir(folder).expect("migrations can be read") {
        let path = entry.expect("migrations can be read").path();
        let text = fs::read_to_string(&path).expect("it can be read");
        assert!(
            text.starts_with("-- "),
            "`{}` must open with a comment that says what a row is",
            path.display()
        );
    }
}
