//! The transcription service: a URL of audio in, words with times out.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{
    Cause, Error, Retry, Service,
    http::{Http, json as read_json},
};
use crate::{
    contract::merge::HeardWord,
    model::{RUN_HEADER, Usage, UsageKind},
};

/// The service behind Reflector's transcription API.
pub struct Transcription {
    http: Http,
    /// It is reached through our proxy, which wants to know who asks.
    names_run: bool,
}

/// What was said in one piece of audio.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcript {
    /// In the service's order, which is not always that of time.
    pub words: Vec<HeardWord>,
    /// Seconds the service was kept busy, requests that failed included.
    pub seconds: f64,
    /// Whether it is what the control was answered, and paid for by it.
    pub is_reused: bool,
}

impl Transcript {
    /// What the transcription cost.
    pub fn usage(&self) -> Usage {
        Usage {
            kind: UsageKind::GpuSeconds,
            of: Service::Transcription.to_string(),
            amount: if self.is_reused { 0.0 } else { self.seconds },
        }
    }
}

#[derive(Deserialize)]
struct Body {
    words: Vec<HeardWord>,
}

impl Transcription {
    /// How long one file may take, as in the legacy.
    pub const TIMEOUT: Duration = Duration::from_mins(10);

    /// `url` is the service's root, without `/v1`. Without a key no `Authorization` is sent.
    pub fn new(
        url: Url,
        api_key: Option<&str>,
        timeout: Duration,
        retry: Retry,
    ) -> anyhow::Result<Self> {
        let http = Http::new(Service::Transcription, url, api_key, timeout, retry)?;
        Ok(Self {
            http,
            names_run: false,
        })
    }

    /// Says with each request whose it is: to our own proxy, never to the service.
    #[must_use]
    pub fn naming_runs(mut self) -> Self {
        self.names_run = true;
        self
    }

    /// A policy for requests that take minutes: those that fail early are repeated, one that used
    /// up its time is not.
    pub const fn retry(timeout: Duration) -> Retry {
        Retry {
            budget: timeout.saturating_add(Duration::from_mins(2)),
            ..Retry::standard(timeout)
        }
    }

    /// Whether the service can be reached. Its key is not tested: only a transcription would.
    pub async fn reach(&self) -> Result<(), Error> {
        self.http.reach(&[]).await
    }

    /// Has the audio behind a (presigned) URL transcribed for a run. The service decides by the URL's
    /// extension what kind of audio it is.
    pub async fn transcribe(
        &self,
        audio_url: &str,
        language: &str,
        run: &str,
    ) -> Result<Transcript, Error> {
        let url = self.http.url(&["v1", "audio", "transcriptions-from-url"]);
        let body = json!({"audio_file_url": audio_url, "language": language, "batch": true});
        let asked = format!("transcribing a track spoken in `{language}`");
        let request = || {
            let request = self.http.client().post(url.clone()).json(&body);
            if self.names_run {
                request.header(RUN_HEADER, run)
            } else {
                request
            }
        };
        let reply = self.http.call(&asked, request, words).await?;
        Ok(Transcript {
            words: reply.value,
            seconds: reply.spent.as_secs_f64(),
            is_reused: reply.is_reused,
        })
    }
}

fn words(body: &[u8]) -> Result<Vec<HeardWord>, Cause> {
    let Body { words } = read_json(body)?;
    match words
        .iter()
        .position(|word| word.start < 0.0 || word.end < 0.0)
    {
        Some(index) => Err(Cause::BadAnswer(format!(
            "word {index} has a time before the beginning"
        ))),
        None => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_before_the_beginning_makes_the_answer_unusable() {
        let body = br#"{"words": [{"word": "a", "start": 0, "end": 1},
                                  {"word": "secret", "start": -0.01, "end": 1}]}"#;
        let cause = words(body).expect_err("a negative time");
        assert_eq!(
            cause.to_string(),
            "unusable answer: word 1 has a time before the beginning"
        );
    }

    #[test]
    fn no_words_are_a_good_answer() {
        assert_eq!(words(br#"{"text": "", "words": []}"#), Ok(Vec::new()));
    }
}
