//! Telling what a request to the language model is for, without knowing the prompts: by its
//! parameters, by earlier answers that it quotes, and by few words.

use serde::Deserialize;
use serde_json::{Map, Value};

/// `llm_match.json`.
#[derive(Deserialize)]
pub(super) struct Rules {
    /// The first that fits decides.
    kinds: Vec<KindRule>,
    /// Which part of the meeting a text holds; the first that fits decides.
    chunks: Vec<ChunkRule>,
    /// Answers to kinds that `llm.json` has none for.
    #[serde(default)]
    pub(super) more_answers: Map<String, Value>,
}

/// Everything that is given must be true of a request. Text is compared without case.
#[derive(Deserialize)]
struct KindRule {
    kind: String,
    #[serde(default)]
    temperature: Option<f64>,
    /// Who speaks, in order.
    #[serde(default)]
    roles: Option<Vec<String>>,
    #[serde(default)]
    all_of: Vec<String>,
    #[serde(default)]
    none_of: Vec<String>,
    /// It quotes an answer to a request of this kind, which also says which chunk or subject.
    #[serde(default)]
    holds: Option<String>,
    /// It names a subject that this kind has an answer for.
    #[serde(default)]
    names: Option<String>,
}

#[derive(Deserialize)]
struct ChunkRule {
    chunk: usize,
    /// Phrases; none fit always.
    #[serde(default)]
    any_of: Vec<String>,
}

/// The part of a request that decides.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    pub(super) model: Option<String>,
    messages: Vec<Message>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    pub(super) stream: bool,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: String,
}

impl Asked {
    /// All that is said, one message after the other.
    pub(super) fn text(&self) -> String {
        let texts: Vec<_> = self
            .messages
            .iter()
            .map(|message| message.content.as_str())
            .collect();
        texts.join("\n")
    }
}

/// What a request is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) name: String,
    /// Which of several answers.
    pub(super) which: Which,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Which {
    Only,
    Chunk(usize),
    Subject(String),
}

impl Rules {
    /// Recognises a request, or not.
    pub(super) fn kind(&self, asked: &Asked, answers: &Map<String, Value>) -> Option<Kind> {
        let text = asked.text();
        let lower = text.to_lowercase();
        self.kinds.iter().find_map(|rule| {
            let held = rule.fits(asked, &text, &lower, answers)?;
            let which = match answers
                .get(&rule.kind)
                .and_then(|answer| answer.get("values"))
            {
                Some(Value::Array(_)) => match held {
                    Which::Chunk(chunk) => Which::Chunk(chunk),
                    _ => Which::Chunk(self.chunk(&lower)?),
                },
                Some(Value::Object(_)) => match held {
                    Which::Subject(subject) => Which::Subject(subject),
                    _ => Which::Subject(named(&lower, answers.get(&rule.kind)?)?),
                },
                _ => Which::Only,
            };
            Some(Kind {
                name: rule.kind.clone(),
                which,
            })
        })
    }

    fn chunk(&self, lower: &str) -> Option<usize> {
        let has = |phrase: &String| lower.contains(&phrase.to_lowercase());
        let rule = self
            .chunks
            .iter()
            .find(|rule| rule.any_of.is_empty() || rule.any_of.iter().any(has))?;
        Some(rule.chunk)
    }
}

impl KindRule {
    /// `None` when the rule does not fit, else what a quoted answer or a name says.
    fn fits(
        &self,
        asked: &Asked,
        text: &str,
        lower: &str,
        answers: &Map<String, Value>,
    ) -> Option<Which> {
        let same = |told: f64| {
            asked
                .temperature
                .is_some_and(|given| (given - told).abs() < 1e-6)
        };
        let has = |part: &String| lower.contains(&part.to_lowercase());
        let roles = || asked.messages.iter().map(|message| &message.role);
        let fits = self.temperature.is_none_or(same)
            && self.roles.as_ref().is_none_or(|told| roles().eq(told))
            && self.all_of.iter().all(has)
            && !self.none_of.iter().any(has);
        if !fits {
            return None;
        }
        if let Some(kind) = &self.names {
            return Some(Which::Subject(named(lower, answers.get(kind)?)?));
        }
        match &self.holds {
            Some(kind) => quoted(text, answers.get(kind)?),
            None => Some(Which::Only),
        }
    }
}

/// Which of a kind's answers the text quotes.
fn quoted(text: &str, answer: &Value) -> Option<Which> {
    let has = |value: &Value| {
        value
            .as_str()
            .is_some_and(|value| text.contains(value.trim()))
    };
    match answer.get("values") {
        Some(Value::Array(values)) => values.iter().position(has).map(Which::Chunk),
        Some(Value::Object(values)) => values
            .iter()
            .find(|(_, value)| has(value))
            .map(|(subject, _)| Which::Subject(subject.clone())),
        _ => has(answer).then_some(Which::Only),
    }
}

/// The subject that is named first.
fn named(lower: &str, answer: &Value) -> Option<String> {
    let subjects = answer.get("values")?.as_object()?;
    subjects
        .keys()
        .filter_map(|subject| Some((lower.find(&subject.to_lowercase())?, subject)))
        .min()
        .map(|(_, subject)| subject.clone())
}
