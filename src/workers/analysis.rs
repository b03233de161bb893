//! Questions to the language model: free text, and values of a known shape.
//!
//! Every answer is kept by the hash of what was asked, so an attempt that fails half way does not
//! pay again for what it had already learnt.

use std::collections::HashMap;

use minijinja::context as values;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Context, TaskError};
use crate::providers::{
    Answer, ChatRequest, Form, Llm, Message, NotStructured, structured as ask_for_form,
};

/// How a question is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temper {
    /// 0 for the likeliest words.
    pub temperature: f64,
    /// The answer's bound, in tokens.
    pub max_tokens: u32,
}

/// Asks the model on behalf of one attempt.
pub struct Analyst<'a> {
    context: &'a Context,
    temper: Temper,
}

/// What becomes of answers none of which has the shape that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfits {
    /// They are the end of the task, and whoever resumes the run wants others.
    Forgotten,
    /// The task goes on without, and a further attempt shall not pay for them again.
    Kept,
}

/// The kind answers are kept under.
const KEPT: &str = "llm";

fn question(request: &str, times: u32) -> Value {
    json!({ "request": request, "times": times })
}

/// Characters that surely make no more than one token, in European languages and in JSON.
const CHARACTERS_PER_TOKEN: usize = 3;

impl<'a> Analyst<'a> {
    /// Asks with the given temper.
    pub const fn new(context: &'a Context, temper: Temper) -> Self {
        Self { context, temper }
    }

    /// What an answer depends on beside the question: model, temper and prompts.
    pub fn identity(&self) -> Value {
        json!({
            "model": self.llm().model(),
            "temperature": self.temper.temperature,
            "max_tokens": self.temper.max_tokens,
            "prompts": self.context.services.prompts.digest(),
        })
    }

    /// Has `query` answered from `text` alone; the answer without outer blanks. A text longer than
    /// the model can take is answered piece by piece, and the answers once more.
    pub async fn analyse(&self, query: &str, text: &str) -> Result<String, TaskError> {
        let answer = self.answer(query, text).await?;
        Ok(answer.trim().to_owned())
    }

    /// Has `query` answered from `text`, and the answer put into the shape of `T`. Where no answer
    /// fits, another attempt cannot help, and `misfits` says what becomes of them.
    pub async fn structured<T>(
        &self,
        query: &str,
        text: &str,
        misfits: Misfits,
    ) -> Result<T, TaskError>
    where
        T: DeserializeOwned + JsonSchema,
    {
        let prompts = &self.context.services.prompts;
        let analysis = self.answer(query, text).await?;
        let schema = schemars::schema_for!(T).to_value().to_string();
        let prompt = prompts.fill("json.txt", values! { analysis, schema })?;
        let repair = |answer: &str, error: &str| {
            prompts
                .fill("repair.txt", values! { answer, error })
                .unwrap_or_default()
        };
        let form = Form {
            prompt: &prompt,
            repair: &repair,
            request: &|content| self.request(vec![Message::user(content)]),
            check: &|_| Ok(()),
            attempts: self.context.services.tuning.parse_retries + 1,
        };
        // Two equal bad answers make two equal requests; their number tells them apart.
        let mut asked: HashMap<String, u32> = HashMap::new();
        let parsed = ask_for_form(&form, |request| {
            let times = asked.entry(request.digest()).or_default();
            *times += 1;
            self.ask(request, *times)
        })
        .await;
        match parsed {
            Ok(parsed) => Ok(parsed.value),
            Err(NotStructured::Ask(error)) => Err(error),
            Err(error @ NotStructured::Invalid { .. }) => {
                if misfits == Misfits::Forgotten {
                    for (request, times) in &asked {
                        for nth in 1..=*times {
                            self.context.forget(KEPT, &question(request, nth)).await?;
                        }
                    }
                }
                Err(TaskError::terminal(error.to_string()))
            }
        }
    }

    async fn answer(&self, query: &str, text: &str) -> Result<String, TaskError> {
        let mut text = text.trim().to_owned();
        let room = self.room_for(query);
        loop {
            let pieces = pieces(&text, room);
            let mut answers = Vec::with_capacity(pieces.len());
            for piece in &pieces {
                let prompts = &self.context.services.prompts;
                let values = values! { context => *piece, query };
                let messages = vec![
                    Message::system(prompts.fill("analysis_system.txt", values! {})?),
                    Message::user(prompts.fill("analysis.txt", values)?),
                ];
                answers.push(self.ask(self.request(messages), 1).await?.text);
            }
            if answers.len() <= 1 {
                return Ok(answers.pop().unwrap_or_default());
            }
            let joined = answers.join("\n\n");
            if joined.len() >= text.len() {
                return Err(TaskError::terminal(
                    "the model's answers are longer than what they summarise; it cannot work through a text of this length",
                ));
            }
            text = joined;
        }
    }

    /// Characters of context that fit beside the question and its answer.
    fn room_for(&self, query: &str) -> usize {
        const FRAME: usize = 200;
        let tuning = &self.context.services.tuning;
        let taken =
            query.chars().count() / CHARACTERS_PER_TOKEN + self.temper.max_tokens as usize + FRAME;
        tuning.context_window.saturating_sub(taken).max(FRAME) * CHARACTERS_PER_TOKEN
    }

    fn request(&self, messages: Vec<Message>) -> ChatRequest {
        self.llm()
            .request(messages, self.temper.temperature, self.temper.max_tokens)
    }

    async fn ask(&self, request: ChatRequest, times: u32) -> Result<Answer, TaskError> {
        let question = question(&request.digest(), times);
        self.context
            .remember(KEPT, &question, || async {
                let answer = self.context.chat(&request).await?;
                self.context.used(answer.usage());
                Ok(answer)
            })
            .await
    }

    fn llm(&self) -> &Llm {
        &self.context.services.llm
    }
}

/// Cuts a text at blanks into pieces of at most `room` characters; a longer word is cut where the
/// room ends. An empty text is one empty piece: the question is asked all the same.
fn pieces(text: &str, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((limit, _)) = rest.char_indices().nth(room) {
        let cut = rest[..limit]
            .rfind(char::is_whitespace)
            .filter(|cut| *cut > 0)
            .unwrap_or(limit);
        pieces.push(rest[..cut].trim());
        rest = rest[cut..].trim_start();
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_one_piece_and_so_is_an_empty_one() {
        assert_eq!(pieces("abc def", 7), ["abc def"]);
        assert_eq!(pieces("", 7), [""]);
    }

    #[test]
    fn a_long_text_is_cut_at_blanks_and_loses_no_word() {
        assert_eq!(pieces("abc def ghi", 8), ["abc def", "ghi"]);
        assert_eq!(pieces("äbcdefghij klm", 4), ["äbcd", "efgh", "ij", "klm"]);
    }
}
