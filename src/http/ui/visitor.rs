//! Who looks at a page, as its header shows them.

use serde::Serialize;

use super::super::Door;
use crate::{
    access::{By, Caller},
    model::Role,
};

/// Who looks, and what their forms send back as `csrf`.
#[derive(Serialize)]
pub(in crate::http) struct Visitor<'a> {
    name: &'a str,
    role: Option<Role>,
    /// False where nobody has to sign in.
    signed_in: bool,
    csrf: &'a str,
}

impl<'a> Visitor<'a> {
    pub(in crate::http) fn of(caller: &'a Caller, door: &Door) -> Self {
        Self {
            name: caller.shown(),
            role: caller.powers.role_in(&door.access.about.environment),
            signed_in: caller.by != By::Loopback,
            csrf: &caller.csrf,
        }
    }
}
