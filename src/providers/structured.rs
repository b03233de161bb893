//! Getting a value of a known shape out of a language model: ask for JSON, check, ask for a repair.
//!
//! Who answers is the caller's affair (`ask`), and so is keeping answers: a repair request differs
//! from its predecessor by the answer it quotes, yet two equal bad answers in a row make two equal
//! requests. A cache must therefore count the requests of one value, or keep only good answers.

use serde::de::DeserializeOwned;

use super::{Answer, ChatRequest, http::without_content};

/// How a value is asked for.
pub struct Form<'a, T> {
    /// The message that asks for JSON, analysis and schema included.
    pub prompt: &'a str,
    /// What is appended to it after a bad answer; gets that answer (at most 2000 characters of it)
    /// and what is wrong with it.
    pub repair: &'a (dyn Fn(&str, &str) -> String + Sync),
    /// Makes the request of the message.
    pub request: &'a (dyn Fn(String) -> ChatRequest + Sync),
    /// What the shape alone does not say; an error is shown to the model.
    pub check: &'a (dyn Fn(&T) -> Result<(), String> + Sync),
    /// Requests in all, repairs included.
    pub attempts: u32,
}

impl<T> Form<'_, T> {
    /// Requests in all, as in the legacy: one and three repairs.
    pub const ATTEMPTS: u32 = 4;
}

/// A value and the answers it took.
#[derive(Debug)]
pub struct Parsed<T> {
    /// The value.
    pub value: T,
    /// All answers, the last of which holds the value; each was paid for.
    pub answers: Vec<Answer>,
}

/// No value.
#[derive(Debug, thiserror::Error)]
pub enum NotStructured<E> {
    /// A request failed; nothing is repaired then.
    #[error("{0}")]
    Ask(E),
    /// Every answer was bad.
    #[error("llm: none of {} answers fits the form; the last: {why}", .answers.len())]
    Invalid {
        /// What is wrong with the last, without quoting it.
        why: String,
        /// All answers; each was paid for.
        answers: Vec<Answer>,
    },
}

/// The most of a bad answer that is shown to the model again, in characters.
const QUOTED: usize = 2000;

/// Asks until an answer holds a `T`, at most [`Form::attempts`] times.
pub async fn structured<T, E, F>(
    form: &Form<'_, T>,
    mut ask: impl FnMut(ChatRequest) -> F,
) -> Result<Parsed<T>, NotStructured<E>>
where
    T: DeserializeOwned,
    F: Future<Output = Result<Answer, E>>,
{
    let mut prompt = form.prompt.to_owned();
    let mut answers = Vec::new();
    loop {
        let answer = ask((form.request)(prompt))
            .await
            .map_err(NotStructured::Ask)?;
        let found = parse(&answer.text, form.check);
        let quoted: String = answer.text.chars().take(QUOTED).collect();
        answers.push(answer);
        match found {
            Ok(value) => return Ok(Parsed { value, answers }),
            Err(fault) if answers.len() >= form.attempts as usize => {
                return Err(NotStructured::Invalid {
                    why: fault.told,
                    answers,
                });
            }
            Err(fault) => {
                prompt = format!("{}{}", form.prompt, (form.repair)(&quoted, &fault.shown));
            }
        }
    }
}

/// What is wrong with an answer.
struct Fault {
    /// For the model, whose own words it may quote.
    shown: String,
    /// For logs, which must not.
    told: String,
}

/// Takes what lies between the first `{` and the last `}`, so that fences and chat do no harm.
fn parse<T: DeserializeOwned>(
    text: &str,
    check: &(dyn Fn(&T) -> Result<(), String> + Sync),
) -> Result<T, Fault> {
    let object = text
        .find('{')
        .zip(text.rfind('}'))
        .and_then(|(from, to)| text.get(from..=to));
    let Some(object) = object else {
        let why = "there is no JSON object in it".to_owned();
        return Err(Fault {
            shown: why.clone(),
            told: why,
        });
    };
    let value = serde_json::from_str(object).map_err(|error| Fault {
        shown: error.to_string(),
        told: without_content(&error),
    })?;
    check(&value).map_err(|shown| Fault {
        shown,
        told: "a value is out of bounds".to_owned(),
    })?;
    Ok(value)
}

#[cfg(test)]
mod tests;
