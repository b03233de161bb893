//! What compose starts is what the program is: its commands, ports, variables, settings and secrets. Whether
//! containers come up is not tried here.

use std::{collections::BTreeSet, path::Path};

use clap::Parser;
use switchyard::{cli::Cli, config::Config};

const COMPOSE: &str = include_str!("../../ops/compose/compose.yaml");
const DOCKERFILE: &str = include_str!("../../ops/compose/Dockerfile");
const SETTINGS: &str = include_str!("../../ops/compose/switchyard.toml");

/// The lists of words in `key: ["…", …]` lines.
fn lists(key: &str) -> Vec<Vec<String>> {
    let lines = COMPOSE.lines().map(str::trim);
    let lists = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    lists
        .map(|list| serde_json::from_str(list).expect("a list of texts"))
        .collect()
}

/// Words with that before them, up to the end of their letters.
fn after<'a>(text: &'a str, before: &str) -> BTreeSet<&'a str> {
    text.match_indices(before)
        .map(|(at, _)| {
            let rest = &text[at + before.len()..];
            let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
            &rest[..end.unwrap_or(rest.len())]
        })
        .collect()
}

#[test]
fn every_command_is_one_the_program_takes() {
    let commands = lists("command");
    assert_eq!(commands.len(), 2);
    for command in commands {
        let words = ["switchyard".to_owned()].into_iter().chain(command.clone());
        let parsed = Cli::try_parse_from(words);
        assert!(parsed.is_ok(), "{command:?}: {:?}", parsed.err());
    }
    assert!(DOCKERFILE.contains("ENTRYPOINT [\"/usr/local/bin/switchyard\"]"));
    assert!(Cli::try_parse_from(["switchyard", "serve"]).is_ok());
}

#[test]
fn the_settings_are_valid_and_serve_where_compose_looks() {
    let with_secrets: String = SETTINGS
        .lines()
        .map(|line| match line.split_once("{ file = ") {
            Some((before, _)) => format!("{before}{{ env = \"PATH\" }}\n"),
            None => format!("{line}\n"),
        })
        .collect();
    let config = Config::parse(&with_secrets).expect("they are valid");
    let port = config.server.listen.port();
    assert!(!config.server.listen.ip().is_loopback());
    assert!(COMPOSE.contains(&format!("- \"127.0.0.1:{port}:{port}\"")));
    assert!(COMPOSE.contains(&format!("/dev/tcp/127.0.0.1/{port} ")));
    assert!(COMPOSE.contains("/dev/tcp/127.0.0.1/9480 "));
    let url = config.database.url.expose();
    assert_eq!(url, "postgres://switchyard@postgres/switchyard");
    for part in [
        "POSTGRES_USER: switchyard",
        "POSTGRES_DB: switchyard",
        "\n  postgres:\n",
    ] {
        assert!(COMPOSE.contains(part), "{part}");
    }
}

#[test]
fn every_secret_of_the_settings_is_mounted_and_no_other() {
    let named = after(SETTINGS, "/run/secrets/");
    let files = after(COMPOSE, "file: ./secrets/");
    assert_eq!(named, files);
    for secret in named {
        assert!(
            COMPOSE.contains(&format!("\n    - {secret}\n")),
            "{secret} is not mounted"
        );
        assert!(
            COMPOSE.contains(&format!("\n  {secret}:\n")),
            "{secret} is not declared"
        );
    }
    assert!(!COMPOSE.contains("PGPASSWORD: ${SWITCHYARD_DB_PASSWORD:-"));
}

#[test]
fn every_variable_is_one_the_program_reads() {
    let documented = include_str!("../../README.md");
    for name in after(COMPOSE, "SWITCHYARD_")
        .iter()
        .chain(&after(DOCKERFILE, "SWITCHYARD_"))
    {
        // Compose's own, for the database's password.
        if *name != "DB_PASSWORD" {
            assert!(
                documented.contains(&format!("`SWITCHYARD_{name}`")),
                "SWITCHYARD_{name}"
            );
        }
    }
}

#[test]
fn nothing_of_ours_runs_as_root_or_on_files_it_may_change() {
    for part in [
        "user: \"10001:10001\"",
        "read_only: true",
        "cap_drop:\n    - ALL",
        "no-new-privileges:true",
    ] {
        assert!(COMPOSE.contains(part), "{part}");
    }
    assert_eq!(COMPOSE.matches("<<: *switchyard").count(), 2);
    assert!(DOCKERFILE.contains("USER 10001:10001"));
    let version = include_str!("../../Cargo.toml")
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \""))
        .map(|version| version.trim_end_matches('"'));
    let version = version.expect("it names one");
    assert!(DOCKERFILE.contains(&format!("FROM rust:{version}-")));
    let healthy = COMPOSE.matches("    healthcheck:").count();
    assert_eq!(healthy, 3, "every container says whether it is well");
}

#[test]
fn what_the_build_reads_is_sent_to_it() {
    let ignored = include_str!("../../ops/compose/Dockerfile.dockerignore");
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for sent in ignored.lines().filter_map(|line| line.strip_prefix('!')) {
        assert!(top.join(sent).exists(), "{sent}");
    }
    for needed in [
        "Cargo.toml",
        "Cargo.lock",
        "build.rs",
        "src",
        "workflows",
        "comparisons",
        "migrations",
    ] {
        assert!(ignored.contains(&format!("!{needed}\n")), "{needed}");
    }
}
