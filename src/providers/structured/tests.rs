use std::sync::Mutex;

use serde::Deserialize;

use super::*;
use crate::providers::{Finish, Message, TokenCount};

#[derive(Debug, PartialEq, Deserialize)]
struct Topic {
    title: String,
    summary: String,
}

fn answer(text: &str) -> Answer {
    Answer {
        text: text.to_owned(),
        finish: Finish::Whole,
        tokens_in: 1,
        tokens_out: 1,
        token_count: TokenCount::Reported,
        model: "m".to_owned(),
        seconds: 0.0,
        is_reused: false,
    }
}

/// Asks a model that gives these answers in turn; returns the result and the prompts it saw.
async fn ask(answers: &[&str]) -> (Result<Parsed<Topic>, NotStructured<String>>, Vec<String>) {
    let prompts = Mutex::new(Vec::new());
    let form = Form {
        prompt: "Give JSON.",
        repair: &|previous, error| format!("\n[{previous}|{error}]"),
        request: &|prompt| ChatRequest {
            model: "m".to_owned(),
            messages: vec![Message::user(prompt)],
            max_tokens: 500,
            temperature: 0.9,
        },
        check: &|topic: &Topic| match topic.title.len() {
            0 => Err("the title is empty".to_owned()),
            _ => Ok(()),
        },
        attempts: Form::<Topic>::ATTEMPTS,
    };
    let asking = structured(&form, |request| {
        let mut prompts = prompts.lock().expect("no panic");
        prompts.push(request.messages[0].content.clone());
        let next = answers.get(prompts.len() - 1);
        std::future::ready(
            next.map(|text| answer(text))
                .ok_or_else(|| "it hung up".to_owned()),
        )
    });
    let result = spawnable(asking).await;
    (result, prompts.into_inner().expect("no panic"))
}

/// Workers run on many threads.
fn spawnable<F: Send>(future: F) -> F {
    future
}

const GOOD: &str = r#"{"title": "t", "summary": "s"}"#;

#[tokio::test]
async fn fences_and_chat_around_the_object_do_no_harm() {
    let text = format!("Sure!\n```json\n{GOOD}\n```\nAnything else?");
    let (result, prompts) = ask(&[&text]).await;
    assert_eq!(result.expect("it fits").value.title, "t");
    assert_eq!(prompts, ["Give JSON."]);
}

#[tokio::test]
async fn a_bad_answer_is_shown_again_with_what_is_wrong() {
    let (result, prompts) = ask(&["no idea", r#"{"title": "only"}"#, GOOD]).await;
    assert_eq!(result.expect("the third fits").answers.len(), 3);
    assert_eq!(
        prompts[1],
        "Give JSON.\n[no idea|there is no JSON object in it]"
    );
    assert_eq!(
        prompts[2],
        "Give JSON.\n[{\"title\": \"only\"}|missing field `summary` at line 1 column 17]"
    );
}

#[tokio::test]
async fn four_bad_answers_are_the_end_and_nothing_of_them_is_told() {
    let bad = r#"{"title": "", "summary": "secret"}"#;
    let (result, prompts) = ask(&[bad, bad, bad, bad, GOOD]).await;
    assert_eq!(prompts.len(), 4);
    let error = result.expect_err("no answer fits");
    assert_eq!(
        error.to_string(),
        "llm: none of 4 answers fits the form; the last: a value is out of bounds"
    );
}

#[tokio::test]
async fn a_failed_request_is_not_repaired() {
    let (result, prompts) = ask(&["{}"]).await;
    assert!(matches!(result, Err(NotStructured::Ask(why)) if why == "it hung up"));
    assert_eq!(prompts.len(), 2);
}

#[tokio::test]
async fn a_long_bad_answer_is_cut_by_characters() {
    let long = "é".repeat(3000);
    let (_, prompts) = ask(&[&long, GOOD]).await;
    assert_eq!(prompts[1].matches('é').count(), QUOTED);
}
