//! Rules that hide differences for a while, and waivers in force.

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    super::{
        super::{Door, Error, error::PageError},
        Page, Visitor, page as render,
        sent::Sent,
    },
    NotDone,
};
use crate::{
    access::{Action, Caller},
    compare::Class,
    model::EnvironmentName,
    reviews::{LONGEST_DAYS, NewRule, Predicate, Preview, RULES_AT_MOST, Rule, Waiver},
};

#[derive(Serialize)]
struct RulesPage<'a> {
    visitor: Visitor<'a>,
    environment: &'a EnvironmentName,
    place: &'static str,
    is_below: bool,
    now: DateTime<Utc>,
    rules: Vec<RuleLine>,
    waivers: Vec<Waiver>,
    may_make: bool,
    classes: Vec<(&'static str, String)>,
    typed: Typed,
    preview: Option<Preview>,
    refused: Option<NotDone>,
    longest_days: i64,
    rules_at_most: usize,
}

#[derive(Serialize)]
struct RuleLine {
    #[serde(flatten)]
    rule: Rule,
    only: String,
    hidden: u64,
}

/// What was typed, which previews and refusals give back.
#[derive(Serialize)]
struct Typed {
    by: String,
    path: String,
    class: String,
    only: String,
    at_most: String,
    days: String,
    reason: String,
}

impl Default for Typed {
    fn default() -> Self {
        Self {
            by: String::new(),
            path: String::new(),
            class: Class::Paraphrase.as_str().to_owned(),
            only: "any".to_owned(),
            at_most: "100".to_owned(),
            days: "14".to_owned(),
            reason: String::new(),
        }
    }
}

pub(super) async fn page(State(door): State<Door>, caller: Caller) -> Result<Page, PageError> {
    Ok(shown(&door, &caller, Typed::default(), None, None).await?)
}

async fn shown(
    door: &Door,
    caller: &Caller,
    typed: Typed,
    preview: Option<Preview>,
    refused: Option<NotDone>,
) -> Result<Page, Error> {
    let environment = &door.shadow.environment;
    let summary = door.reviews.summary().await?;
    let rules = summary.rules.into_iter().zip(summary.hidden);
    let shown = RulesPage {
        visitor: Visitor::of(caller, door),
        environment,
        place: "/reviews",
        is_below: true,
        now: (door.shadow.clock)(),
        rules: rules
            .map(|(rule, hidden)| RuleLine {
                only: rule.predicate.to_string(),
                rule,
                hidden,
            })
            .collect(),
        waivers: summary.waivers,
        may_make: caller.may(Action::MakeRules, environment).is_ok(),
        classes: Class::ALL
            .iter()
            .map(|class| (class.as_str(), class.as_str().replace('_', " ")))
            .collect(),
        typed,
        preview,
        refused,
        longest_days: LONGEST_DAYS,
        rules_at_most: RULES_AT_MOST,
    };
    render("review_rules.html", &shown)
}

/// Makes a rule; asked for a preview, says what it would have hidden and makes none.
pub(super) async fn make(
    State(door): State<Door>,
    caller: Caller,
    form: Bytes,
) -> Result<Response, PageError> {
    let sent = Sent(form);
    let class = Class::parse(&sent.text("class"))
        .ok_or_else(|| super::wrong("class", "choose a class as items have it"))?;
    let only = sent.text_if_any("only");
    let predicate = Predicate::parse(only.as_deref().unwrap_or("any")).ok_or_else(|| {
        let remedy = "write `any`, `count<=NUMBER`, `severity=S2` or `severity=S3`";
        super::wrong("only", remedy)
    })?;
    let rule = NewRule {
        path: sent.text("path"),
        class,
        predicate,
        at_most: sent.number_if_any("at_most")?.unwrap_or_default(),
        days: sent.number_if_any("days")?.unwrap_or_default(),
        by: sent.by(&caller),
        reason: sent.text("reason"),
    };
    let typed = Typed {
        by: sent.text("by"),
        path: rule.path.clone(),
        class: class.as_str().to_owned(),
        only: predicate.to_string(),
        at_most: sent.text("at_most"),
        days: sent.text("days"),
        reason: rule.reason.clone(),
    };
    if sent.text("preview") == "yes" {
        let preview = door.reviews.preview(&rule).await.map_err(Error::from)?;
        let page = shown(&door, &caller, typed, Some(preview), None).await?;
        return Ok(page.into_response());
    }
    match door.reviews.make_rule(&rule).await.map_err(Error::from)? {
        Ok(_) => Ok(Redirect::to("/reviews/rules").into_response()),
        Err(refused) => {
            let page = shown(&door, &caller, typed, None, Some(refused.into())).await?;
            Ok((StatusCode::CONFLICT, page).into_response())
        }
    }
}

/// Removes a rule.
pub(super) async fn remove(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    form: Bytes,
) -> Result<Response, PageError> {
    let sent = Sent(form);
    let (by, reason) = (sent.by(&caller), sent.text("reason"));
    if door.reviews.remove_rule(&id, &by, &reason).await? {
        Ok(Redirect::to("/reviews/rules").into_response())
    } else {
        Err(Error::NotFound(format!(
            "no rule `{id}` is in force; /reviews/rules lists them"
        ))
        .into())
    }
}
