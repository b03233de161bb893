//! What a model says two texts mean, through the OpenAI-compatible embeddings API.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Cause, Error, Retry, Service,
    http::{Http, json},
};
use crate::compare::metrics::series::cosine;

/// One model behind one URL.
pub struct Embeddings {
    http: Http,
    model: String,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    input: &'a [&'a str],
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    index: usize,
    embedding: Vec<f64>,
}

impl Embeddings {
    /// `url` is the API's root with its version, e.g. `https://llm.example.test/v1`.
    pub fn new(
        url: Url,
        api_key: Option<&str>,
        model: impl Into<String>,
        timeout: Duration,
        retry: Retry,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            http: Http::new(Service::Embeddings, url, api_key, timeout, retry)?,
            model: model.into(),
        })
    }

    /// The model's name.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether the service can be reached and takes our key.
    pub async fn reach(&self) -> Result<(), Error> {
        self.http.reach(&["models"]).await
    }

    /// The cosine of the two texts' embeddings, from -1 to 1, pair by pair in one request.
    pub async fn cosines(&self, pairs: &[(String, String)]) -> Result<Vec<f64>, Error> {
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let input: Vec<&str> = pairs
            .iter()
            .flat_map(|(one, other)| [one.as_str(), other.as_str()])
            .collect();
        let body = Body {
            model: &self.model,
            input: &input,
            encoding_format: "float",
        };
        let url = self.http.url(&["embeddings"]);
        let send = || self.http.client().post(url.clone()).json(&body);
        let asked = format!("embedding {} texts", input.len());
        let reply = self
            .http
            .call(&asked, send, |body| read(body, pairs.len()))
            .await?;
        Ok(reply.value)
    }
}

fn read(body: &[u8], pairs: usize) -> Result<Vec<f64>, Cause> {
    let Answer { mut data } = json(body)?;
    data.sort_by_key(|embedding| embedding.index);
    let in_order = data
        .iter()
        .map(|embedding| embedding.index)
        .eq(0..2 * pairs);
    if !in_order {
        let told = format!("it has {} embeddings for {} texts", data.len(), 2 * pairs);
        return Err(Cause::BadAnswer(told));
    }
    data.chunks(2)
        .map(|pair| {
            cosine(&pair[0].embedding, &pair[1].embedding)
                .ok_or_else(|| Cause::BadAnswer("two embeddings have no angle".to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embeddings_are_paired_by_their_number_and_not_by_their_place() {
        let body = br#"{"data": [
            {"index": 1, "embedding": [0.0, 2.0]}, {"index": 0, "embedding": [1.0, 0.0]},
            {"index": 3, "embedding": [-1.0, 0.0]}, {"index": 2, "embedding": [3.0, 0.0]}
        ]}"#;
        assert_eq!(read(body, 2), Ok(vec![0.0, -1.0]));
    }

    #[test]
    fn a_text_without_an_embedding_and_one_without_a_direction_are_bad_answers() {
        let lost = br#"{"data": [{"index": 0, "embedding": [1.0]}]}"#;
        assert!(matches!(read(lost, 1), Err(Cause::BadAnswer(_))));
        let zero =
            br#"{"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [0.0]}]}"#;
        assert!(matches!(read(zero, 1), Err(Cause::BadAnswer(_))));
    }
}
