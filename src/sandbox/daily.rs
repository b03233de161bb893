//! Daily's stand-in: known paths have answers, all others are not found.

use serde_json::json;

use super::{answers::Answers, record::Call, server::Reply};

pub(super) fn about(call: &Call) -> String {
    let known = [
        ("/participants", "participants"),
        ("/recordings/", "recording"),
    ];
    known
        .iter()
        .find(|(part, _)| call.path.contains(part))
        .map_or_else(String::new, |(_, about)| (*about).to_owned())
}

/// The variant in which every recording is like the known one but for its id, for runs of many
/// recordings with the same content.
pub(super) const ANY_RECORDING: &str = "any_recording";

pub(super) fn answer(call: &Call, answers: &Answers, variant: Option<&str>) -> Reply {
    if !call.has_bearer() {
        return Reply::json(401, &json!({"error": "authentication-error"}));
    }
    let known = answers
        .daily
        .iter()
        .find(|known| known.method == call.method && known.path == call.path);
    let id = call.path.strip_prefix(RECORDINGS);
    match (known, id) {
        (Some(known), _) => Reply::plain(&known.plain),
        (None, Some(id)) if variant == Some(ANY_RECORDING) => like_the_known(id, answers),
        _ => not_found(),
    }
}

const RECORDINGS: &str = "/v1/recordings/";

fn like_the_known(id: &str, answers: &Answers) -> Reply {
    let known = answers
        .daily
        .iter()
        .find(|known| known.path.starts_with(RECORDINGS));
    known.map_or_else(not_found, |known| {
        let mut plain = known.plain.clone();
        if let Some(known) = plain.answer.get_mut("id") {
            *known = id.into();
        }
        Reply::plain(&plain)
    })
}

fn not_found() -> Reply {
    Reply::json(404, &json!({"error": "not-found"}))
}
