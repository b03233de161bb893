//! A notice as Slack's incoming webhooks take it, and what speaks like them: blocks, with the same as plain
//! text for receivers that know none.

use serde_json::{Value, json};

use super::{Told, cut};

/// The message for a notice.
pub fn message(told: &Told) -> Value {
    let heading = format!(
        "*{} · {}* in {}",
        told.gravity,
        told.kind,
        escaped(&told.environment)
    );
    let text = escaped(&cut(&told.text));
    let when = told.at.format("%Y-%m-%d %H:%M UTC");
    json!({
        "text": format!("{heading}: {text} <{}|Open the page>", told.link),
        "blocks": [
            { "type": "section", "text": { "type": "mrkdwn", "text": format!("{heading}\n{text}") } },
            { "type": "section", "text": { "type": "mrkdwn", "text": format!("<{}|Open the page>", told.link) } },
            { "type": "context", "elements": [
                { "type": "mrkdwn", "text": format!("{when} · {}", told.id) },
            ] },
        ],
    })
}

/// A text without anything that calls people, links or formats.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::told;
    use super::*;

    #[test]
    fn blocks_say_the_same_as_the_text() {
        let message = message(&told("ana holds it"));
        let text = message["text"].as_str().expect("a text");
        assert!(text.starts_with("*warning · hold* in production: ana holds it <https://"));
        let first = &message["blocks"][0]["text"]["text"];
        assert_eq!(first, "*warning · hold* in production\nana holds it");
        assert_eq!(message["blocks"].as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn nobodys_reason_calls_the_channel() {
        let message = message(&told("<!channel> look & <https://evil.example|here>")).to_string();
        assert!(!message.contains("<!channel>") && !message.contains("<https://evil"));
        assert!(message.contains("&lt;!channel&gt; look &amp; "));
    }

    #[test]
    fn long_texts_stay_below_what_slack_takes_of_a_section() {
        let message = message(&told(&"x".repeat(10_000)));
        let first = message["blocks"][0]["text"]["text"].as_str();
        assert!(first.is_some_and(|text| text.chars().count() < 3000));
    }
}
