//! Cuts the words into topics and has each named.

use std::num::NonZeroUsize;

use minijinja::context as values;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    contract::{chunks, clean_title::clean_title, events::RunEvent, webvtt},
    model::{RunId, TaskName, Topic, Word, text_of},
    workers::{
        Context, Made, Task, TaskError,
        analysis::{Analyst, Misfits, Temper},
    },
};

/// The task.
pub struct DetectTopics;

/// What the workflow gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The run.
    pub run_id: RunId,
    /// Where the words are.
    pub transcript_ref: String,
}

/// What it reports. Topics stay in our store.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    /// Where the topics are.
    pub topics_ref: String,
    /// How many there are.
    pub topic_count: usize,
}

/// What stays in our store.
#[derive(Serialize, Deserialize)]
pub struct Topics {
    /// In order.
    pub topics: Vec<Topic>,
    /// Captions of all of them.
    pub webvtt: String,
}

/// What the model is asked for. Capitalised keys are accepted as in the legacy.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Named {
    /// A specific, professional title.
    #[serde(alias = "Title")]
    title: String,
    /// At most two sentences.
    #[serde(alias = "Summary")]
    summary: String,
}

const TEMPER: Temper = Temper {
    temperature: 0.9,
    max_tokens: 500,
};

impl Task for DetectTopics {
    const NAME: TaskName = TaskName::DetectTopics;
    type Input = Input;
    type Output = Output;

    async fn run(input: Input, context: &Context) -> Result<Made<Output>, TaskError> {
        let words: Vec<Word> = context.document(&input.transcript_ref).await?;
        let rule = chunks::Rule {
            slice_words: NonZeroUsize::new(300).expect("300 is not zero"),
            longer_than: context.services.tuning.min_transcript_length,
        };
        let chunks = chunks::chunks(&words, rule);
        let analyst = Analyst::new(context, TEMPER);
        let question =
            json!({ "words": words, "by": analyst.identity(), "rule": rule.longer_than });
        let named: Vec<Named> = context
            .remember("topics", &question, || name_all(&chunks, &analyst, context))
            .await?;

        let mut topics: Vec<Topic> = Vec::new();
        for (words, named) in chunks.iter().zip(named) {
            let topic = Topic {
                id: uuid::Uuid::new_v4().to_string(),
                title: clean_title(&named.title),
                summary: named.summary,
                timestamp: words.first().map_or(0.0, |word| word.start),
                duration: 0.0,
                transcript: text_of(words),
                words: words.to_vec(),
            };
            context.intend_event(&RunEvent::Topic(topic.clone()));
            topics.push(topic);
        }
        let webvtt = webvtt::of_topics(&topics)
            .map_err(|error| TaskError::terminal(format!("cannot make captions: {error}")))?;
        let output = Output {
            topics_ref: context.reference(),
            topic_count: topics.len(),
        };
        Made::with_document(output, Topics { topics, webvtt })
    }
}

async fn name_all(
    chunks: &[&[Word]],
    analyst: &Analyst<'_>,
    context: &Context,
) -> Result<Vec<Named>, TaskError> {
    let mut named = Vec::with_capacity(chunks.len());
    for words in chunks {
        let text = text_of(words);
        let query = context
            .services
            .prompts
            .fill("topic.txt", values! { text => text.as_str() })?;
        named.push(
            analyst
                .structured(&query, &text, Misfits::Forgotten)
                .await?,
        );
    }
    Ok(named)
}
