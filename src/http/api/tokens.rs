//! Tokens. Whoever makes one gives away no more than they have, and it acts in their name: nobody
//! becomes a second person by making a token.

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};

use super::super::{
    Door, Error, Routes,
    body::{self, Body},
};
use crate::{
    access::{Action, Caller, Powers},
    controller::access::WantedToken,
    model::{EnvironmentName, Role},
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/tokens", Action::ManageTokens, list)
        .post("/tokens", Action::ManageTokens, make)
        .post("/tokens/{id}/revocation", Action::ManageTokens, revoke)
}

async fn list(State(door): State<Door>, caller: Caller) -> Result<Json<Value>, Error> {
    let tokens = door.access.tokens().await?;
    let theirs = tokens
        .iter()
        .filter(|token| caller.powers.cover(&token.powers));
    let told: Vec<_> = theirs.map(crate::store::Token::told).collect();
    Ok(Json(json!({ "tokens": told })))
}

const FIELDS: [&str; 6] = ["label", "role", "environments", "only", "days", "by"];

async fn make(State(door): State<Door>, caller: Caller, body: Body) -> Result<Json<Value>, Error> {
    let fields = body::object(body, &FIELDS)?;
    let role: Role = read("role", &fields.text("role")?)?;
    let environments = fields.texts_if_any("environments")?;
    let mut places: Vec<_> = environments.into_iter().map(EnvironmentName::new).collect();
    if places.is_empty() {
        places.push(door.access.about.environment.clone());
    }
    let only: Vec<Action> = fields
        .texts_if_any("only")?
        .iter()
        .map(|name| read("only", name))
        .collect::<Result<_, _>>()?;
    let powers = Powers::in_environments(role, &places).only(only);
    if !caller.powers.cover(&powers) {
        return Err(Error::Forbidden(format!(
            "a token may do no more than whoever makes it; you have {}",
            caller.powers
        )));
    }
    let by = fields.by(&caller)?;
    let wanted = WantedToken {
        label: fields.text("label")?,
        owner: by.clone(),
        powers,
        days: fields.number_if_any("days")?.unwrap_or(90),
        by,
    };
    let made = door.access.make_token(wanted).await?;
    let made = made.map_err(Error::BadRequest)?;
    Ok(Json(json!({
        "token": made.secret,
        "id": made.id,
        "expires_at": made.expires_at,
    })))
}

fn read<T: std::str::FromStr<Err: std::fmt::Display>>(field: &str, text: &str) -> Result<T, Error> {
    let read = text.parse();
    read.map_err(|error: T::Err| body::wrong(field, &error.to_string()))
}

async fn revoke(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let fields = body::object(body, &["by", "reason"])?;
    let reason = fields.text_if_any("reason")?.unwrap_or_default();
    let by = fields.by(&caller)?;
    let tokens = door.access.tokens().await?;
    let is_theirs = tokens
        .iter()
        .any(|token| token.id == id && caller.powers.cover(&token.powers));
    if is_theirs && door.access.revoke_token(&id, &by, &reason).await? {
        Ok(Json(json!({ "revoked": id })))
    } else {
        Err(Error::NotFound(format!(
            "no token `{id}` counts; GET /api/v1/tokens lists them"
        )))
    }
}
