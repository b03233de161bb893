//! Who asks, and what they may do.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::{Door, Needs, Routes};
use crate::{
    access::{Action, By, Caller},
    model::{EnvironmentName, Role},
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/me", Needs::SignedIn, me)
        .says("Who asks, and what they may do")
        .answers::<Me>()
}

/// Somebody as they are known here.
#[derive(Serialize, JsonSchema)]
struct Me {
    /// None where nobody has to sign in.
    name: Option<String>,
    /// `nothing`, `token` or `session`.
    signed_in_with: &'static str,
    environment: EnvironmentName,
    /// Their role in it.
    role: Option<Role>,
    /// What they may do in it.
    may: Vec<Action>,
    /// When they have to show again who they are.
    until: Option<DateTime<Utc>>,
}

async fn me(State(door): State<Door>, caller: Caller) -> Json<Me> {
    let environment = door.access.about.environment;
    let may = |action: &Action| caller.may(*action, &environment).is_ok();
    Json(Me {
        may: Action::ALL.into_iter().filter(may).collect(),
        role: caller.powers.role_in(&environment),
        signed_in_with: match caller.by {
            By::Loopback => "nothing",
            By::Token(_) => "token",
            By::Session(_) => "session",
        },
        until: caller.until,
        name: caller.name,
        environment,
    })
}
