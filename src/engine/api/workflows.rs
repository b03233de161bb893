//! `/api/workflow`.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde_json::{Map, Value};

use super::{
    answer::{Body, text},
    query::Params,
};
use crate::{
    conductor::wire::{StartWorkflowRequest, ValidationError, Workflow},
    engine::{Engine, Error, control::Definitions},
};

pub(super) async fn start(
    State(engine): State<Engine>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, Error> {
    let mut broken = Vec::new();
    let mut refuse = |property: &str, message: String, value: Option<String>| {
        broken.push(ValidationError {
            path: format!("startWorkflow.startWorkflowRequest.{property}"),
            message,
            invalid_value: value,
        });
    };
    if body.get("name").is_none_or(Value::is_null) {
        refuse("name", "Workflow name cannot be null or empty".into(), None);
    }
    if let Some(priority) = body.get("priority").and_then(Value::as_i64) {
        let value = Some(priority.to_string());
        match priority {
            ..0 => refuse(
                "priority",
                format!("priority: {priority} should be minimum 0"),
                value,
            ),
            100.. => refuse(
                "priority",
                format!("priority: {priority} should be maximum 99"),
                value,
            ),
            _ => {}
        }
    }
    for unsupported in ["workflowDef", "externalInputPayloadStoragePath"] {
        if body.get(unsupported).is_some_and(|value| !value.is_null()) {
            refuse(
                unsupported,
                format!(
                    "the embedded engine takes no {unsupported}; register the workflow and pass its input"
                ),
                None,
            );
        }
    }
    if !broken.is_empty() {
        return Err(Error::Invalid(broken));
    }
    if body.get("input").is_some_and(Value::is_null) {
        return Err(Error::BadRequest(
            "NULL input passed when starting workflow".to_owned(),
        ));
    }
    let request = serde_json::from_value(Value::Object(body)).map_err(|_| {
        Error::Unexpected("JSON parse error: a value of the request does not fit".to_owned())
    })?;
    Ok(text(engine.start(request).await?))
}

pub(super) async fn start_by_name(
    State(engine): State<Engine>,
    Path(name): Path<String>,
    params: Params,
    Body(input): Body<Map<String, Value>>,
) -> Result<Response, Error> {
    let version = params.parsed("version")?;
    // This way in looks the definition up itself, and says so in other words.
    engine.workflow_def(&name, version)?;
    let request = StartWorkflowRequest {
        name,
        version,
        correlation_id: params.text("correlationId").map(str::to_owned),
        priority: params.parsed("priority")?,
        input,
        ..StartWorkflowRequest::default()
    };
    Ok(text(engine.start(request).await?))
}

pub(super) async fn get(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Workflow>, Error> {
    let mut run = engine.run_by_id(&id).await?;
    if params.parsed("includeTasks")? == Some(false) {
        run.tasks.clear();
    }
    Ok(Json(run))
}

pub(super) async fn running(
    State(engine): State<Engine>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Json<Vec<String>>, Error> {
    let version = params.parsed("version")?.unwrap_or(1);
    Ok(Json(engine.open_runs(&name, version).await?))
}

async fn found(
    engine: &Engine,
    name: &str,
    correlation_id: &str,
    params: &Params,
) -> Result<Vec<Workflow>, Error> {
    let include_closed = params.parsed("includeClosed")?.unwrap_or(false);
    let include_tasks = params.parsed("includeTasks")?.unwrap_or(false);
    let mut runs = engine
        .correlated(name, correlation_id, include_closed)
        .await?;
    if !include_tasks {
        for run in &mut runs {
            run.tasks.clear();
        }
    }
    Ok(runs)
}

pub(super) async fn correlated(
    State(engine): State<Engine>,
    Path((name, correlation_id)): Path<(String, String)>,
    params: Params,
) -> Result<Json<Vec<Workflow>>, Error> {
    found(&engine, &name, &correlation_id, &params)
        .await
        .map(Json)
}

pub(super) async fn correlated_many(
    State(engine): State<Engine>,
    Path(name): Path<String>,
    params: Params,
    Body(correlation_ids): Body<Vec<String>>,
) -> Result<Json<Map<String, Value>>, Error> {
    let mut answer = Map::new();
    for id in correlation_ids {
        let runs = found(&engine, &name, &id, &params).await?;
        answer.insert(id, serde_json::to_value(runs)?);
    }
    Ok(Json(answer))
}

pub(super) async fn pause(
    State(engine): State<Engine>,
    Path(id): Path<String>,
) -> Result<(), Error> {
    engine.pause(&id).await
}

pub(super) async fn resume(
    State(engine): State<Engine>,
    Path(id): Path<String>,
) -> Result<(), Error> {
    engine.resume(&id).await
}

pub(super) async fn decide(
    State(engine): State<Engine>,
    Path(id): Path<String>,
) -> Result<(), Error> {
    engine.decide_now(&id).await
}

/// Whether anything was repaired.
pub(super) async fn verify_and_repair(
    State(engine): State<Engine>,
    Path(id): Path<String>,
) -> Result<Json<bool>, Error> {
    engine.repair(&id).await.map(Json)
}

pub(super) async fn retry(
    State(engine): State<Engine>,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    engine.retry(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn restart(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    params: Params,
) -> Result<StatusCode, Error> {
    let definitions = if params.parsed("useLatestDefinitions")? == Some(true) {
        Definitions::Latest
    } else {
        Definitions::Frozen
    };
    engine.restart(&id, definitions).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn terminate(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    params: Params,
) -> Result<(), Error> {
    let reason = params.text("reason").map(str::to_owned);
    engine.terminate(&id, reason).await
}

pub(super) async fn remove(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    params: Params,
) -> Result<(), Error> {
    let archive = params.parsed("archiveWorkflow")?.unwrap_or(true);
    engine.remove(&id, archive).await
}
