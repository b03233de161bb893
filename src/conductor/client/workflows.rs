//! Starting, reading and controlling runs.

use reqwest::Method;
use url::Url;

use super::{Client, Error, Repeat};
use crate::{
    conductor::wire::{StartWorkflowRequest, Workflow},
    model::WorkflowId,
};

/// A run found by its correlation id.
#[derive(Clone, Debug)]
pub struct Started {
    /// Its id.
    pub id: WorkflowId,
    /// Its state, without tasks.
    pub workflow: Workflow,
}

impl Client {
    /// Starts a run. Tried once: after an [ambiguous](Error::is_ambiguous) failure, look with
    /// [`Client::find_started`] before starting again.
    pub async fn start(&self, request: &StartWorkflowRequest) -> Result<WorkflowId, Error> {
        self.call(Method::POST, &["workflow"], &[], Repeat::Never, |call| {
            call.json(request)
        })
        .await?
        .text()
        .map(WorkflowId::new)
    }

    /// The run that carries this correlation id, the newest if there are several. The index may not
    /// know it (or there is none), so the list of open runs is read as well.
    pub async fn find_started(
        &self,
        name: &str,
        correlation_id: &str,
    ) -> Result<Option<Started>, Error> {
        let mut found = self.correlated(name, correlation_id).await?;
        if found.is_empty() {
            for id in self.running(name, None).await? {
                match self.workflow(&id, false).await {
                    Ok(workflow) if workflow.correlation_id.as_deref() == Some(correlation_id) => {
                        found.push(workflow);
                    }
                    // It ended and was removed since the list was made.
                    Ok(_) | Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(found
            .into_iter()
            .max_by_key(|workflow| workflow.create_time)
            .map(|workflow| Started {
                id: WorkflowId::new(workflow.workflow_id.as_str()),
                workflow,
            }))
    }

    /// A run, with all attempts at its tasks if asked for.
    pub async fn workflow(&self, id: &WorkflowId, include_tasks: bool) -> Result<Workflow, Error> {
        let include = if include_tasks { "true" } else { "false" };
        self.get(&["workflow", id.as_str()], &[("includeTasks", include)])
            .await?
            .json()
    }

    /// Where people see a run on the server's own pages, if it has any.
    pub fn page_of(&self, id: &WorkflowId) -> Option<Url> {
        let mut page = self.config.ui_url.clone()?;
        let mut path = page.path_segments_mut().ok()?;
        path.pop_if_empty().extend(["execution", id.as_str()]);
        drop(path);
        Some(page)
    }

    /// Ids of the open runs of a workflow (of version 1 if none is named, as the server has it).
    pub async fn running(
        &self,
        name: &str,
        version: Option<i32>,
    ) -> Result<Vec<WorkflowId>, Error> {
        let version = version.unwrap_or(1).to_string();
        self.get(&["workflow", "running", name], &[("version", &version)])
            .await?
            .json()
    }

    /// Runs with this correlation id, ended ones too, without tasks. Empty where the server has no
    /// index, however many there are.
    pub async fn correlated(
        &self,
        name: &str,
        correlation_id: &str,
    ) -> Result<Vec<Workflow>, Error> {
        self.get(
            &["workflow", name, "correlated", correlation_id],
            &[("includeClosed", "true"), ("includeTasks", "false")],
        )
        .await?
        .json()
    }

    /// Schedules nothing more; queued tasks are still handed out, and task timeouts not checked.
    pub async fn pause(&self, id: &WorkflowId) -> Result<(), Error> {
        self.control(Method::PUT, &["workflow", id.as_str(), "pause"], &[])
            .await
    }

    /// Ends a pause. [`Error::Refused`] with 500 if the run is not paused.
    pub async fn resume(&self, id: &WorkflowId) -> Result<(), Error> {
        self.control(Method::PUT, &["workflow", id.as_str(), "resume"], &[])
            .await
    }

    /// Schedules the failed tasks of an ended run again. [`Error::NotFound`] if it is still open.
    pub async fn retry(&self, id: &WorkflowId) -> Result<(), Error> {
        self.control(Method::POST, &["workflow", id.as_str(), "retry"], &[])
            .await
    }

    /// Starts an ended run from the beginning under the same id.
    pub async fn restart(
        &self,
        id: &WorkflowId,
        use_latest_definitions: bool,
    ) -> Result<(), Error> {
        let latest = if use_latest_definitions {
            "true"
        } else {
            "false"
        };
        self.control(
            Method::POST,
            &["workflow", id.as_str(), "restart"],
            &[("useLatestDefinitions", latest)],
        )
        .await
    }

    /// Ends a run. Workers that hold one of its tasks are not told. [`Error::Conflict`] if it has
    /// completed; harmless if it was terminated before.
    pub async fn terminate(&self, id: &WorkflowId, reason: &str) -> Result<(), Error> {
        self.control(
            Method::DELETE,
            &["workflow", id.as_str()],
            &[("reason", reason)],
        )
        .await
    }

    /// Deletes the record of an ended run.
    pub async fn remove(&self, id: &WorkflowId) -> Result<(), Error> {
        self.control(
            Method::DELETE,
            &["workflow", id.as_str(), "remove"],
            &[("archiveWorkflow", "false")],
        )
        .await
    }

    /// Has the server evaluate the run, timeouts included. It answers yes even where it did nothing,
    /// so read the run back.
    pub async fn decide(&self, id: &WorkflowId) -> Result<(), Error> {
        self.control(Method::PUT, &["workflow", "decide", id.as_str()], &[])
            .await
    }

    /// Has the server look whether the run's waiting tasks are in their queues, and put them back.
    /// An error on servers without a repair service.
    pub async fn verify_and_repair(&self, id: &WorkflowId) -> Result<(), Error> {
        let segments = ["admin", "consistency", "verifyAndRepair", id.as_str()];
        self.control(Method::POST, &segments, &[]).await
    }

    async fn control(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<(), Error> {
        let repeat = if method == Method::PUT {
            Repeat::Safe
        } else {
            Repeat::Never
        };
        self.call(method, segments, query, repeat, |call| call)
            .await
            .map(drop)
    }
}
