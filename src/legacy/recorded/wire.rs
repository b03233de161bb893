//! What the run sent: messages on channels and requests to services, and what refused it.

use std::path::Path;

use super::{RecordedError, read_json_if_any, read_text};
use crate::legacy::field::{Field, parse};
use crate::model::{HttpRequest, Published};

/// The messages on the application's own channels; Celery's share the server.
pub(super) fn published(folder: &Path) -> Result<Vec<Published>, RecordedError> {
    let file = "pubsub.jsonl";
    let mut messages = Vec::new();
    for (index, line) in read_text(folder, file)?.lines().enumerate() {
        let place = format!("{file}:{}", index + 1);
        let message = parse(&place, line)?;
        let message = Field::root(&place, &message);
        let channel = message.at("channel").text()?;
        if channel.starts_with("ts:") || channel.starts_with("user:") {
            messages.push(Published {
                channel: channel.to_owned(),
                payload: message.at("data").text()?.to_owned(),
            });
        }
    }
    Ok(messages)
}

/// The requests to one service that have a kept body, in order.
fn to_service<'f, 'a>(
    requests: &'f [Field<'a>],
    service: &str,
) -> Result<Vec<&'f Field<'a>>, RecordedError> {
    let mut found = Vec::new();
    for request in requests {
        if request.at("service").text()? == service && !request.at("body_file").is_null() {
            found.push(request);
        }
    }
    Ok(found)
}

/// The post or edit that Zulip accepted, else the last one tried: an edit of a vanished message
/// is followed by a new post.
pub(super) fn zulip(
    folder: &Path,
    requests: &[Field<'_>],
) -> Result<Option<HttpRequest>, RecordedError> {
    let tried = to_service(requests, "zulip")?;
    let mut chosen = tried.last().copied();
    for request in tried {
        if (200..300).contains(&request.at("answer_status").count()?) {
            chosen = Some(request);
        }
    }
    chosen.map(|request| sent(folder, request)).transpose()
}

/// The first attempt.
pub(super) fn webhook(
    folder: &Path,
    requests: &[Field<'_>],
) -> Result<Option<HttpRequest>, RecordedError> {
    let tried = to_service(requests, "webhook")?;
    tried
        .first()
        .map(|request| sent(folder, request))
        .transpose()
}

/// Headers that the HTTP library adds by itself, and the credentials.
const NOT_THE_SENDERS: [&str; 6] = [
    "host",
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "authorization",
];

/// A recorded request. Both services are only ever called over https.
fn sent(folder: &Path, request: &Field<'_>) -> Result<HttpRequest, RecordedError> {
    let mut host = "";
    let mut headers = Vec::new();
    for header in request.at("headers").items()? {
        let [name, value] = header.items()?[..]
            .iter()
            .map(Field::text)
            .collect::<Result<Vec<_>, _>>()?[..]
        else {
            return Err(header.should_be("a pair of name and value").into());
        };
        if name.eq_ignore_ascii_case("host") {
            host = value;
        }
        let from_library =
            name.eq_ignore_ascii_case("user-agent") && value.starts_with("python-httpx/");
        if !from_library && !NOT_THE_SENDERS.contains(&name.to_ascii_lowercase().as_str()) {
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(HttpRequest {
        method: request.at("method").text()?.to_owned(),
        url: format!("https://{host}{}", request.at("target").text()?),
        headers,
        body: read_text(folder, request.at("body_file").text()?)?,
    })
}

/// The exception of the task that failed and the service that refused, without their texts,
/// which may hold presigned URLs.
pub(super) fn failure(folder: &Path, requests: &[Field<'_>]) -> Result<String, RecordedError> {
    let exception = exception(folder)?.unwrap_or_else(|| "an error".to_owned());
    for request in requests.iter().rev() {
        let status = request.at("answer_status").count()?;
        if status >= 400 {
            let service = request.at("service").text()?;
            return Ok(format!("{exception}: {service} answered {status}"));
        }
    }
    Ok(exception)
}

/// The type of the first task's exception.
fn exception(folder: &Path) -> Result<Option<String>, RecordedError> {
    let file = "celery/task_results.json";
    let Some(results) = read_json_if_any(folder, file)? else {
        return Ok(None);
    };
    for item in Field::root(file, &results).at("results").items()? {
        let value = parse(file, item.at("value").text()?)?;
        let result = Field::root(file, &value);
        if result.at("status").text()? == "FAILURE" {
            return Ok(result.at("result").at("exc_type").text_if_any()?);
        }
    }
    Ok(None)
}
