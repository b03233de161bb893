//! Zulip's stand-in. It keeps what is posted, so that a message can be looked up and edited.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answers::{Answers, Plain},
    record::Call,
    server::Reply,
};

/// A message that was posted.
pub(super) struct Posted {
    id: i64,
    stream: String,
    topic: String,
    content: String,
    sender: String,
}

/// `patch` or `post` or `search`.
pub(super) fn about(call: &Call) -> String {
    match call.method.as_str() {
        "GET" => "search".to_owned(),
        method => method.to_lowercase(),
    }
}

pub(super) fn answer(
    call: &Call,
    answers: &Answers,
    variant: Option<&str>,
    posted: &mut Vec<Posted>,
) -> anyhow::Result<Reply> {
    let authorized = call
        .header("authorization")
        .is_some_and(|value| value.starts_with("Basic "));
    if !authorized {
        let body = json!({"result": "error", "msg": "Invalid API key", "code": "UNAUTHORIZED"});
        return Ok(Reply::json(401, &body));
    }
    let edited = call.path.strip_prefix("/api/v1/messages/");
    match (call.method.as_str(), call.path.as_str(), edited) {
        ("POST", "/api/v1/messages", _) => post(call, answers, variant, posted),
        ("PATCH", _, Some(id)) => {
            let plain = data(
                answers,
                variant.filter(|name| name.starts_with("patch")),
                "patch",
            )?;
            let known = posted.iter_mut().find(|post| post.id.to_string() == id);
            if let (200, Some(message)) = (plain.status, known) {
                message.content = call.form("content").unwrap_or_default();
            }
            Ok(Reply::plain(&plain))
        }
        ("GET", "/api/v1/messages", _) => Ok(search(call, posted)),
        _ => Ok(Reply::json(
            404,
            &json!({"result": "error", "msg": "Not found"}),
        )),
    }
}

fn post(
    call: &Call,
    answers: &Answers,
    variant: Option<&str>,
    posted: &mut Vec<Posted>,
) -> anyhow::Result<Reply> {
    let mut plain = data(
        answers,
        variant.filter(|name| name.starts_with("post")),
        "post",
    )?;
    let (Some(stream), Some(topic), Some(content)) =
        (call.form("to"), call.form("topic"), call.form("content"))
    else {
        let body = json!({"result": "error", "msg": "Missing argument", "code": "BAD_REQUEST"});
        return Ok(Reply::json(400, &body));
    };
    // The recorded id for the first message, the next ones for the others.
    if let Some(first) = plain.answer.get("id").and_then(Value::as_i64) {
        let id = first.saturating_add_unsigned(posted.len() as u64);
        plain.answer["id"] = id.into();
        posted.push(Posted {
            id,
            stream,
            topic,
            content,
            sender: call.header("authorization").unwrap_or_default().to_owned(),
        });
    }
    Ok(Reply::plain(&plain))
}

/// One condition of a search.
#[derive(Deserialize)]
struct Term {
    operator: String,
    operand: Value,
}

fn search(call: &Call, posted: &[Posted]) -> Reply {
    let narrow = call.parameter("narrow").unwrap_or_else(|| "[]".to_owned());
    let Ok(terms) = serde_json::from_str::<Vec<Term>>(&narrow) else {
        let body = json!({"result": "error", "msg": "Invalid narrow", "code": "BAD_REQUEST"});
        return Reply::json(400, &body);
    };
    let fits = |message: &&Posted| {
        terms.iter().all(|term| {
            let operand = term.operand.as_str().unwrap_or_default();
            match term.operator.as_str() {
                "stream" | "channel" => message.stream == operand,
                "topic" => message.topic == operand,
                "search" => message.content.contains(operand.trim_matches('"')),
                // Who asks and who posted have the same key.
                "sender" => call.header("authorization") == Some(&message.sender),
                _ => true,
            }
        })
    };
    let found: Vec<_> = posted
        .iter()
        .filter(fits)
        .map(|message| {
            json!({"id": message.id, "type": "stream", "display_recipient": message.stream,
                   "subject": message.topic, "content": message.content})
        })
        .collect();
    let body = json!({"result": "success", "msg": "", "found_newest": true, "messages": found});
    Reply::json(200, &body)
}

fn data(answers: &Answers, variant: Option<&str>, usual: &str) -> anyhow::Result<Plain> {
    let (_, value) = Answers::variant(&answers.zulip, variant.unwrap_or(usual))?;
    Ok(serde_json::from_value(value.clone())?)
}
