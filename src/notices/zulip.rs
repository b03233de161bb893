//! A notice on Zulip. Zulip knows no idempotency key: the message ends in the notice's id, by which it is
//! looked for before it is posted again.

use super::{Told, cut};

/// A message and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The topic.
    pub topic: String,
    /// The message's Markdown.
    pub content: String,
    /// What it is known again by.
    pub mark: String,
}

/// Zulip shortens longer topics, and then does not find them by the name they were posted with.
const LONGEST_TOPIC: usize = 60;

/// The message for a notice; `pattern` is the topic with `{environment}`, `{flag}` and `{kind}`.
pub fn post(told: &Told, pattern: &str) -> Post {
    let mark = format!("`{}`", told.id);
    Post {
        topic: topic(pattern, told),
        content: format!(
            "**{} · {}** in {}: {}\n[Open the page]({}) · {} · {mark}",
            told.gravity,
            told.kind,
            calm(&told.environment),
            calm(&cut(&told.text)),
            told.link,
            told.at.format("%Y-%m-%d %H:%M UTC"),
        ),
        mark,
    }
}

/// The topic of a notice.
pub fn topic(pattern: &str, told: &Told) -> String {
    let topic = pattern
        .replace("{environment}", &told.environment)
        .replace("{flag}", &told.flag)
        .replace("{kind}", told.kind.as_str());
    let topic: String = topic.trim().chars().take(LONGEST_TOPIC).collect();
    topic.trim_end().to_owned()
}

/// A text that calls nobody: an `@` before stars or an underscore does on Zulip.
fn calm(text: &str) -> String {
    text.replace("@*", "@\u{200b}*").replace("@_", "@\u{200b}_")
}

#[cfg(test)]
mod tests {
    use super::super::told;
    use super::*;

    #[test]
    fn a_message_says_what_where_and_ends_in_the_id_it_is_known_by() {
        let post = post(
            &told("ana holds production where it is: audit"),
            "{environment}: {kind}",
        );
        assert_eq!(post.topic, "production: hold");
        assert_eq!(
            post.content,
            "**warning · hold** in production: ana holds production where it is: audit\n\
             [Open the page](https://switchyard.example.com/phases/production/daily_diarization_pipeline) \
             · 2026-03-02 12:00 UTC · `ntc_0123456789ab`"
        );
        assert!(post.content.ends_with(&post.mark));
    }

    #[test]
    fn nobodys_reason_calls_everybody() {
        let post = post(&told("@**all** look, @_**ana**"), "x");
        assert!(!post.content.contains("@**all"), "{}", post.content);
        assert!(!post.content.contains("@_"), "{}", post.content);
    }

    #[test]
    fn a_topic_is_never_longer_than_zulip_keeps() {
        let topic = topic(&"{environment} ".repeat(20), &told(""));
        assert!(topic.chars().count() <= 60);
        assert_eq!(topic.trim(), topic);
    }
}
