//! `switchyard openapi`.

use super::{ExitStatus, Globals};
use crate::app;

/// Prints the document as the server has it at `/api/v1/openapi.json`.
pub(super) fn run() -> anyhow::Result<ExitStatus> {
    Globals::print_json(&app::openapi())?;
    Ok(ExitStatus::Success)
}
