//! Tokens. Whoever makes one gives away no more than they have, and it acts in their name: nobody
//! becomes a second person by making a token.

use axum::{
    Extension, Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::super::{
    Door, Error, Routes,
    body::{self, Body},
    field::{BY, Field, number, one_of, text, texts},
    paging::Paging,
    repeats::NotKept,
    words::shape,
};
use crate::{
    access::{Action, Caller, Powers},
    controller::access::{LONGEST_DAYS, WantedToken},
    model::{EnvironmentName, Role},
    store::TokenLine,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/tokens", Action::ManageTokens, list)
        .says("Tokens that may no more than whoever asks, the newest first")
        .lists::<TokenLine>("tokens")
        .post("/tokens", Action::ManageTokens, make)
        .says("Makes a token, which is told this once")
        .takes(&FIELDS)
        .answers_with(&[
            ("token", shape::<String>),
            ("id", shape::<String>),
            ("expires_at", shape::<DateTime<Utc>>),
        ])
        .post("/tokens/{id}/revocation", Action::ManageTokens, revoke)
        .says("Takes a token back")
        .takes(&REVOCATION)
        .answers_with(&[("revoked", shape::<String>)])
}

async fn list(State(door): State<Door>, caller: Caller, paging: Paging) -> Result<Response, Error> {
    let tokens = door.access.tokens().await?;
    let theirs = tokens
        .iter()
        .filter(|token| caller.powers.cover(&token.powers));
    let told: Vec<_> = theirs.map(crate::store::Token::line).collect();
    paging.cut(told, |token| token.id.clone()).named("tokens")
}

const FIELDS: [Field; 6] = [
    text("label", "what it is for", r#""dispatch helper""#).needed(),
    one_of(
        "role",
        &["viewer", "reviewer", "operator", "approver", "admin"],
        "the role it holds",
    )
    .needed()
    .like(r#""operator""#),
    texts(
        "environments",
        "where; here, where nothing is said",
        r#"["staging"]"#,
    ),
    texts("only", "the actions it is narrowed to", r#"["ask_route"]"#),
    number(
        "days",
        (1, LONGEST_DAYS),
        "how long it lasts; 90 days where nothing is said",
    )
    .like("90"),
    BY,
];

const REVOCATION: [Field; 2] = [text("reason", "why", r#""left the company""#), BY];

async fn make(State(door): State<Door>, caller: Caller, body: Body) -> Result<Response, Error> {
    let fields = body::read(body, &FIELDS)?;
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
    let told = json!({
        "token": made.secret,
        "id": made.id,
        "expires_at": made.expires_at,
    });
    Ok((Extension(NotKept), Json(told)).into_response())
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
    let fields = body::read(body, &REVOCATION)?;
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
