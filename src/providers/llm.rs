//! The language model, through the OpenAI-compatible chat completions API.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use super::{
    Cause, Error, Retry, Service,
    http::{Http, json},
};
use crate::model::{RUN_HEADER, Usage, UsageKind};

/// One model behind one URL.
pub struct Llm {
    http: Http,
    model: String,
    /// It is reached through our proxy, which wants to know who asks.
    names_run: bool,
}

/// Everything that decides an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// The model's name.
    pub model: String,
    /// What is said to it.
    pub messages: Vec<Message>,
    /// The answer's bound, in tokens.
    pub max_tokens: u32,
    /// 0 for the likeliest words, up to 2.
    pub temperature: f64,
}

impl ChatRequest {
    /// SHA-256 in hex over model, messages and parameters; the session is no part of it. Equal
    /// requests have equal digests, so answers can be kept by it.
    pub fn digest(&self) -> String {
        let canonical = serde_json::to_vec(self).expect("text and numbers always serialise");
        hex::encode(Sha256::digest(canonical))
    }
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What.
    pub content: String,
}

impl Message {
    /// Instructions.
    pub fn system(content: impl Into<String>) -> Self {
        Self {
            role: Role::System,
            content: content.into(),
        }
    }

    /// A question.
    pub fn user(content: impl Into<String>) -> Self {
        Self {
            role: Role::User,
            content: content.into(),
        }
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The program.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
}

/// What the model said, and what it took. Serialisable, so that it can be kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// As it came, blanks included; never without a visible character.
    pub text: String,
    /// Whether it came to its end.
    pub finish: Finish,
    /// Tokens sent.
    pub tokens_in: u64,
    /// Tokens received.
    pub tokens_out: u64,
    /// Where the two counts come from.
    pub token_count: TokenCount,
    /// The model that was asked.
    pub model: String,
    /// Seconds of all requests, failed ones included.
    pub seconds: f64,
    /// Whether it is what the control was answered, and paid for by it.
    #[serde(default)]
    pub is_reused: bool,
}

impl Answer {
    /// What the answer cost.
    pub fn usage(&self) -> [Usage; 2] {
        let usage = |kind, tokens: u64| Usage {
            kind,
            of: self.model.clone(),
            amount: if self.is_reused { 0.0 } else { tokens as f64 },
        };
        [
            usage(UsageKind::TokensIn, self.tokens_in),
            usage(UsageKind::TokensOut, self.tokens_out),
        ]
    }
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// By itself.
    Whole,
    /// At `max_tokens`. The legacy takes such a text as it is.
    Cut,
}

/// Whether token counts can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenCount {
    /// The service counted.
    Reported,
    /// Four characters to a token.
    Estimated,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    request: &'a ChatRequest,
    stream: bool,
    litellm_session_id: &'a str,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    content: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    prompt_tokens: u64,
    completion_tokens: u64,
}

impl Llm {
    /// How long one answer may take, as in the legacy.
    pub const TIMEOUT: Duration = Duration::from_mins(1);

    /// `url` is the API's root with its version, e.g. `https://llm.example.test/v1`.
    pub fn new(
        url: Url,
        api_key: Option<&str>,
        model: impl Into<String>,
        timeout: Duration,
        retry: Retry,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            http: Http::new(Service::Llm, url, api_key, timeout, retry)?,
            model: model.into(),
            names_run: false,
        })
    }

    /// Says with each request whose it is: to our own proxy, never to a service.
    #[must_use]
    pub fn naming_runs(mut self) -> Self {
        self.names_run = true;
        self
    }

    /// The model's name.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// A request to this model.
    pub fn request(
        &self,
        messages: Vec<Message>,
        temperature: f64,
        max_tokens: u32,
    ) -> ChatRequest {
        ChatRequest {
            model: self.model.clone(),
            messages,
            max_tokens,
            temperature,
        }
    }

    /// Whether the service can be reached and takes our key.
    pub async fn reach(&self) -> Result<(), Error> {
        self.http.reach(&["models"]).await
    }

    /// Asks once, transient failures aside. `session_id` is the run: it groups its requests at the
    /// service and decides nothing.
    pub async fn chat(&self, request: &ChatRequest, session_id: &str) -> Result<Answer, Error> {
        let url = self.http.url(&["chat", "completions"]);
        let body = Body {
            request,
            stream: false,
            litellm_session_id: session_id,
        };
        let asked = format!("asking model `{}`", request.model);
        let send = || {
            let request = self.http.client().post(url.clone()).json(&body);
            if self.names_run {
                request.header(RUN_HEADER, session_id)
            } else {
                request
            }
        };
        let reply = self
            .http
            .call(&asked, send, |body| answer(body, request))
            .await?;
        Ok(Answer {
            seconds: reply.spent.as_secs_f64(),
            is_reused: reply.is_reused,
            ..reply.value
        })
    }
}

