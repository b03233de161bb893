//! Definitions of workflows and task kinds.

use reqwest::Method;

use super::{Client, Error, Repeat};
use crate::conductor::wire::{BulkResponse, TaskDef, WorkflowDef};

impl Client {
    /// Adds or replaces workflow definitions. Look into the answer: entries may have been refused
    /// although the call was accepted.
    pub async fn put_workflow_defs(
        &self,
        definitions: &[WorkflowDef],
    ) -> Result<BulkResponse, Error> {
        self.call(
            Method::PUT,
            &["metadata", "workflow"],
            &[],
            Repeat::Safe,
            |call| call.json(definitions),
        )
        .await?
        .json()
    }

    /// A workflow definition, the highest version if none is named.
    pub async fn workflow_def(
        &self,
        name: &str,
        version: Option<i32>,
    ) -> Result<WorkflowDef, Error> {
        let version = version.map(|version| version.to_string());
        let query: Vec<_> = version.iter().map(|v| ("version", v.as_str())).collect();
        self.get(&["metadata", "workflow", name], &query)
            .await?
            .json()
    }

    /// All workflow definitions.
    pub async fn workflow_defs(&self) -> Result<Vec<WorkflowDef>, Error> {
        self.get(&["metadata", "workflow"], &[]).await?.json()
    }

    /// Deletes one version of a workflow definition.
    pub async fn delete_workflow_def(&self, name: &str, version: i32) -> Result<(), Error> {
        let version = version.to_string();
        self.call(
            Method::DELETE,
            &["metadata", "workflow", name, &version],
            &[],
            Repeat::Never,
            |call| call,
        )
        .await
        .map(drop)
    }

    /// Adds or replaces task definitions: all of them or, if one breaks a rule, none.
    pub async fn put_task_defs(&self, definitions: &[TaskDef]) -> Result<(), Error> {
        // Registering the same twice is harmless, although it is a `POST`.
        self.call(
            Method::POST,
            &["metadata", "taskdefs"],
            &[],
            Repeat::Safe,
            |call| call.json(definitions),
        )
        .await
        .map(drop)
    }

    /// A task definition.
    pub async fn task_def(&self, name: &str) -> Result<TaskDef, Error> {
        self.get(&["metadata", "taskdefs", name], &[]).await?.json()
    }

    /// All task definitions.
    pub async fn task_defs(&self) -> Result<Vec<TaskDef>, Error> {
        self.get(&["metadata", "taskdefs"], &[]).await?.json()
    }

    /// Deletes a task definition.
    pub async fn delete_task_def(&self, name: &str) -> Result<(), Error> {
        self.call(
            Method::DELETE,
            &["metadata", "taskdefs", name],
            &[],
            Repeat::Never,
            |call| call,
        )
        .await
        .map(drop)
    }
}
