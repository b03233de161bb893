//! The post on Zulip: its Markdown, its form and its two requests.

use std::fmt::Write;

use crate::model::{HttpRequest, RoomFacts, Topic, TranscriptFacts, TranscriptId};

/// What the message tells of a finished transcript, as its row says it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The transcript's row as it was before the run.
    pub transcript: &'a TranscriptFacts,
    /// The row's title: one given before the run stays.
    pub title: Option<&'a str>,
    /// The row's long summary.
    pub long_summary: Option<&'a str>,
    /// The row's duration in milliseconds.
    pub duration_ms: f64,
    /// The row's topics.
    pub topics: &'a [Topic],
    /// Reflector's `UI_BASE_URL`, without a slash at the end.
    pub ui_base_url: &'a str,
}

/// Where the message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// The stream's name.
    pub stream: &'a str,
    /// The topic's name.
    pub topic: &'a str,
}

/// Where a room's transcripts are posted; nowhere unless the room says so. A stream or topic that
/// was never set is sent empty, as in the legacy.
pub fn address(room: &RoomFacts) -> Option<Address<'_>> {
    room.zulip_auto_post.then(|| Address {
        stream: room.zulip_stream.as_deref().unwrap_or_default(),
        topic: room.zulip_topic.as_deref().unwrap_or_default(),
    })
}

/// The message's Markdown. The dash in its heading is an en dash.
pub fn content(message: &Message<'_>) -> String {
    let transcript = message.transcript;
    let base = message.ui_base_url;
    let mut text = format!(
        "# Reflector – {title}\n\n\
         **Date**: <time:{created_at}>\n\
         **Link**: [{host}]({link})\n\
         **Duration**: {duration}\n\n\
         ```spoiler Summary\n{summary}\n```\n\n",
        title = or_else(message.title, "Unnamed recording"),
        created_at = transcript.created_at,
        host = host(base),
        link = link(base, &transcript.id),
        duration = clock(message.duration_ms / 1000.0),
        summary = or_else(message.long_summary, "No summary available"),
    );
    if !message.topics.is_empty() {
        text.push_str("```spoiler Topics\n");
        for topic in message.topics {
            let time = clock(topic.timestamp);
            writeln!(text, "1. [{time}] {}", topic.title).expect("a string takes any text");
        }
        text.push_str("```\n\n");
    }
    text.push_str("-----\n");
    text
}

/// The link in the message of that transcript, by which the message is recognised.
pub fn link(ui_base_url: &str, transcript: &TranscriptId) -> String {
    format!("{ui_base_url}/transcripts/{transcript}")
}

/// Empty counts as absent.
fn or_else<'a>(text: Option<&'a str>, absent: &'a str) -> &'a str {
    text.filter(|text| !text.is_empty()).unwrap_or(absent)
}

/// The network location, port included: what stands between `//` and the path.
fn host(url: &str) -> &str {
    let after_scheme = url.split_once("//").map_or("", |(_, rest)| rest);
    after_scheme
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default()
}

/// Whole seconds as Python prints a `timedelta`, without the leading `0:` below one hour.
/// Every part is a whole number before it is printed. A `timedelta` counts microseconds, so less
/// than half of one below a whole second is that second.
pub fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0).floor();
    let micros = ((seconds.max(0.0) - whole) * 1e6).round_ties_even();
    let seconds = if micros < 1e6 { whole } else { whole + 1.0 };
    let days = (seconds / 86_400.0).floor();
    let hours = (seconds % 86_400.0 / 3_600.0).floor();
    let minutes = (seconds % 3_600.0 / 60.0).floor();
    let rest = seconds % 60.0;
    if days > 0.0 {
        let plural = if days > 1.0 { "s" } else { "" };
        return format!("{days:.0} day{plural}, {hours:.0}:{minutes:02.0}:{rest:02.0}");
    }
    if hours > 0.0 {
        return format!("{hours:.0}:{minutes:02.0}:{rest:02.0}");
    }
    format!("{minutes:02.0}:{rest:02.0}")
}

