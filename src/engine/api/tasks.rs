//! `/api/tasks`.

use std::{collections::BTreeMap, io, time::Duration};

use axum::{
    Json,
    body::Body as Stream,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};

use super::{
    answer::{Body, text},
    query::Params,
};
use crate::{
    conductor::wire::{PollData, Task, TaskLog, TaskResult, ValidationError},
    engine::{Engine, Error, polling::Poll},
};

/// What a batch poll waits if it does not say.
const DEFAULT_WAIT_MS: u64 = 100;

/// What it may say.
const LONGEST_WAIT_MS: u64 = 5000;

fn poll_of(kind: String, params: &Params, count: usize, wait_ms: u64) -> Poll {
    Poll {
        kind,
        worker_id: params.text("workerid").map(str::to_owned),
        domain: params.text("domain").map(str::to_owned),
        count,
        wait: Duration::from_millis(wait_ms),
    }
}

pub(super) async fn poll(
    State(engine): State<Engine>,
    Path(kind): Path<String>,
    params: Params,
) -> Result<Response, Error> {
    let mut tasks = engine.poll(&poll_of(kind, &params, 1, 0)).await?;
    Ok(match tasks.pop() {
        Some(task) => handed_out(&engine, Json(task)),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

pub(super) async fn poll_batch(
    State(engine): State<Engine>,
    Path(kind): Path<String>,
    params: Params,
) -> Result<Response, Error> {
    let count = params.parsed("count")?.unwrap_or(1);
    let wait_ms = params.parsed("timeout")?.unwrap_or(DEFAULT_WAIT_MS);
    if wait_ms > LONGEST_WAIT_MS {
        return Err(Error::BadRequest(
            "Long Poll Timeout value cannot be more than 5 seconds".to_owned(),
        ));
    }
    let tasks = engine.poll(&poll_of(kind, &params, count, wait_ms)).await?;
    if tasks.is_empty() {
        return Ok(Json(tasks).into_response());
    }
    Ok(handed_out(&engine, Json(tasks)))
}

/// The answer, or a connection that breaks within it if that fault is on.
fn handed_out(engine: &Engine, answer: impl IntoResponse) -> Response {
    if engine.inner.options.faults.drops_this_poll_answer() {
        let broken = io::Error::from(io::ErrorKind::ConnectionReset);
        let stream = futures_util::stream::iter([Err::<Vec<u8>, _>(broken)]);
        return Stream::from_stream(stream).into_response();
    }
    answer.into_response()
}

pub(super) async fn update(
    State(engine): State<Engine>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, Error> {
    let missing = |key: &str| {
        body.get(key)
            .and_then(Value::as_str)
            .unwrap_or("")
            .is_empty()
    };
    let broken: Vec<_> = [
        ("taskId", "Task ID cannot be null or empty"),
        ("workflowInstanceId", "Workflow Id cannot be null or empty"),
    ]
    .into_iter()
    .filter(|(key, _)| missing(key))
    .map(|(key, message)| ValidationError {
        path: format!("updateTask.taskResult.{key}"),
        message: message.to_owned(),
        invalid_value: None,
    })
    .collect();
    if !broken.is_empty() {
        return Err(Error::Invalid(broken));
    }
    let result: TaskResult = serde_json::from_value(Value::Object(body)).map_err(|_| {
        Error::Unexpected("JSON parse error: a value of the task result does not fit".to_owned())
    })?;
    let task_id = result.task_id.clone();
    engine.update_task(result).await?;
    Ok(text(task_id))
}

/// 204 where there is none, as 3.15.0 has it.
pub(super) async fn get(
    State(engine): State<Engine>,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    Ok(match engine.task(&id).await? {
        Some(task) => Json::<Task>(task).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

pub(super) async fn add_log(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    line: String,
) -> Result<(), Error> {
    engine.add_log(&id, &line).await
}

pub(super) async fn logs(
    State(engine): State<Engine>,
    Path(id): Path<String>,
) -> Result<Json<Vec<TaskLog>>, Error> {
    engine.logs(&id).await.map(Json)
}

pub(super) async fn queue_all(
    State(engine): State<Engine>,
) -> Result<Json<BTreeMap<String, i64>>, Error> {
    engine.queue_sizes().await.map(Json)
}

pub(super) async fn queue_sizes(
    State(engine): State<Engine>,
    params: Params,
) -> Result<Json<BTreeMap<String, i64>>, Error> {
    let sizes = engine.queue_sizes().await?;
    let asked = params.all("taskType").flat_map(|kinds| kinds.split(','));
    Ok(Json(
        asked
            .map(|kind| (kind.to_owned(), sizes.get(kind).copied().unwrap_or(0)))
            .collect(),
    ))
}

pub(super) async fn poll_data(State(engine): State<Engine>, params: Params) -> Json<Vec<PollData>> {
    let kind = params.text("taskType").unwrap_or_default();
    let mut polls = engine.polls();
    polls.retain(|poll| poll.queue_name == kind);
    Json(polls)
}

pub(super) async fn all_poll_data(State(engine): State<Engine>) -> Json<Vec<PollData>> {
    Json(engine.polls())
}
