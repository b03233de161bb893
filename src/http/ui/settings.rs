//! The settings in force, secrets masked; and what answers of all they name.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    super::{Door, error::PageError},
    Page,
    form::Form,
    frame::{Frame, Place},
    page,
};
use crate::{access::Caller, config};

#[derive(Serialize)]
struct SettingsPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    sections: Vec<Section>,
    /// Environments of the settings that they may see nothing of.
    others: usize,
}

#[derive(Serialize)]
struct Section {
    name: String,
    keys: Vec<(String, String)>,
}

/// Keys by section: `database`, `environments.NAME`, `environments.NAME.conductor`, …
fn sections(lines: Vec<(String, String)>) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for (key, value) in lines {
        let depth = if key.starts_with("environments.") {
            3
        } else {
            1
        };
        let parts: Vec<&str> = key.split('.').collect();
        let cut = depth.min(parts.len() - 1);
        // A section that is not set is a key of its own.
        let (name, rest) = if cut == 0 {
            (key.clone(), key.clone())
        } else {
            (parts[..cut].join("."), parts[cut..].join("."))
        };
        match sections.iter_mut().find(|section| section.name == name) {
            Some(section) => section.keys.push((rest, value)),
            None => sections.push(Section {
                name,
                keys: vec![(rest, value)],
            }),
        }
    }
    sections
}

pub(super) async fn show(State(door): State<Door>, caller: Caller) -> Result<Page, PageError> {
    let named = |settings: &Value| {
        settings["environments"]
            .as_object()
            .map_or(0, serde_json::Map::len)
    };
    let seen = door.settings_for(&caller);
    let shown = SettingsPage {
        frame: Frame::at(Place::Settings, &door, &caller),
        others: named(&door.settings).saturating_sub(named(&seen)),
        sections: sections(config::lines(&seen)),
    };
    Ok(page("settings.html", &shown)?)
}

#[derive(Serialize)]
struct DoctorPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    /// None where nothing was tried yet.
    found: Option<Found>,
}

#[derive(Serialize)]
struct Found {
    at: DateTime<Utc>,
    version: String,
    platform: String,
    checks: Vec<Check>,
    faults: usize,
    /// Why nobody can say how far things are; none where it can be said.
    unknown: Option<String>,
    phase: String,
    gate: String,
    trail: String,
    rows: Vec<(String, i64)>,
    failures: Vec<Failure>,
}

#[derive(Deserialize, Serialize)]
struct Check {
    what: String,
    ok: bool,
    found: String,
    remedy: Option<String>,
}

#[derive(Serialize)]
struct Failure {
    step: String,
    cause: String,
    number: i64,
}

/// Nothing is asked.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Nothing {}

pub(super) async fn doctor(State(door): State<Door>, caller: Caller) -> Result<Page, PageError> {
    let shown = DoctorPage {
        frame: Frame::below(Place::Settings, &door, &caller).with_forms(),
        found: None,
    };
    Ok(page("doctor.html", &shown)?)
}

/// Tries everything, and shows what was found.
pub(super) async fn examine(
    State(door): State<Door>,
    caller: Caller,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Page, PageError> {
    let bundle = door.examined(&caller).await?;
    let shown = DoctorPage {
        frame: Frame::below(Place::Settings, &door, &caller).with_forms(),
        found: Some(found(&bundle)),
    };
    Ok(page("doctor.html", &shown)?)
}

fn found(bundle: &Value) -> Found {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks: Vec<Check> = serde_json::from_value(bundle["checks"].clone()).unwrap_or_default();
    let stands = &bundle["stands"];
    let audit = &stands["audit"];
    let rows = stands["rows"].as_object();
    let rows = rows.into_iter().flatten();
    let failures = stands["failures_of_seven_days"].as_array();
    let failures = failures.into_iter().flatten();
    Found {
        at: bundle["at"]
            .as_str()
            .and_then(|at| at.parse().ok())
            .unwrap_or_default(),
        version: text(&bundle["version"]),
        platform: text(&bundle["platform"]),
        faults: checks.iter().filter(|check| !check.ok).count(),
        checks,
        unknown: stands["unknown"].as_str().map(str::to_owned),
        phase: text(&stands["phase"]["position"]),
        gate: text(&stands["gate"]["verdict"]),
        trail: match audit["broken"].as_str() {
            Some(broken) => format!("broken: {broken}"),
            None => format!("whole, {} entries", audit["entries"]),
        },
        rows: rows
            .filter_map(|(table, rows)| Some((table.clone(), rows.as_i64()?)))
            .filter(|(_, rows)| *rows > 0)
            .collect(),
        failures: failures
            .map(|one| Failure {
                step: text(&one["task_name"]),
                cause: text(&one["cause"]),
                number: one["times"].as_i64().unwrap_or(1),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_put_together_by_section() {
        let line = |key: &str| (key.to_owned(), "x".to_owned());
        let told: Vec<(String, Vec<String>)> = sections(vec![
            line("database.url"),
            line("environments.staging.prices"),
            line("environments.staging.llm.url"),
            line("environments.staging.llm.model"),
        ])
        .into_iter()
        .map(|one| (one.name, one.keys.into_iter().map(|(key, _)| key).collect()))
        .collect();
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            told,
            [
                ("database".to_owned(), keys(&["url"])),
                ("environments.staging".to_owned(), keys(&["prices"])),
                (
                    "environments.staging.llm".to_owned(),
                    keys(&["url", "model"])
                ),
            ]
        );
    }
}