/// The request that posts a new message. `base_url` is the realm's, without a slash at the end.
/// The caller adds the bot's credentials.
pub fn post(base_url: &str, address: Address<'_>, content: &str) -> HttpRequest {
    let body = form(&[
        ("type", "stream"),
        ("to", address.stream),
        ("topic", address.topic),
        ("content", content),
    ]);
    request("POST", format!("{base_url}/api/v1/messages"), body)
}

/// The request that edits the message of an earlier run.
pub fn edit(base_url: &str, message_id: i64, address: Address<'_>, content: &str) -> HttpRequest {
    let body = form(&[("topic", address.topic), ("content", content)]);
    let url = format!("{base_url}/api/v1/messages/{message_id}");
    request("PATCH", url, body)
}

/// The message an edit is of. None for any other request.
pub fn edited(request: &HttpRequest) -> Option<i64> {
    let (_, id) = request.url.rsplit_once("/api/v1/messages/")?;
    id.parse().ok().filter(|_| request.method == "PATCH")
}

/// The request that posts a new message with the text and topic of an edit that Zulip refused.
/// None for any other request.
pub fn post_instead(edit: &HttpRequest, stream: &str) -> Option<HttpRequest> {
    edited(edit)?;
    let (url, _) = edit.url.rsplit_once('/')?;
    // The edit's fields are the last of a post's, in the same order.
    let body = format!(
        "{}&{}",
        form(&[("type", "stream"), ("to", stream)]),
        edit.body
    );
    Some(request("POST", url.to_owned(), body))
}

fn request(method: &str, url: String, body: String) -> HttpRequest {
    let content_type = "application/x-www-form-urlencoded";
    HttpRequest {
        method: method.to_owned(),
        url,
        headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
        body,
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    fields
        .iter()
        .map(|(name, value)| format!("{name}={}", quote_plus(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// Python's `quote_plus`. The form encoding of browsers, which crates follow, leaves `*` plain
/// and escapes `~`; Python does the opposite.
fn quote_plus(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b' ' => quoted.push('+'),
            b'_' | b'.' | b'-' | b'~' => quoted.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => quoted.push(char::from(byte)),
            _ => write!(quoted, "%{byte:02X}").expect("a string takes any text"),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_the_legacy_was_seen_to_print_them() {
        for (seconds, text) in [
            (0.0, "00:00"),
            (6238.02 / 1000.0, "00:06"),
            (3_723_000.5 / 1000.0, "1:02:03"),
            (90.5, "01:30"),
            (36_000.0, "10:00:00"),
            (90_061.0, "1 day, 1:01:01"),
            (86_400.0 * 2.0 + 59.9, "2 days, 0:00:59"),
            (-5.0, "00:00"),
        ] {
            assert_eq!(clock(seconds), text);
        }
    }

    #[test]
    fn a_form_is_quoted_as_python_quotes_it() {
        assert_eq!(quote_plus("a~b*c d_e-f.g"), "a~b%2Ac+d_e-f.g");
        assert_eq!(quote_plus("–&=\n"), "%E2%80%93%26%3D%0A");
    }

    #[test]
    fn a_link_shows_host_and_port() {
        assert_eq!(host("http://localhost:3000"), "localhost:3000");
        assert_eq!(host("https://a.example/path"), "a.example");
        assert_eq!(host("nonsense"), "");
    }

    #[test]
    fn an_edit_names_the_message_and_not_the_stream() {
        let address = Address {
            stream: "s",
            topic: "t",
        };
        let edited = edit("https://z.example", 42, address, "c");
        assert_eq!(edited.method, "PATCH");
        assert_eq!(edited.url, "https://z.example/api/v1/messages/42");
        assert_eq!(edited.body, "topic=t&content=c");
    }

    #[test]
    fn a_refused_edit_becomes_the_post_it_would_have_been() {
        let address = Address {
            stream: "a & b",
            topic: "t/1",
        };
        let refused = edit("https://z.example", 42, address, "text – more");
        assert_eq!(edited(&refused), Some(42));
        let posted = post("https://z.example", address, "text – more");
        assert_eq!(post_instead(&refused, address.stream), Some(posted.clone()));
        assert_eq!(edited(&posted), None);
        assert_eq!(post_instead(&posted, address.stream), None);
    }
}
