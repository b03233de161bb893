//! Messages by narrow and anchor, page by page. Unlike Zulip, it takes a request without an anchor
//! for one of the newest hundred.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{record::Call, server::Reply},
    Posted,
};

/// What Zulip calls the anchor `newest` in its answer.
const NEWEST: i64 = 10_000_000_000_000_000;
/// What Zulip gives at most.
const MOST: usize = 5000;

/// One condition.
#[derive(Deserialize)]
struct Term {
    operator: String,
    operand: Value,
}

impl Term {
    /// None where Zulip would not know the operator.
    fn fits(&self, message: &Posted) -> Option<bool> {
        let operand = self.operand.as_str().unwrap_or_default();
        // Case does not count.
        let same = |text: &str| text.to_lowercase() == operand.to_lowercase();
        Some(match self.operator.as_str() {
            "stream" | "channel" => same(&message.stream),
            "topic" => same(&message.topic),
            "sender" => same(&message.sender),
            "search" => message.content.contains(operand.trim_matches('"')),
            _ => return None,
        })
    }
}

pub(super) fn search(call: &Call, posted: &[Posted]) -> Reply {
    answer(call, posted).unwrap_or_else(|msg| {
        let body = json!({"result": "error", "msg": msg, "code": "BAD_REQUEST"});
        Reply::json(400, &body)
    })
}

fn answer(call: &Call, posted: &[Posted]) -> Result<Reply, String> {
    let narrow = call.parameter("narrow").unwrap_or_else(|| "[]".to_owned());
    let terms: Vec<Term> =
        serde_json::from_str(&narrow).map_err(|_| "narrow is not valid JSON".to_owned())?;
    let anchor = match call.parameter("anchor").as_deref() {
        None | Some("newest") => NEWEST,
        Some("oldest") => 0,
        Some(id) => id.parse().map_err(|_| "Invalid anchor".to_owned())?,
    };
    let before = number(call, "num_before", 100)?;
    let after = number(call, "num_after", 0)?;
    if before + after > MOST {
        return Err(format!("Too many messages requested (maximum {MOST})."));
    }

    let mut fitting = Vec::new();
    for message in posted {
        let mut fits = true;
        for term in &terms {
            let known = term.fits(message);
            fits &= known.ok_or("Invalid narrow operator: unknown operator")?;
        }
        if fits {
            fitting.push(message);
        }
    }
    // The anchor itself counts on neither side.
    let at = fitting.partition_point(|message| message.id < anchor);
    let found_anchor = fitting.get(at).is_some_and(|message| message.id == anchor);
    let next = at + usize::from(found_anchor);
    let (older, newer) = (at, fitting.len() - next);
    let first = older - before.min(older);
    let last = next + after.min(newer);

    let rendered = call.parameter("apply_markdown").as_deref() != Some("false");
    let shown: Vec<_> = fitting[first..last]
        .iter()
        .map(|message| shown(message, rendered))
        .collect();
    let body = json!({
        "result": "success", "msg": "", "anchor": anchor, "found_anchor": found_anchor,
        // A side that is exactly full does not tell whether there is more.
        "found_oldest": anchor == 0 || older < before,
        "found_newest": anchor == NEWEST || newer < after,
        "history_limited": false, "messages": shown,
    });
    Ok(Reply::json(200, &body))
}

fn number(call: &Call, name: &str, absent: usize) -> Result<usize, String> {
    call.parameter(name).map_or(Ok(absent), |text| {
        text.parse()
            .map_err(|_| format!("{name} is not valid JSON"))
    })
}

fn shown(message: &Posted, rendered: bool) -> Value {
    let (content, content_type) = if rendered {
        // As far as anybody here looks: no longer the text that was posted.
        let escaped = message.content.replace('&', "&amp;").replace('<', "&lt;");
        (format!("<p>{escaped}</p>"), "text/html")
    } else {
        (message.content.clone(), "text/x-markdown")
    };
    json!({
        "id": message.id, "type": "stream", "display_recipient": message.stream,
        "subject": message.topic, "content": content, "content_type": content_type,
        "sender_email": message.sender,
    })
}
