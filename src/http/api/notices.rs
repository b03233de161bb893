//! Notices: what people were told, and whether it arrived.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use serde_json::{Value, json};

use super::{
    super::{
        Door, Error, Routes,
        body::{self, Body},
    },
    runs::{Listing, limit_of},
};
use crate::{
    access::{Action, Caller},
    controller::NoticeList,
};

pub(super) fn routes() -> Routes {
    Routes::new().get("/notices", Action::View, list).post(
        "/notices/targets/{name}/test",
        Action::TestNotices,
        test,
    )
}

async fn list(
    State(door): State<Door>,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<NoticeList>, Error> {
    Ok(Json(door.notices.list(limit_of(&listing)?).await?))
}

async fn test(
    State(door): State<Door>,
    caller: Caller,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let by = body::object(body, &["by"])?.by(&caller)?;
    let delivery = door.notices.test(&name, &by).await?;
    let delivery = delivery.map_err(|none| Error::NotFound(none.to_string()))?;
    Ok(Json(json!({ "delivery": delivery })))
}
