//! Rules that hide differences for a while, and waivers in force.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::super::{
    super::{Door, Error, error::PageError},
    Page,
    done::{Done, Said},
    form::{Form, Refused, by, number, short},
    frame::{Frame, Place},
    page as render,
};
use crate::{
    access::{Action, Caller},
    compare::Class,
    reviews::{LONGEST_DAYS, NewRule, Predicate, Preview, RULES_AT_MOST, Rule, Waiver},
};

#[derive(Serialize)]
struct RulesPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    rules: Vec<RuleLine>,
    waivers: Vec<Waiver>,
    may_make: bool,
    classes: Vec<(&'static str, String)>,
    typed: &'a Typed,
    preview: Option<Preview>,
    refused: Option<&'a Refused>,
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

/// A rule as it was typed, which previews and refusals give back.
#[derive(Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Typed {
    by: String,
    path: String,
    class: String,
    only: String,
    at_most: String,
    days: String,
    reason: String,
    /// `yes` where nothing is to be made.
    preview: String,
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
            preview: String::new(),
        }
    }
}

impl Typed {
    fn rule(&self, caller: &Caller) -> Result<NewRule, Error> {
        let unreadable = |told: &str| Error::BadRequest(told.to_owned());
        Ok(NewRule {
            path: short(&self.path, "Path")?,
            class: Class::parse(&self.class)
                .ok_or_else(|| unreadable("there is no such class; choose one of the list"))?,
            predicate: Predicate::parse(&self.only)
                .ok_or_else(|| unreadable("“Only” cannot be read; choose one of the list"))?,
            at_most: number(&self.at_most, "Hides at most")?.unwrap_or_default(),
            days: number(&self.days, "Days")?.unwrap_or_default(),
            by: by(caller, &self.by)?,
            reason: short(&self.reason, "Why")?,
        })
    }
}

/// The removal of a rule.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Removal {
    by: String,
    reason: String,
}

pub(super) async fn page(
    State(door): State<Door>,
    caller: Caller,
    said: Said,
) -> Result<Page, PageError> {
    Ok(shown(&door, &caller, said, &Typed::default(), None, None).await?)
}

async fn shown(
    door: &Door,
    caller: &Caller,
    said: Said,
    typed: &Typed,
    preview: Option<Preview>,
    refused: Option<&Refused>,
) -> Result<Page, Error> {
    let summary = door.reviews.summary().await?;
    let rules = summary.rules.into_iter().zip(summary.hidden);
    let may = caller.may(Action::MakeRules, &door.shadow.environment);
    let shown = RulesPage {
        frame: Frame::below(Place::Reviews, door, caller)
            .with_forms()
            .saying(said),
        rules: rules
            .map(|(rule, hidden)| RuleLine {
                only: rule.predicate.to_string(),
                rule,
                hidden,
            })
            .collect(),
        waivers: summary.waivers,
        may_make: may.is_ok(),
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
    Form(typed): Form<Typed>,
) -> Result<Response, PageError> {
    let told = async {
        let rule = typed.rule(&caller)?;
        if typed.preview == "yes" {
            return Ok(Some(door.reviews.preview(&rule).await?));
        }
        let made = door.reviews.make_rule(&rule).await?;
        made.map(|_| None)
            .map_err(|refused| Error::Conflict(refused.to_string()))
    };
    match told.await {
        Ok(None) => Ok(Done::RuleMade.at("/reviews/rules")),
        Ok(preview) => {
            let page = shown(&door, &caller, Said(None), &typed, preview, None).await?;
            Ok(page.into_response())
        }
        Err(error) => {
            let refused = Refused::of("rule", error)?;
            let page = shown(&door, &caller, Said(None), &typed, None, Some(&refused)).await?;
            Ok(refused.on(page))
        }
    }
}

/// Removes a rule.
pub(super) async fn remove(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    Form(typed): Form<Removal>,
) -> Result<Response, PageError> {
    let by = by(&caller, &typed.by)?;
    let reason = short(&typed.reason, "Why")?;
    if door.reviews.remove_rule(&id, &by, &reason).await? {
        Ok(Done::RuleRemoved.at("/reviews/rules"))
    } else {
        Err(Error::NotFound(format!(
            "no rule `{id}` is in force; /reviews/rules lists them"
        ))
        .into())
    }
}
