//! Reviews: what is open, what was said, rules that hide, and how well the comparison catches known
//! defects.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{
    Door, Error, Routes,
    body::{self, Body},
};
use crate::{
    access::{Action, Caller},
    compare::{Class, Field, Severity},
    controller::{ClusterDetail, Shown},
    reviews::{ItemKind, NewRule, Order, Predicate, Refused, Says, Side, Sought, Target, Wanted},
    selftest::NEEDED,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/reviews", Action::View, summary)
        .get("/reviews/items", Action::Review, queue)
        .post("/reviews/items/{id}/open", Action::Review, open)
        .post("/reviews/items/{id}/choice", Action::Review, choose)
        .get("/reviews/clusters", Action::Review, clusters)
        .get("/reviews/clusters/{id}", Action::Review, cluster)
        .post("/reviews/verdicts", Action::Review, say)
        .get("/reviews/rules", Action::View, rules)
        .post("/reviews/rules", Action::MakeRules, make_rule)
        .post(
            "/reviews/rules/{id}/removal",
            Action::MakeRules,
            remove_rule,
        )
        .get("/selftest", Action::View, selftest)
}

fn refused(refusal: &Refused) -> Error {
    Error::Conflict(refusal.to_string())
}

async fn summary(State(door): State<Door>) -> Result<Json<Value>, Error> {
    let summary = door.reviews.summary().await?;
    let done = summary.is_done();
    Ok(Json(json!({ "done": done, "summary": summary })))
}

/// Who asks, and for what of the queue.
#[derive(Deserialize)]
struct Asked {
    by: Option<String>,
    kind: Option<String>,
    field: Option<String>,
    severity: Option<String>,
    cluster: Option<String>,
    order: Option<String>,
}

/// One part of what is asked for; `remedy` says what may be sent.
fn one<T>(
    name: &str,
    sent: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
    remedy: &str,
) -> Result<Option<T>, Error> {
    let sent = sent.filter(|sent| !sent.is_empty());
    let one = sent.map(|sent| parse(sent).ok_or_else(|| body::wrong(name, remedy)));
    one.transpose()
}

impl Asked {
    fn sought(&self) -> Result<Sought, Error> {
        let kinds = "send `difference`, `sample`, `title` or `summary`";
        let severities = "send `S0`, `S1`, `S2` or `S3`";
        let orders = "send `gravest` or `oldest`";
        Ok(Sought {
            kind: one("kind", self.kind.as_deref(), ItemKind::parse, kinds)?,
            field: one(
                "field",
                self.field.as_deref(),
                Field::parse,
                "send a field as items have it",
            )?,
            severity: one(
                "severity",
                self.severity.as_deref(),
                Severity::parse,
                severities,
            )?,
            cluster: self.cluster.clone(),
            order: one("order", self.order.as_deref(), Order::parse, orders)?.unwrap_or_default(),
        })
    }
}

