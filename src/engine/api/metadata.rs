//! `/api/metadata`.

use axum::{
    Json,
    extract::{Path, State},
};

use super::{answer::Body, query::Params};
use crate::{
    conductor::wire::{BulkResponse, TaskDef, WorkflowDef},
    engine::{Engine, Error, metadata::Existing, validation::Place},
};

pub(super) async fn workflows(State(engine): State<Engine>) -> Json<Vec<WorkflowDef>> {
    Json(engine.workflow_defs())
}

pub(super) async fn workflow(
    State(engine): State<Engine>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Json<WorkflowDef>, Error> {
    engine
        .workflow_def(&name, params.parsed("version")?)
        .map(Json)
}

pub(super) async fn add_workflow(
    State(engine): State<Engine>,
    Body(definition): Body<WorkflowDef>,
) -> Result<(), Error> {
    let at = Place {
        argument: "registerWorkflowDef.workflowDef",
        list: false,
    };
    engine
        .put_workflow_defs(vec![definition], Existing::Keep, &at)
        .await
}

pub(super) async fn put_workflows(
    State(engine): State<Engine>,
    Body(definitions): Body<Vec<WorkflowDef>>,
) -> Result<Json<BulkResponse>, Error> {
    let at = Place {
        argument: "updateWorkflowDef.workflowDefList",
        list: true,
    };
    let names = definitions.iter().map(|d| d.name.clone().into()).collect();
    engine
        .put_workflow_defs(definitions, Existing::Replace, &at)
        .await?;
    Ok(Json(BulkResponse {
        bulk_successful_results: names,
        ..BulkResponse::default()
    }))
}

pub(super) async fn validate_workflow(
    State(engine): State<Engine>,
    Body(definition): Body<WorkflowDef>,
) -> Result<(), Error> {
    let at = Place {
        argument: "validateWorkflowDef.workflowDef",
        list: false,
    };
    engine.check_workflow_defs(&[definition], &at)
}

pub(super) async fn delete_workflow(
    State(engine): State<Engine>,
    Path((name, version)): Path<(String, i32)>,
) -> Result<(), Error> {
    engine.delete_workflow_def(&name, version).await
}

pub(super) async fn tasks(State(engine): State<Engine>) -> Json<Vec<TaskDef>> {
    Json(engine.task_defs())
}

pub(super) async fn task(
    State(engine): State<Engine>,
    Path(name): Path<String>,
) -> Result<Json<TaskDef>, Error> {
    engine
        .task_def(&name)
        .map(Json)
        .ok_or_else(|| Error::NotFound(format!("No such taskType found by name: {name}")))
}

pub(super) async fn put_tasks(
    State(engine): State<Engine>,
    Body(definitions): Body<Vec<TaskDef>>,
) -> Result<(), Error> {
    let at = Place {
        argument: "registerTaskDef.taskDefinitions",
        list: true,
    };
    engine.put_task_defs(definitions, &at).await
}

pub(super) async fn replace_task(
    State(engine): State<Engine>,
    Body(definition): Body<TaskDef>,
) -> Result<(), Error> {
    if engine.task_def(&definition.name).is_none() {
        return Err(Error::NotFound(format!(
            "No such task by name {}",
            definition.name
        )));
    }
    let at = Place {
        argument: "updateTaskDef.taskDef",
        list: false,
    };
    engine.put_task_defs(vec![definition], &at).await
}

pub(super) async fn delete_task(
    State(engine): State<Engine>,
    Path(name): Path<String>,
) -> Result<(), Error> {
    engine.delete_task_def(&name).await
}
