//! What follows from words and texts is changed with them: topics, captions, events, messages,
//! post and webhook.

use serde_json::{Value, json};

use crate::contract::{python_json, webvtt};
use crate::model::{Outcome, Topic, Word, text_of};

/// Words, each with the number of its topic.
pub(super) type Placed = Vec<(usize, Word)>;

/// The words of an outcome with their topics: topics are slices of them, in order.
pub(super) fn placed(outcome: &Outcome) -> Placed {
    let mut ends = Vec::with_capacity(outcome.topics.len());
    let mut end = 0;
    for topic in &outcome.topics {
        end += topic.words.len();
        ends.push(end);
    }
    let last = outcome.topics.len().saturating_sub(1);
    let topic = |at: usize| ends.iter().position(|end| at < *end).unwrap_or(last);
    let words = outcome.words.iter().cloned().enumerate();
    words.map(|(at, word)| (topic(at), word)).collect()
}

/// Gives an outcome other words, and all that is made of words.
pub(super) fn respeak(outcome: &mut Outcome, words: Placed) {
    for (at, topic) in outcome.topics.iter_mut().enumerate() {
        let own = words.iter().filter(|(place, _)| *place == at);
        topic.words = own.map(|(_, word)| word.clone()).collect();
        refill(topic);
    }
    let before = text_of(&outcome.words);
    outcome.words = words.into_iter().map(|(_, word)| word).collect();
    let after = text_of(&outcome.words);
    for event in &mut outcome.events {
        if event.event == "TRANSCRIPT"
            && event.data.get("text").and_then(Value::as_str) == Some(before.as_str())
        {
            event.data["text"] = json!(after);
        }
    }
    recaption(outcome);
    retell_topics(outcome);
}

/// Makes a topic's text and beginning of its words.
pub(super) fn refill(topic: &mut Topic) {
    topic.transcript = text_of(&topic.words);
    if let Some(first) = topic.words.first() {
        topic.timestamp = first.start;
    }
}

/// Makes the captions of the topics' words, where the control's were made so.
pub(super) fn recaption(outcome: &mut Outcome) {
    if outcome.webvtt.is_some()
        && let Ok(captions) = webvtt::of_topics(&outcome.topics)
    {
        outcome.webvtt = Some(captions);
    }
}

/// Tells the topics anew in the events that told them.
pub(super) fn retell_topics(outcome: &mut Outcome) {
    let topics = &outcome.topics;
    let told = outcome.events.iter_mut();
    let told = told.filter(|event| event.event == "TOPIC");
    for (event, topic) in told.zip(topics) {
        event.data["timestamp"] = json!(topic.timestamp);
        event.data["transcript"] = json!(topic.transcript);
        event.data["words"] = json!(topic.words);
    }
}

/// Puts a text in the place of another wherever the outcome says it as a whole.
pub(super) fn reword(outcome: &mut Outcome, from: &str, to: &str) {
    let swap = |text: &mut String| {
        if text == from {
            to.clone_into(text);
        }
    };
    outcome.title.iter_mut().for_each(swap);
    outcome.short_summary.iter_mut().for_each(swap);
    outcome.long_summary.iter_mut().for_each(swap);
    for topic in &mut outcome.topics {
        swap(&mut topic.title);
        swap(&mut topic.summary);
    }
    for event in &mut outcome.events {
        if let Value::Object(fields) = &mut event.data {
            for value in fields.values_mut() {
                if value.as_str() == Some(from) {
                    *value = json!(to);
                }
            }
        }
    }
    let (Ok(old), Ok(new)) = (
        python_json::to_string_compact(from),
        python_json::to_string_compact(to),
    ) else {
        return;
    };
    for message in &mut outcome.published {
        message.payload = message.payload.replace(&old, &new);
    }
    if let Some(webhook) = &mut outcome.webhook {
        webhook.body = webhook.body.replace(&old, &new);
    }
    if let Some(zulip) = &mut outcome.zulip {
        let form =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        zulip.body = zulip.body.replace(&form(from), &form(to));
    }
}
