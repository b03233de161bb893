//! Notices: what people were told, and whether it arrived.

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};

use super::super::{
    Door, Error, Routes,
    body::{self, Body},
    field::BY,
    paging::{LIMIT, Paging},
    words::shape,
};
use crate::{
    access::{Action, Caller},
    controller::NoticeList,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/notices", Action::View, list)
        .says("What people were told, the newest first, and whether it arrived")
        .asks(&[LIMIT])
        .answers::<NoticeList>()
        .post("/notices/targets/{name}/test", Action::TestNotices, test)
        .says("Sends a target a notice that says it is a test")
        .takes(&[BY])
        .answers_with(&[("delivery", shape::<Value>)])
}

async fn list(State(door): State<Door>, paging: Paging) -> Result<Json<NoticeList>, Error> {
    Ok(Json(door.notices.list(paging.limit).await?))
}

async fn test(
    State(door): State<Door>,
    caller: Caller,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let by = body::read(body, &[BY])?.by(&caller)?;
    let delivery = door.notices.test(&name, &by).await?;
    let delivery = delivery.map_err(|none| Error::NotFound(none.to_string()))?;
    Ok(Json(json!({ "delivery": delivery })))
}
