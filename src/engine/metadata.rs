//! Registering definitions. The store is written first, then what is held in memory.

use super::{Engine, Error, validation};
use crate::{
    conductor::wire::{TaskDef, WorkflowDef},
    store::engine as rows,
};

/// Whether an existing definition may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It may.
    Replace,
    /// It may not.
    Keep,
}

impl Engine {
    /// Registers workflow definitions: all, or none if one breaks a rule. `at` names the call in
    /// messages, as `updateWorkflowDef.workflowDefList`.
    pub async fn put_workflow_defs(
        &self,
        definitions: Vec<WorkflowDef>,
        existing: Existing,
        at: &validation::Place<'_>,
    ) -> Result<(), Error> {
        self.check_workflow_defs(&definitions, at)?;
        let _alone = self.inner.registering.lock().await;
        let mut definitions = definitions;
        for definition in &mut definitions {
            let known = self
                .definitions()
                .workflow(&definition.name, Some(definition.version))
                .map(|known| known.create_time);
            match known {
                Some(_) if existing == Existing::Keep => {
                    return Err(Error::Conflict(format!(
                        "Workflow with {}.{} already exists!",
                        definition.name, definition.version
                    )));
                }
                Some(create_time) => {
                    definition.create_time = create_time;
                    definition.update_time = Some(self.now());
                }
                None => definition.create_time = Some(self.now()),
            }
        }
        let mut transaction = self.inner.store.begin().await?;
        for definition in &definitions {
            let document = serde_json::to_string(definition)?;
            let version = definition.version.into();
            rows::put_workflow_def(&mut *transaction, &definition.name, version, &document).await?;
        }
        transaction.commit().await?;
        let mut known = self.definitions_mut();
        for definition in definitions {
            known
                .workflows
                .entry(definition.name.clone())
                .or_default()
                .insert(definition.version, definition);
        }
        Ok(())
    }

    /// Whether workflow definitions would be accepted.
    pub fn check_workflow_defs(
        &self,
        definitions: &[WorkflowDef],
        at: &validation::Place<'_>,
    ) -> Result<(), Error> {
        let owner = self.inner.options.require_owner_email;
        let broken: Vec<_> = definitions
            .iter()
            .enumerate()
            .flat_map(|(index, definition)| {
                validation::workflow(definition, &at.entry(index), owner)
            })
            .collect();
        if broken.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(broken))
        }
    }

    /// A workflow definition, the highest version if none is named.
    pub fn workflow_def(&self, name: &str, version: Option<i32>) -> Result<WorkflowDef, Error> {
        let found = self.definitions().workflow(name, version).cloned();
        found.ok_or_else(|| {
            let version = version.map_or_else(|| "null".to_owned(), |version| version.to_string());
            Error::NotFound(format!(
                "No such workflow found by name: {name}, version: {version}"
            ))
        })
    }

    /// All workflow definitions.
    pub fn workflow_defs(&self) -> Vec<WorkflowDef> {
        let known = self.definitions();
        let versions = known.workflows.values().flat_map(|v| v.values());
        versions.cloned().collect()
    }

    /// Deletes one version.
    pub async fn delete_workflow_def(&self, name: &str, version: i32) -> Result<(), Error> {
        let _alone = self.inner.registering.lock().await;
        let pool = &self.inner.store.pool;
        if !rows::delete_workflow_def(pool, name, version.into()).await? {
            return Err(Error::NotFound(format!(
                "Cannot remove the workflow - no such workflow definition: {name} version: {version}"
            )));
        }
        let mut known = self.definitions_mut();
        if let Some(versions) = known.workflows.get_mut(name) {
            versions.remove(&version);
            if versions.is_empty() {
                known.workflows.remove(name);
            }
        }
        Ok(())
    }

    /// Registers task definitions: all, or none if one breaks a rule.
    pub async fn put_task_defs(
        &self,
        definitions: Vec<TaskDef>,
        at: &validation::Place<'_>,
    ) -> Result<(), Error> {
        let owner = self.inner.options.require_owner_email;
        let broken: Vec<_> = definitions
            .iter()
            .enumerate()
            .flat_map(|(index, definition)| validation::task(definition, &at.entry(index), owner))
            .collect();
        if !broken.is_empty() {
            return Err(Error::Invalid(broken));
        }
        let _alone = self.inner.registering.lock().await;
        let mut definitions = definitions;
        for definition in &mut definitions {
            let known = self.definitions();
            match known.tasks.get(&definition.name) {
                Some(known) => {
                    definition.create_time = known.create_time;
                    definition.update_time = Some(self.now());
                }
                None => definition.create_time = Some(self.now()),
            }
        }
        let mut transaction = self.inner.store.begin().await?;
        for definition in &definitions {
            let document = serde_json::to_string(definition)?;
            rows::put_task_def(&mut *transaction, &definition.name, &document).await?;
        }
        transaction.commit().await?;
        let mut known = self.definitions_mut();
        for definition in definitions {
            known.tasks.insert(definition.name.clone(), definition);
        }
        Ok(())
    }

    /// A task definition.
    pub fn task_def(&self, name: &str) -> Option<TaskDef> {
        self.definitions().tasks.get(name).cloned()
    }

    /// All task definitions.
    pub fn task_defs(&self) -> Vec<TaskDef> {
        self.definitions().tasks.values().cloned().collect()
    }

    /// Deletes a task definition. Runs keep their copies.
    pub async fn delete_task_def(&self, name: &str) -> Result<(), Error> {
        let _alone = self.inner.registering.lock().await;
        if !rows::delete_task_def(&self.inner.store.pool, name).await? {
            return Err(Error::NotFound(
                "Cannot remove the task - no such task definition".to_owned(),
            ));
        }
        self.definitions_mut().tasks.remove(name);
        Ok(())
    }
}
