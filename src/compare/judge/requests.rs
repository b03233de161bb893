//! What goes out by HTTP: the Zulip post and the customer's webhook.

use serde_json::{Value, json};

use super::document::Documents;
use super::{Finding, Measuring};
use crate::compare::difference::Difference;
use crate::compare::metrics::{bytes, zulip_text};
use crate::compare::policy::FieldPolicy;
use crate::model::{HttpRequest, Outcome};

pub(super) fn zulip(policy: &FieldPolicy, control: &Outcome, candidate: &Outcome) -> Measuring {
    let read = |request: &HttpRequest| {
        let mut form: serde_json::Map<String, Value> =
            url::form_urlencoded::parse(request.body.as_bytes())
                .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
                .collect();
        let content = form.remove("content");
        let content = content
            .as_ref()
            .and_then(Value::as_str)
            .map(zulip_text::skeleton);
        json!({"method": request.method, "url": request.url, "form": form, "content": content})
    };
    match both(policy, control.zulip.as_ref(), candidate.zulip.as_ref()) {
        Ok((left, right)) => {
            Measuring::Documents(Documents::between(policy, &read(left), &read(right)))
        }
        Err(finding) => (*finding).into(),
    }
}

pub(super) fn webhook(policy: &FieldPolicy, control: &Outcome, candidate: &Outcome) -> Measuring {
    let read = |request: &HttpRequest| {
        let body: Value = serde_json::from_str(&request.body)
            .unwrap_or_else(|_| json!({"not_json": request.body}));
        json!({"method": request.method, "url": request.url, "headers": headers(request), "body": body})
    };
    match both(policy, control.webhook.as_ref(), candidate.webhook.as_ref()) {
        Ok((left, right)) => {
            let apart = bytes::form(&left.body) != bytes::form(&right.body);
            let documents = Documents::between(policy, &read(left), &read(right));
            Measuring::Documents(documents.or_bytes(apart.then(|| "/body".to_owned())))
        }
        Err(finding) => (*finding).into(),
    }
}

/// The two requests. A control's request that was not seen leaves nothing to compare; one the
/// candidate did not make is a lost effect.
fn both<'a>(
    policy: &FieldPolicy,
    control: Option<&'a HttpRequest>,
    candidate: Option<&'a HttpRequest>,
) -> Result<(&'a HttpRequest, &'a HttpRequest), Box<Finding>> {
    Err(Box::new(match (control, candidate) {
        (Some(left), Some(right)) => return Ok((left, right)),
        (None, None) => Finding::equal(),
        (None, Some(_)) => {
            Finding::not_comparable("the control's request was not seen, or it made none")
        }
        (Some(left), None) => {
            let path = format!("/{}", policy.field);
            Finding::one_sided(
                Difference::between(path, Some(json!(left.method)), None),
                "such request",
            )
        }
    }))
}

/// Header names in lower case with their values, without those the HTTP library adds.
fn headers(request: &HttpRequest) -> Value {
    const TRANSPORT: [&str; 5] = [
        "host",
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
    ];
    let named = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_lowercase(), json!(value)));
    let mut kept: Vec<(String, Value)> = named
        .filter(|(name, _)| !TRANSPORT.contains(&name.as_str()))
        .collect();
    kept.sort_by(|left, right| left.0.cmp(&right.0));
    Value::Object(kept.into_iter().collect())
}
