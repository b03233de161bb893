//! Zulip's stand-in. It keeps what is posted, so that a message can be looked up and edited.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    answers::{Answers, Plain},
    record::Call,
    server::Reply,
};

mod search;

use search::search;

/// A message that was posted, in order of ids.
pub(super) struct Posted {
    id: i64,
    stream: String,
    topic: String,
    /// As it was posted.
    content: String,
    /// The email of the bot.
    sender: String,
}

/// Zulip shortens longer topics.
const LONGEST_TOPIC: usize = 60;

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
    let Some(sender) = sender(call) else {
        let body = json!({"result": "error", "msg": "Invalid API key", "code": "UNAUTHORIZED"});
        return Ok(Reply::json(401, &body));
    };
    let edited = call.path.strip_prefix("/api/v1/messages/");
    match (call.method.as_str(), call.path.as_str(), edited) {
        ("POST", "/api/v1/messages", _) => post(call, sender, answers, variant, posted),
        ("PATCH", _, Some(id)) => {
            let plain = data(
                answers,
                variant.filter(|name| name.starts_with("patch")),
                "patch",
            )?;
            let known = posted.iter_mut().find(|post| post.id.to_string() == id);
            if let (200, Some(message)) = (plain.status, known) {
                if let Some(content) = call.form("content") {
                    message.content = kept_content(&content);
                }
                if let Some(topic) = call.form("topic") {
                    message.topic = kept_topic(&topic);
                }
            }
            Ok(Reply::plain(&plain))
        }
        ("GET", "/api/v1/messages", _) => Ok(search(call, posted)),
        ("GET", "/api/v1/users/me", _) => {
            let body = json!({"result": "success", "msg": "", "user_id": 1, "is_bot": true});
            Ok(Reply::json(200, &body))
        }
        _ => Ok(Reply::json(
            404,
            &json!({"result": "error", "msg": "Not found"}),
        )),
    }
}

fn post(
    call: &Call,
    sender: String,
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
            topic: kept_topic(&topic),
            content: kept_content(&content),
            sender,
        });
    }
    Ok(Reply::plain(&plain))
}

fn data(answers: &Answers, variant: Option<&str>, usual: &str) -> anyhow::Result<Plain> {
    let (_, value) = Answers::variant(&answers.zulip, variant.unwrap_or(usual))?;
    Ok(serde_json::from_value(value.clone())?)
}

/// Whose key it is; which key does not matter here.
fn sender(call: &Call) -> Option<String> {
    let basic = call.header("authorization")?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(BASE64_STANDARD.decode(basic).ok()?).ok()?;
    let (email, _) = decoded.split_once(':')?;
    Some(email.to_owned())
}

/// A topic as Zulip keeps it: trimmed, named where it is empty, shortened where it is long.
fn kept_topic(topic: &str) -> String {
    let topic = topic.trim();
    if topic.is_empty() {
        return "(no topic)".to_owned();
    }
    if topic.chars().count() <= LONGEST_TOPIC {
        return topic.to_owned();
    }
    let kept: String = topic.chars().take(LONGEST_TOPIC - 3).collect();
    kept + "..."
}

/// A message as Zulip keeps it: blanks at its end and lines before it are gone.
fn kept_content(content: &str) -> String {
    content.trim_end().trim_start_matches('\n').to_owned()
}
