//! What an answer cost, as far as it says so.

use std::time::Duration;

use serde::Deserialize;

use crate::{model::SharedService, store::AnswerCost};

#[derive(Deserialize)]
struct Answer {
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    prompt_tokens: i64,
    #[serde(default)]
    completion_tokens: i64,
}

/// Tokens as the model counted them, in the answer or in one of its events; the time a transcription
/// took, which is what the GPU was busy for.
pub(super) fn of(service: SharedService, body: &str, took: Duration) -> AnswerCost {
    match service {
        SharedService::Transcription => AnswerCost {
            gpu_seconds: took.as_secs_f64(),
            ..AnswerCost::default()
        },
        SharedService::Llm => {
            let whole = counted(body);
            let event = || {
                let events = body.lines().filter_map(|line| line.strip_prefix("data:"));
                events.rev().find_map(counted)
            };
            let tokens = whole.or_else(event);
            tokens.map_or_else(AnswerCost::default, |tokens| AnswerCost {
                tokens_in: tokens.prompt_tokens,
                tokens_out: tokens.completion_tokens,
                gpu_seconds: 0.0,
            })
        }
    }
}

fn counted(json: &str) -> Option<Tokens> {
    serde_json::from_str::<Answer>(json).ok()?.usage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_from_an_answer_and_from_a_stream() {
        let told = r#"{"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}"#;
        let streamed = format!("data: {{\"usage\": null}}\n\ndata: {told}\n\ndata: [DONE]\n\n");
        for body in [told, &streamed] {
            let cost = of(SharedService::Llm, body, Duration::from_secs(3));
            assert_eq!((cost.tokens_in, cost.tokens_out), (7, 2), "{body}");
        }
        let untold = of(SharedService::Llm, "{}", Duration::from_secs(3));
        assert_eq!(untold, AnswerCost::default());
    }
}
