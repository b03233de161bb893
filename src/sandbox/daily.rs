//! Daily's stand-in: known paths have answers, the list of recordings is made of them, and all others
//! are not found.

use std::cmp::Reverse;

use serde_json::json;

use super::{answers::Answers, record::Call, server::Reply};

pub(super) fn about(call: &Call) -> String {
    let known = [
        ("/participants", "participants"),
        ("/recordings/", "recording"),
        ("/recordings", "recordings"),
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
        (None, None) if call.method == "GET" && call.path == LIST => list(call, answers),
        (None, Some(id)) if variant == Some(ANY_RECORDING) => like_the_known(id, answers),
        _ => not_found(),
    }
}

const LIST: &str = "/v1/recordings";
const RECORDINGS: &str = "/v1/recordings/";

/// How many recordings Daily lists unless told, which is also the most.
const PAGE: usize = 100;

/// The known recordings, newest first.
fn list(call: &Call, answers: &Answers) -> Reply {
    let limit = match call.parameter("limit").map(|limit| limit.parse::<usize>()) {
        None => PAGE,
        Some(Ok(limit)) if limit <= PAGE => limit,
        Some(_) => return Reply::json(400, &json!({"error": "invalid-request-error"})),
    };
    let mut recordings: Vec<_> = answers
        .daily
        .iter()
        .filter(|known| known.path.starts_with(RECORDINGS) && known.plain.status == 200)
        .map(|known| &known.plain.answer)
        .collect();
    recordings.sort_by_key(|recording| Reverse(recording["start_ts"].as_i64()));
    let total = recordings.len();
    recordings.truncate(limit);
    Reply::json(200, &json!({"total_count": total, "data": recordings}))
}

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
