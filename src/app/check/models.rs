//! What is asked beside the pipeline: the model of `embeddings`, and the proxy for shared answers.

use std::time::Duration;

use super::{Finding, within};
use crate::{app::App, config, model::SharedService, providers, sharing::is_proxy};

/// Whatever of it the settings name.
pub(super) async fn all(app: &App) -> Vec<Finding> {
    let mut findings = Vec::new();
    if app.environment.embeddings.is_some() {
        findings.push(within("model of meanings", embeddings(app)).await);
    }
    if let Some(sharing) = &app.environment.sharing {
        findings.push(within("sharing proxy", proxy(app, sharing)).await);
    }
    findings
}

/// Two texts that say the same, in a handful of tokens: that proves address, key and the model's name.
async fn embeddings(app: &App) -> Finding {
    const WHAT: &str = "model of meanings";
    let model = match app.embeddings() {
        Ok(Some(model)) => model,
        Ok(None) => return Finding::good(WHAT, "nobody is asked"),
        Err(error) => {
            let remedy = "change `embeddings` in the settings";
            return Finding::bad(WHAT, format!("{error:#}"), remedy);
        }
    };
    let pair = [("a meeting".to_owned(), "a meeting".to_owned())];
    match model.cosines(&pair).await.as_deref() {
        Ok([cosine]) if *cosine > 0.99 => {
            Finding::good(WHAT, format!("it answers; model `{}`", model.model()))
        }
        Ok(cosines) => Finding::bad(
            WHAT,
            format!("it says {cosines:?} of a text and itself, which has to be 1"),
            "name a model that makes embeddings: `embeddings.model`",
        ),
        Err(error) => Finding::bad(
            WHAT,
            error,
            "check `embeddings.url` (it often ends in /v1), `embeddings.api_key` and `embeddings.model`",
        ),
    }
}

/// Asked as the control would be, at both its doors: what is behind has to answer as well.
async fn proxy(app: &App, sharing: &config::Sharing) -> Finding {
    const WHAT: &str = "sharing proxy";
    let address = sharing.listen;
    match is_proxy(address, Duration::from_secs(5)).await {
        Ok(true) => {}
        Ok(false) => {
            return Finding::bad(
                WHAT,
                format!("something else answers at {address}"),
                "stop what is there and start `switchyard share`, or change `sharing.listen`",
            );
        }
        Err(error) => {
            return Finding::bad(
                WHAT,
                format!("{error:#}"),
                "start `switchyard share`, which the control's requests go through, or change `sharing.listen`",
            );
        }
    }
    for service in [SharedService::Llm, SharedService::Transcription] {
        let name = service.as_str();
        let problem = match app.reach_through_proxy(service).await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => format!("{name} through {address}: {error}"),
            Err(error) => format!("{name}: {error:#}"),
        };
        let remedy = format!(
            "the proxy is there, and what it asks is not well: check `sharing.{name}_url`, or `{name}` where that is not set"
        );
        return Finding::bad(WHAT, problem, remedy);
    }
    Finding::good(WHAT, format!("both services answer through {address}"))
}

impl App {
    /// Whether a service can be reached by way of the proxy; fails where that has no address.
    async fn reach_through_proxy(
        &self,
        service: SharedService,
    ) -> anyhow::Result<Result<(), providers::Error>> {
        let url = self.control_door(service)?;
        Ok(match service {
            SharedService::Llm => self.llm_at(url)?.reach().await,
            SharedService::Transcription => self.transcription_at(url)?.reach().await,
        })
    }
}
