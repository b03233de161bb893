//! Puts `workflows/` into the engine, and tells what that changed.

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

use crate::{
    conductor::{Client, Error, definitions},
    model::TaskName,
};

/// What became of one definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The engine did not have it.
    Created,
    /// The engine had another one.
    Updated,
    /// The engine had it.
    Unchanged,
}

/// A definition and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// `task` or `workflow`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What became of it.
    pub change: Change,
}

/// Registers every task definition, then the workflow, which would be refused without them.
pub async fn register(client: &Client) -> anyhow::Result<Vec<Registered>> {
    let mut registered = Vec::new();
    for task in TaskName::ALL {
        let ours = &definitions::contract(task).definition;
        let theirs = if_any(client.task_def(task.as_str()).await)
            .with_context(|| format!("reading the engine's definition of task `{task}`"))?;
        let change = change(ours, theirs.as_ref())?;
        if change != Change::Unchanged {
            client
                .put_task_defs(std::slice::from_ref(ours))
                .await
                .with_context(|| format!("registering task `{task}`"))?;
        }
        registered.push(Registered {
            kind: "task",
            name: task.to_string(),
            change,
        });
    }
    let workflow = definitions::workflow();
    let version = Some(workflow.version);
    let theirs = if_any(client.workflow_def(&workflow.name, version).await)
        .with_context(|| format!("reading the engine's workflow `{}`", workflow.name))?;
    let change = change(workflow, theirs.as_ref())?;
    if change != Change::Unchanged {
        let answer = client
            .put_workflow_defs(std::slice::from_ref(workflow))
            .await
            .with_context(|| format!("registering workflow `{}`", workflow.name))?;
        // The engine answers 200 also where it refused an entry.
        if let Some((name, why)) = answer.bulk_error_results.first_key_value() {
            anyhow::bail!("the engine refused workflow `{name}`: {why}");
        }
    }
    registered.push(Registered {
        kind: "workflow",
        name: workflow.name.clone(),
        change,
    });
    Ok(registered)
}

fn if_any<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn change<T: Serialize>(ours: &T, theirs: Option<&T>) -> anyhow::Result<Change> {
    let json = |definition| serde_json::to_value(definition).context("writing a definition");
    Ok(match theirs {
        None => Change::Created,
        Some(theirs) if contains(&json(theirs)?, &json(ours)?) => Change::Unchanged,
        Some(_) => Change::Updated,
    })
}

/// Whether everything we say is said there too. Engines add defaults of their own, and leave out
/// lists that are empty.
fn contains(theirs: &Value, ours: &Value) -> bool {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => ours.iter().all(|(key, ours)| {
            theirs
                .get(key)
                .map_or_else(|| is_empty(ours), |theirs| contains(theirs, ours))
        }),
        (Value::Array(theirs), Value::Array(ours)) => {
            theirs.len() == ours.len()
                && theirs
                    .iter()
                    .zip(ours)
                    .all(|(theirs, ours)| contains(theirs, ours))
        }
        (theirs, ours) => theirs == ours,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_an_engine_adds_are_no_change_but_other_values_are() {
        let ours = json!({ "name": "a", "tasks": [{ "name": "b", "joinOn": [] }] });
        let same =
            json!({ "name": "a", "updateTime": 7, "tasks": [{ "name": "b", "optional": false }] });
        let other = json!({ "name": "a", "tasks": [{ "name": "c" }] });
        let change = |theirs| change(&ours, theirs).expect("JSON can be written");
        assert_eq!(change(Some(&same)), Change::Unchanged);
        assert_eq!(change(Some(&other)), Change::Updated);
        assert_eq!(change(None), Change::Created);
    }
}
