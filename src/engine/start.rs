//! Starting a run.

use super::{Engine, Error, decide, new_id};
use crate::conductor::wire::{StartWorkflowRequest, Workflow, WorkflowDef};

impl Engine {
    /// Starts a run and schedules its first tasks. The id is given out after all of it is committed.
    pub async fn start(&self, request: StartWorkflowRequest) -> Result<String, Error> {
        let definition = self.definition_to_start(&request)?;
        let now = self.now();
        let mut input = request.input;
        decide::with_template(&mut input, &definition.input_template);
        let run = Workflow {
            create_time: now,
            start_time: now,
            update_time: now,
            workflow_id: new_id(),
            workflow_name: definition.name.clone(),
            workflow_version: definition.version,
            input,
            correlation_id: request.correlation_id,
            task_to_domain: request.task_to_domain,
            priority: request.priority.unwrap_or_default(),
            variables: definition.variables.clone(),
            workflow_definition: Some(Box::new(definition)),
            ..Workflow::default()
        };
        // A run that cannot be decided at its start is not kept.
        let mut run = self.decide(run)?;
        let mut transaction = self.inner.store.begin().await?;
        self.save(&mut transaction, &Workflow::default(), &mut run)
            .await?;
        transaction.commit().await?;
        self.inner.changed.notify_waiters();
        Ok(run.workflow_id)
    }

    fn definition_to_start(&self, request: &StartWorkflowRequest) -> Result<WorkflowDef, Error> {
        if request.name.trim().is_empty() {
            return Err(Error::BadRequest(
                "Workflow name must be specified when searching for a definition".to_owned(),
            ));
        }
        let definitions = self.definitions();
        let definition = definitions
            .workflow(&request.name, request.version)
            .ok_or_else(|| {
                let version = request
                    .version
                    .map_or_else(|| "null".to_owned(), |version| version.to_string());
                Error::NotFound(format!(
                    "No such workflow defined. name={}, version={version}",
                    request.name
                ))
            })?;
        Ok(decide::frozen(definition.clone(), &definitions.tasks))
    }
}

impl super::Definitions {
    /// One version of a workflow, or the highest.
    pub(super) fn workflow(&self, name: &str, version: Option<i32>) -> Option<&WorkflowDef> {
        let versions = self.workflows.get(name)?;
        match version {
            Some(version) => versions.get(&version),
            None => versions.values().next_back(),
        }
    }
}
