//! A Zulip post taken apart: what the program lays out, and what a model wrote into it.

use serde_json::{Value, json};

/// Title, date, link, duration, summary and topics with their times. Text that does not fit the
/// layout is under `unread`, so nothing of a post is lost.
pub fn skeleton(content: &str) -> Value {
    let mut title = Value::Null;
    let mut facts = serde_json::Map::new();
    let mut summary: Option<String> = None;
    let mut topics = Vec::new();
    let mut unread = Vec::new();
    let mut part = Part::Head;
    for line in content.lines() {
        match part {
            Part::Head => {
                if let Some(text) = line
                    .strip_prefix("# Reflector – ")
                    .filter(|_| title.is_null())
                {
                    title = json!(text);
                } else if let Some((name, value)) = fact(line) {
                    facts.insert(name.to_lowercase(), json!(value));
                } else if line == "```spoiler Summary" {
                    part = Part::Summary;
                    summary = Some(String::new());
                } else if line == "```spoiler Topics" {
                    part = Part::Topics;
                } else if !line.is_empty() && line != "-----" {
                    unread.push(line);
                }
            }
            Part::Summary => match summary.as_mut() {
                Some(text) if line != "```" => {
                    text.push_str(line);
                    text.push('\n');
                }
                Some(_) | None => part = Part::Head,
            },
            Part::Topics => match topic(line) {
                Some(topic) => topics.push(topic),
                None if line == "```" => part = Part::Head,
                None => unread.push(line),
            },
        }
    }
    json!({
        "title": title,
        "facts": facts,
        "summary": summary,
        "topics": topics,
        "rule": content.trim_end().ends_with("-----"),
        "unread": unread,
    })
}

enum Part {
    Head,
    Summary,
    Topics,
}

/// `**Date**: …`
fn fact(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("**")?.split_once("**: ")
}

/// `1. [01:41] Title`
fn topic(line: &str) -> Option<Value> {
    let (time, title) = line.strip_prefix("1. [")?.split_once("] ")?;
    Some(json!({"time": time, "title": title}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_is_taken_apart_without_loss() {
        let read = skeleton(
            "# Reflector – Load Test\n\n**Duration**: 04:42\n\n```spoiler Summary\n# Quick recap\n\n**Not a fact**: x\n\n```\n\n\
             ```spoiler Topics\n1. [00:00] First\n```\n\nhello\n-----\n",
        );
        assert_eq!(read["facts"], json!({"duration": "04:42"}));
        assert_eq!(
            read["summary"],
            json!("# Quick recap\n\n**Not a fact**: x\n\n")
        );
        assert_eq!(read["topics"], json!([{"time": "00:00", "title": "First"}]));
        assert_eq!(
            (&read["unread"], &read["rule"]),
            (&json!(["hello"]), &json!(true))
        );
    }
}
