//! What operators and the controller do to runs.

use super::{Engine, Error, decide, new_id};
use crate::{
    conductor::wire::{Workflow, WorkflowStatus},
    store::engine as rows,
};

/// Whether a restart takes the definitions as they are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definitions {
    /// Those the run was started with.
    Frozen,
    /// The highest version there is now.
    Latest,
}

impl Engine {
    // Where a closure returns a result in a result, the inner one is the decision's: what was done
    // before is kept even if the run then cannot be decided.

    /// Schedules nothing more.
    pub async fn pause(&self, id: &str) -> Result<(), Error> {
        self.change(id, |run, _| {
            if run.status.is_terminal() {
                return Err(Error::Conflict(format!(
                    "Workflow {} has ended, status cannot be updated.",
                    short_name(run)
                )));
            }
            run.status = WorkflowStatus::Paused;
            Ok(())
        })
        .await
    }

    /// Ends a pause. The run's timeout counts anew from here.
    pub async fn resume(&self, id: &str) -> Result<(), Error> {
        self.change(id, |run, engine| {
            if run.status != WorkflowStatus::Paused {
                return Err(Error::Unexpected(format!(
                    "The workflow {} is not PAUSED so cannot resume. Current status is {}",
                    run.workflow_id,
                    run.status.as_str()
                )));
            }
            run.status = WorkflowStatus::Running;
            run.last_retried_time = engine.now();
            Ok(engine.decide_or_leave(run))
        })
        .await?
    }

    /// Evaluates a run now.
    pub async fn decide_now(&self, id: &str) -> Result<(), Error> {
        self.change(id, |run, engine| Ok(engine.decide_or_leave(run)))
            .await?
    }

    /// Offers tasks of a run that nothing offers any more; whether there were any.
    pub async fn repair(&self, id: &str) -> Result<bool, Error> {
        self.run_by_id(id).await?;
        let lost = rows::lost_tasks(&self.inner.store.pool, Some(id)).await?;
        self.offer_lost_tasks(Some(id)).await?;
        Ok(!lost.is_empty())
    }

    /// Schedules what failed again.
    pub async fn retry(&self, id: &str) -> Result<(), Error> {
        self.change(id, |run, engine| {
            if !run.status.is_terminal() {
                return Err(Error::NotFound(format!(
                    "Workflow is still running.  status={}",
                    run.status.as_str()
                )));
            }
            if run.tasks.is_empty() {
                return Err(Error::Conflict("Workflow has not started yet".to_owned()));
            }
            let retryable = decide::retryable(run);
            if retryable.is_empty() && run.status != WorkflowStatus::TimedOut {
                return Err(Error::Conflict(
                    "There are no retryable tasks! Use restart if you want to attempt entire workflow execution again."
                        .to_owned(),
                ));
            }
            run.status = WorkflowStatus::Running;
            run.last_retried_time = engine.now();
            run.reason_for_incompletion = None;
            decide::schedule_again(run, &retryable, engine.now(), &mut new_id);
            Ok(engine.decide_or_leave(run))
        })
        .await?
    }

    /// Starts an ended run from the beginning, under the same id.
    pub async fn restart(&self, id: &str, definitions: Definitions) -> Result<(), Error> {
        let _held = self.lock(id).await;
        let before = self.run_by_id(id).await?;
        let mut run = self.as_new(&before, definitions)?;
        run = self.decide(run)?;
        let mut transaction = self.inner.store.begin().await?;
        rows::delete_tasks(&mut transaction, id).await?;
        let nothing = Workflow::default();
        self.save(&mut transaction, &nothing, &mut run).await?;
        transaction.commit().await?;
        self.inner.changed.notify_waiters();
        Ok(())
    }

    fn as_new(&self, before: &Workflow, definitions: Definitions) -> Result<Workflow, Error> {
        if !before.status.is_terminal() {
            return Err(Error::Conflict(format!(
                "Workflow: {}.{} is not in terminal state, unable to restart.",
                short_name(before),
                before.status.as_str()
            )));
        }
        let known = self.definitions();
        let definition = match definitions {
            Definitions::Frozen => before.workflow_definition.as_deref().cloned(),
            Definitions::Latest => known
                .workflow(&before.workflow_name, None)
                .map(|latest| decide::frozen(latest.clone(), &known.tasks)),
        };
        let definition = definition.ok_or_else(|| {
            Error::NotFound(format!(
                "The workflow definition for {} could not be found",
                before.workflow_name
            ))
        })?;
        if !definition.restartable && before.status == WorkflowStatus::Completed {
            return Err(Error::NotFound(format!(
                "Workflow: {} is non-restartable",
                short_name(before)
            )));
        }
        let now = self.now();
        Ok(Workflow {
            create_time: now,
            start_time: now,
            end_time: 0,
            last_retried_time: 0,
            status: WorkflowStatus::Running,
            reason_for_incompletion: None,
            output: crate::conductor::wire::Map::new(),
            tasks: Vec::new(),
            workflow_version: definition.version,
            workflow_definition: Some(Box::new(definition)),
            ..before.clone()
        })
    }

    /// Ends a run and cancels its open tasks. Workers are not told.
    pub async fn terminate(&self, id: &str, reason: Option<String>) -> Result<(), Error> {
        self.change(id, |run, engine| {
            if run.status == WorkflowStatus::Completed {
                return Err(Error::Conflict(
                    "Cannot terminate a COMPLETED workflow.".to_owned(),
                ));
            }
            decide::terminate(run, reason, engine.now());
            Ok(())
        })
        .await
    }

    /// Deletes a run. With `archive`, an open run is deleted as well, and refused: in that order,
    /// as 3.15.0 has it.
    pub async fn remove(&self, id: &str, archive: bool) -> Result<(), Error> {
        let _held = self.lock(id).await;
        let run = self.run_by_id(id).await?;
        let mut transaction = self.inner.store.begin().await?;
        rows::delete_tasks(&mut transaction, id).await?;
        rows::delete_run(&mut *transaction, id).await?;
        transaction.commit().await?;
        if archive && !run.status.is_terminal() {
            return Err(Error::BadRequest(format!(
                "Cannot archive workflow: {id} with status: {}",
                run.status.as_str()
            )));
        }
        Ok(())
    }

    /// Ids of a workflow's open runs.
    pub async fn open_runs(&self, name: &str, version: i32) -> Result<Vec<String>, Error> {
        let pool = &self.inner.store.pool;
        Ok(rows::open_runs(pool, name, version.into()).await?)
    }

    /// A workflow's runs with this correlation id, with their tasks.
    pub async fn correlated(
        &self,
        name: &str,
        correlation_id: &str,
        include_closed: bool,
    ) -> Result<Vec<Workflow>, Error> {
        let mut found = Vec::new();
        for id in rows::correlated(&self.inner.store.pool, name, correlation_id).await? {
            match self.run_by_id(&id).await {
                Ok(run) if include_closed || !run.status.is_terminal() => found.push(run),
                Ok(_) | Err(Error::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Moves a run as far as it goes, and leaves it as it is if it cannot be decided.
    pub(super) fn decide_or_leave(&self, run: &mut Workflow) -> Result<(), Error> {
        *run = self.decide(run.clone())?;
        Ok(())
    }
}

/// `name.version/id`, as Conductor's messages name a run.
fn short_name(run: &Workflow) -> String {
    format!(
        "{}.{}/{}",
        run.workflow_name, run.workflow_version, run.workflow_id
    )
}
