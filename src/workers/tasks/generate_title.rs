//! Has the meeting named by its topics.

use minijinja::context as values;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Topics;
use crate::{
    contract::{clean_title::clean_title, events::RunEvent, summary},
    model::{RunId, TaskName},
    workers::{
        Context, Made, Task, TaskError,
        analysis::{Analyst, Temper},
    },
};

/// The task.
pub struct GenerateTitle;

/// What the workflow gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The run.
    pub run_id: RunId,
    /// Where the topics are.
    pub topics_ref: String,
}

/// What it reports. The title stays in our store.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    /// Where the title is; none where there are no topics.
    pub title_ref: Option<String>,
}

/// What stays in our store.
#[derive(Serialize, Deserialize)]
pub struct Title {
    /// After Reflector's re-capitalisation.
    pub title: String,
}

const TEMPER: Temper = Temper {
    temperature: 0.5,
    max_tokens: 200,
};

impl Task for GenerateTitle {
    const NAME: TaskName = TaskName::GenerateTitle;
    type Input = Input;
    type Output = Output;

    async fn run(input: Input, context: &Context) -> Result<Made<Output>, TaskError> {
        let Topics { topics, .. } = context.document(&input.topics_ref).await?;
        if topics.is_empty() {
            return Ok(Made::small(Output { title_ref: None }));
        }
        let titles = summary::title_input(&topics);
        let analyst = Analyst::new(context, TEMPER);
        let question = json!({ "topic_titles": titles, "by": analyst.identity() });
        let answer: String = context
            .remember("title", &question, || async {
                let values = values! { titles => titles.as_str() };
                let query = context.services.prompts.fill("title.txt", values)?;
                analyst.analyse(&query, &titles).await
            })
            .await?;
        let title = clean_title(&answer);
        if context
            .run
            .subject
            .transcript
            .title
            .as_deref()
            .unwrap_or_default()
            .is_empty()
        {
            context.intend_column("title", &title);
        }
        context.intend_event(&RunEvent::FinalTitle(title.clone()));
        let output = Output {
            title_ref: Some(context.reference()),
        };
        Made::with_document(output, Title { title })
    }
}
