//! The language model's stand-in: recognises a request and gives its recorded answer.

use serde_json::{Value, json};

use super::{
    answers::Answers,
    kind::{Asked, Kind, Which},
    record::Call,
    server::Reply,
};

/// `topic.json 2`, `subject.detail Launch date`, `title`, or nothing if it is unknown.
pub(super) fn about(call: &Call, answers: &Answers) -> String {
    let Some((_, kind)) = understood(call, answers) else {
        return String::new();
    };
    match kind.which {
        Which::Only => kind.name,
        Which::Chunk(chunk) => format!("{} {chunk}", kind.name),
        Which::Subject(subject) => format!("{} {subject}", kind.name),
    }
}

pub(super) fn answer(call: &Call, answers: &Answers, variant: Option<&str>) -> Reply {
    let failed = |status, message: &str| {
        let body = json!({"error": {"message": message, "type": "invalid_request_error"}});
        Reply::json(status, &body)
    };
    if call.path != "/v1/chat/completions" || call.method != "POST" {
        return failed(404, "no such endpoint");
    }
    if !call.has_bearer() {
        return failed(401, "no API key");
    }
    let Ok(asked) = serde_json::from_slice::<Asked>(&call.body) else {
        return failed(400, "not a chat completions request");
    };
    if asked.stream {
        return failed(400, "the sandbox does not stream");
    }
    let Some(text) = understood(call, answers)
        .and_then(|(_, kind)| recorded(&asked, &kind, answers, variant.is_some()))
    else {
        return failed(
            400,
            "the sandbox does not recognise this request; see llm_match.json",
        );
    };
    let prompt = tokens(&asked.text());
    let completion = tokens(&text);
    Reply::json(
        200,
        &json!({
            "id": "chatcmpl-sandbox",
            "object": "chat.completion",
            "created": 0,
            "model": asked.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
            },
        }),
    )
}

fn understood(call: &Call, answers: &Answers) -> Option<(Asked, Kind)> {
    let asked: Asked = serde_json::from_slice(&call.body).ok()?;
    let kind = answers.rules.kind(&asked, &answers.llm.answers)?;
    Some((asked, kind))
}

fn recorded(asked: &Asked, kind: &Kind, answers: &Answers, invalid_first: bool) -> Option<String> {
    let odd = answers.llm.invalid_answer_variant.as_ref();
    if let Some(odd) = odd.filter(|_| invalid_first)
        && odd.kind == kind.name
        && kind.which == Which::Chunk(odd.chunk)
    {
        // A repair quotes the answer it complains about.
        let complained = asked.text().contains(odd.first_answer.trim());
        let text = if complained {
            &odd.then
        } else {
            &odd.first_answer
        };
        return Some(text.clone());
    }
    let answer = answers.llm.answers.get(&kind.name)?;
    let text = match &kind.which {
        Which::Only => Some(answer),
        Which::Chunk(chunk) => answer.get("values").and_then(|values| values.get(chunk)),
        Which::Subject(subject) => answer.get("values").and_then(|values| values.get(subject)),
    };
    text.and_then(Value::as_str).map(str::to_owned)
}

/// Four characters to a token, as services do on average.
fn tokens(text: &str) -> usize {
    text.chars().count().div_ceil(4)
}
