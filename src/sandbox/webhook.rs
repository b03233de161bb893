//! A customer's receiver: it takes whatever comes.

use super::{
    answers::{Answers, Plain},
    record::Call,
    server::Reply,
};

/// The event's name, which its header tells.
pub(super) fn about(call: &Call) -> String {
    call.header("x-webhook-event")
        .unwrap_or_default()
        .to_owned()
}

pub(super) fn answer(answers: &Answers, variant: Option<&str>) -> anyhow::Result<Reply> {
    let (_, value) = Answers::variant(&answers.webhook, variant.unwrap_or("ok"))?;
    let plain: Plain = serde_json::from_value(value.clone())?;
    Ok(Reply::plain(&plain))
}
