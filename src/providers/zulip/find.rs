//! Looks for a message of ours by the link it carries.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{Error, http::json as read_json},
    Zulip, copy,
};
use crate::contract::zulip::Address;
use crate::model::HttpRequest;

/// Messages asked for at a time, and how often.
const PAGE: usize = 100;
const PAGES: usize = 10;

/// Zulip shortens longer topics, so that they cannot be looked up as they were given.
const LONGEST_TOPIC: usize = 60;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    found_oldest: bool,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    id: i64,
    content: String,
}

impl Zulip {
    /// The newest message of our bot there that holds the link, among its latest 1000. With
    /// `newer_than` only messages with a higher id count: an earlier run's message holds the same
    /// link.
    pub async fn find(
        &self,
        address: Address<'_>,
        link: &str,
        newer_than: Option<i64>,
    ) -> Result<Option<i64>, Error> {
        let oldest_wanted = newer_than.unwrap_or(i64::MIN);
        let mut anchor = "newest".to_owned();
        for _ in 0..PAGES {
            let page = self.page(address, &anchor).await?;
            let wanted = page.messages.iter().filter(|one| one.id > oldest_wanted);
            let found = wanted.filter(|one| holds(&one.content, link));
            if let Some(id) = found.map(|one| one.id).max() {
                return Ok(Some(id));
            }
            // Sorted by id, but nothing here depends on it.
            let Some(oldest) = page.messages.iter().map(|one| one.id).min() else {
                return Ok(None);
            };
            if page.found_oldest || oldest <= oldest_wanted {
                return Ok(None);
            }
            anchor = oldest.saturating_sub(1).to_string();
        }
        Ok(None)
    }

    async fn page(&self, address: Address<'_>, anchor: &str) -> Result<Page, Error> {
        let mut narrow = vec![
            json!({"operator": "stream", "operand": address.stream}),
            json!({"operator": "sender", "operand": self.email}),
        ];
        if is_kept_as_it_is(address.topic) {
            narrow.push(json!({"operator": "topic", "operand": address.topic}));
        }
        let mut url = self.http.url(&["api", "v1", "messages"]);
        url.query_pairs_mut()
            .append_pair("narrow", &Value::from(narrow).to_string())
            .append_pair("anchor", anchor)
            .append_pair("num_before", &PAGE.to_string())
            .append_pair("num_after", "0")
            // The text as it was posted, not the HTML made of it.
            .append_pair("apply_markdown", "false");
        let asked = "looking for a message";
        let request = HttpRequest {
            method: "GET".to_owned(),
            url: url.to_string(),
            headers: Vec::new(),
            body: String::new(),
        };
        let request = self.request(asked, &request)?;
        let page = self
            .http
            .call_by(&self.retry, asked, || copy(&request), read_json)
            .await?;
        Ok(page.value)
    }
}

/// Whether messages of a topic can be looked up by the name they were posted with. Zulip gives an
/// empty topic a name of its own, trims others, and shortens long ones.
fn is_kept_as_it_is(topic: &str) -> bool {
    !topic.is_empty() && topic.trim() == topic && topic.chars().count() <= LONGEST_TOPIC
}

/// Whether the text has the link itself, and not one that only begins like it.
fn holds(content: &str, link: &str) -> bool {
    let goes_on = |next: char| next.is_alphanumeric() || matches!(next, '-' | '_');
    !link.is_empty()
        && content
            .match_indices(link)
            .any(|(at, _)| !content[at + link.len()..].starts_with(goes_on))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_not_found_in_one_that_only_begins_like_it() {
        let link = "https://r.example/transcripts/t1";
        for (content, found) in [
            ("**Link**: [r](https://r.example/transcripts/t1)\n", true),
            ("https://r.example/transcripts/t1", true),
            ("https://r.example/transcripts/t12 and more", false),
            ("https://r.example/transcripts/t1-2", false),
            (
                "https://r.example/transcripts/t12 https://r.example/transcripts/t1?x",
                true,
            ),
            ("", false),
        ] {
            assert_eq!(holds(content, link), found, "{content}");
        }
        assert!(!holds("anything", ""));
    }
}