async fn queue(
    State(door): State<Door>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Error> {
    let sought = asked.sought()?;
    let by = caller.name.or(asked.by);
    let queue = door.reviews.sought(by.as_deref(), &sought).await?;
    Ok(Json(json!({ "items": queue })))
}

async fn cluster(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<ClusterDetail>, Error> {
    let by = caller.name.or(asked.by);
    let found = door.reviews.cluster(&id, by.as_deref()).await?;
    found.map(Json).ok_or_else(|| {
        Error::NotFound(format!(
            "there is no cluster `{id}`; GET /api/v1/reviews/clusters lists them"
        ))
    })
}

async fn clusters(State(door): State<Door>) -> Result<Json<Value>, Error> {
    Ok(Json(json!({ "clusters": door.reviews.clusters().await? })))
}

/// Opening is noted, so it is no `GET`.
async fn open(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Shown>, Error> {
    let by = body::object(body, &["by"])?.by(&caller)?;
    let shown = door.reviews.open(&id, &by).await?;
    shown.map(Json).ok_or_else(|| {
        Error::NotFound(format!(
            "there is no item `{id}`; GET /api/v1/reviews/items lists them"
        ))
    })
}

async fn choose(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let fields = body::object(body, &["by", "side"])?;
    let side = Side::parse(&fields.text("side")?)
        .ok_or_else(|| body::wrong("side", "send `left`, `right` or `tie`"))?;
    let by = fields.by(&caller)?;
    let chosen = door.reviews.choose(&id, side, &by).await?;
    let choice = chosen.map_err(|refusal| refused(&refusal))?;
    Ok(Json(json!({ "chosen": choice })))
}

const VERDICT: [&str; 8] = [
    "on", "says", "by", "reason", "owner", "days", "at_most", "preview",
];

/// With `"preview": "yes"` nothing is noted.
async fn say(State(door): State<Door>, caller: Caller, body: Body) -> Result<Json<Value>, Error> {
    let fields = body::object(body, &VERDICT)?;
    let says = Says::parse(&fields.text("says")?)
        .ok_or_else(|| body::wrong("says", "send `accept`, `reject`, `waive` or `needs_info`"))?;
    let wanted = Wanted {
        on: Target::parse(&fields.text("on")?),
        says,
        by: fields.by(&caller)?,
        reason: fields.text_if_any("reason")?.unwrap_or_default(),
        owner: fields.text_if_any("owner")?.unwrap_or_default(),
        days: fields.number_if_any("days")?,
        at_most: fields.number_if_any("at_most")?,
    };
    if fields.text_if_any("preview")?.as_deref() == Some("yes") {
        let foreseen = door.reviews.foresee(&wanted).await?;
        let foreseen = foreseen.map_err(|refusal| refused(&refusal))?;
        return Ok(Json(json!({ "preview": foreseen })));
    }
    let said = door.reviews.say(&wanted).await?;
    let id = said.map_err(|refusal| refused(&refusal))?;
    Ok(Json(json!({ "said": id })))
}

async fn rules(State(door): State<Door>) -> Result<Json<Value>, Error> {
    let summary = door.reviews.summary().await?;
    let rules = summary.rules.iter().zip(&summary.hidden);
    let told = rules.map(|(rule, hidden)| json!({ "rule": rule, "hidden": hidden }));
    Ok(Json(json!({ "rules": told.collect::<Vec<_>>() })))
}

const RULE: [&str; 8] = [
    "path", "class", "only", "at_most", "days", "by", "reason", "preview",
];

/// With `"preview": "yes"` nothing is made.
async fn make_rule(
    State(door): State<Door>,
    caller: Caller,
    body: Body,
) -> Result<Json<Value>, Error> {
    let fields = body::object(body, &RULE)?;
    let class = Class::parse(&fields.text("class")?)
        .ok_or_else(|| body::wrong("class", "send a class as items have it"))?;
    let only = fields.text_if_any("only")?;
    let predicate = Predicate::parse(only.as_deref().unwrap_or("any")).ok_or_else(|| {
        let remedy = "send `any`, `count<=NUMBER`, `severity=S2` or `severity=S3`";
        body::wrong("only", remedy)
    })?;
    let number = |name: &str| -> Result<i64, Error> {
        let found = fields.number_if_any(name)?;
        found.ok_or_else(|| body::wrong(name, "send a whole number"))
    };
    let rule = NewRule {
        path: fields.text("path")?,
        class,
        predicate,
        at_most: number("at_most")?,
        days: number("days")?,
        by: fields.by(&caller)?,
        reason: fields.text("reason")?,
    };
    let preview = door.reviews.preview(&rule).await?;
    if fields.text_if_any("preview")?.as_deref() == Some("yes") {
        return Ok(Json(json!({ "preview": preview })));
    }
    let made = door.reviews.make_rule(&rule).await?;
    let id = made.map_err(|refusal| refused(&refusal))?;
    Ok(Json(json!({ "rule": id, "preview": preview })))
}

async fn remove_rule(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let fields = body::object(body, &["by", "reason"])?;
    let (by, reason) = (
        fields.by(&caller)?,
        fields.text_if_any("reason")?.unwrap_or_default(),
    );
    if door.reviews.remove_rule(&id, &by, &reason).await? {
        Ok(Json(json!({ "removed": id })))
    } else {
        Err(Error::NotFound(format!(
            "no rule `{id}` is in force; GET /api/v1/reviews/rules lists them"
        )))
    }
}

async fn selftest(State(door): State<Door>) -> Result<Json<Value>, Error> {
    let reviews = &door.reviews;
    let newest = reviews.store.newest_selftest(&reviews.about).await?;
    let told = newest.map(|test| {
        let counts = test.epoch == reviews.about.epoch;
        json!({ "passes": counts && test.tested.passes(), "counts": counts, "needed": NEEDED, "test": test })
    });
    Ok(Json(json!({ "selftest": told })))
}