fn answer(body: &[u8], request: &ChatRequest) -> Result<Answer, Cause> {
    let Completion { choices, usage } = json(body)?;
    let choice = choices
        .into_iter()
        .next()
        .ok_or_else(|| Cause::BadAnswer("it has no choices".to_owned()))?;
    let finish = match choice.finish_reason.as_deref() {
        Some("content_filter") => return Err(Cause::Filtered),
        Some("length") => Finish::Cut,
        _ => Finish::Whole,
    };
    let text = choice.message.content.unwrap_or_default();
    if text.trim().is_empty() {
        return Err(Cause::Empty {
            cut: finish == Finish::Cut,
        });
    }
    let token_count = match usage {
        Some(_) => TokenCount::Reported,
        None => TokenCount::Estimated,
    };
    let tokens = usage.unwrap_or_else(|| Tokens {
        prompt_tokens: request
            .messages
            .iter()
            .map(|message| estimate(&message.content))
            .sum(),
        completion_tokens: estimate(&text),
    });
    Ok(Answer {
        text,
        finish,
        tokens_in: tokens.prompt_tokens,
        tokens_out: tokens.completion_tokens,
        token_count,
        model: request.model.clone(),
        seconds: 0.0,
        is_reused: false,
    })
}

fn estimate(text: &str) -> u64 {
    text.chars().count().div_ceil(4) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> ChatRequest {
        ChatRequest {
            model: "m".to_owned(),
            messages: vec![Message::system("12345678"), Message::user("123")],
            max_tokens: 500,
            temperature: 0.9,
        }
    }

    fn read(body: &str) -> Result<Answer, Cause> {
        answer(body.as_bytes(), &request())
    }

    #[test]
    fn tokens_are_estimated_and_marked_when_the_service_does_not_count() {
        let answer = read(r#"{"choices": [{"message": {"content": " abcde "}}]}"#);
        let answer = answer.expect("a good answer");
        assert_eq!(answer.text, " abcde ");
        assert_eq!((answer.tokens_in, answer.tokens_out), (3, 2));
        assert_eq!(answer.token_count, TokenCount::Estimated);
    }

    #[test]
    fn answers_without_text_are_told_apart() {
        let ended = |reason: &str| {
            read(&format!(
                r#"{{"choices": [{{"message": {{"content": null}}, "finish_reason": "{reason}"}}]}}"#
            ))
        };
        assert_eq!(ended("stop"), Err(Cause::Empty { cut: false }));
        assert_eq!(ended("length"), Err(Cause::Empty { cut: true }));
        assert_eq!(ended("content_filter"), Err(Cause::Filtered));
        assert_eq!(
            read(r#"{"choices": []}"#),
            Err(Cause::BadAnswer("it has no choices".to_owned()))
        );
    }

    #[test]
    fn a_text_cut_at_its_bound_is_taken_and_marked() {
        let answer =
            read(r#"{"choices": [{"message": {"content": "a"}, "finish_reason": "length"}]}"#);
        assert_eq!(answer.expect("it has text").finish, Finish::Cut);
    }

    #[test]
    fn the_digest_follows_every_part_of_the_request() {
        let digest = request().digest();
        assert_eq!(digest.len(), 64);
        assert_eq!(digest, request().digest());
        let others = [
            ChatRequest {
                model: "n".to_owned(),
                ..request()
            },
            ChatRequest {
                temperature: 0.5,
                ..request()
            },
            ChatRequest {
                max_tokens: 501,
                ..request()
            },
            ChatRequest {
                messages: vec![Message::user("123")],
                ..request()
            },
        ];
        assert!(others.iter().all(|other| other.digest() != digest));
    }
}
