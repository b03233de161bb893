//! Reviews: what is open, what was said, rules that hide, and how well the comparison catches known
//! defects.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    response::Response,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{
    Door, Error, Routes,
    body::{self, Body},
    field::{BY, Field, number, one_of, text},
    paging::Paging,
    words::shape,
};
use crate::{
    access::{Action, Caller},
    compare::{Class, Field as ComparedField, Severity},
    controller::{ClusterDetail, Listed, Shown},
    reviews::{
        Choice, ClusterStanding, Foreseen, ItemKind, NewRule, Order, Predicate, Preview, Refused,
        Rule, Says, Side, Sought, Summary, Target, Wanted,
    },
    selftest::NEEDED,
    store::SelfTest,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/reviews", Action::View, summary)
        .says("What people have to look at before a cutover, and how far that is")
        .answers_with(&[("done", shape::<bool>), ("summary", shape::<Summary>)])
        .get("/reviews/items", Action::Review, queue)
        .says("What is open, the gravest first where nothing else is asked for")
        .asks(&SOUGHT)
        .lists::<Listed>("items")
        .post("/reviews/items/{id}/open", Action::Review, open)
        .says("Opens an item, which is noted; it quotes the meeting")
        .takes(&[BY])
        .answers::<Shown>()
        .post("/reviews/items/{id}/choice", Action::Review, choose)
        .says("Chooses a side of a side-by-side; whose it was is told only now")
        .takes(&CHOICE)
        .answers_with(&[("chosen", shape::<Choice>)])
        .get("/reviews/clusters", Action::Review, clusters)
        .says("Differences of one sort together, the highest rank first")
        .lists::<ClusterStanding>("clusters")
        .get("/reviews/clusters/{id}", Action::Review, cluster)
        .says("One cluster with its items and what was said of it")
        .asks(&[BY])
        .answers::<ClusterDetail>()
        .post("/reviews/verdicts", Action::Review, say)
        .says("Says what an item or a cluster means")
        .takes(&VERDICT)
        .answers_with(&[("said?", shape::<String>), ("preview?", shape::<Foreseen>)])
        .get("/reviews/rules", Action::View, rules)
        .says("Rules that hide differences, and how many each hides")
        .lists::<RuleLine>("rules")
        .post("/reviews/rules", Action::MakeRules, make_rule)
        .says("Makes a rule that hides differences, or shows what one would hide")
        .takes(&RULE)
        .answers_with(&[("rule?", shape::<String>), ("preview", shape::<Preview>)])
        .post(
            "/reviews/rules/{id}/removal",
            Action::MakeRules,
            remove_rule,
        )
        .says("Removes a rule")
        .takes(&REMOVAL)
        .answers_with(&[("removed", shape::<String>)])
        .get("/selftest", Action::View, selftest)
        .says("How well the comparison catches known defects")
        .answers_with(&[("selftest", shape::<Option<SelfTestLine>>)])
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

/// The same for the document.
const SOUGHT: [Field; 6] = [
    BY,
    one_of(
        "kind",
        &["difference", "sample", "title", "summary"],
        "of which kind",
    ),
    text("field", "of which field", r#""title""#),
    one_of("severity", &["S0", "S1", "S2", "S3"], "how grave"),
    text("cluster", "of which cluster: its signature", ""),
    one_of("order", &["gravest", "oldest"], "what comes first"),
];

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
                ComparedField::parse,
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
    asked: Result<Query<Asked>, QueryRejection>,
    paging: Paging,
) -> Result<Response, Error> {
    let Query(asked) = asked.map_err(|wrong| Error::BadRequest(wrong.body_text()))?;
    let sought = asked.sought()?;
    let by = caller.name.or(asked.by);
    let queue = door.reviews.sought(by.as_deref(), &sought).await?;
    paging
        .cut(queue, |listed| listed.item.id.clone())
        .named("items")
}

async fn cluster(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<ClusterDetail>, Error> {
    let Query(asked) = asked.map_err(|wrong| Error::BadRequest(wrong.body_text()))?;
    let by = caller.name.or(asked.by);
    let found = door.reviews.cluster(&id, by.as_deref()).await?;
    found.map(Json).ok_or_else(|| {
        Error::NotFound(format!(
            "there is no cluster `{id}`; GET /api/v1/reviews/clusters lists them"
        ))
    })
}

async fn clusters(State(door): State<Door>, paging: Paging) -> Result<Response, Error> {
    let clusters = door.reviews.clusters().await?;
    paging
        .cut(clusters, |cluster| cluster.signature.clone())
        .named("clusters")
}

/// Opening is noted, so it is no `GET`.
async fn open(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Shown>, Error> {
    let by = body::read(body, &[BY])?.by(&caller)?;
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
    let fields = body::read(body, &CHOICE)?;
    let side = Side::parse(&fields.text("side")?)
        .ok_or_else(|| body::wrong("side", "send `left`, `right` or `tie`"))?;
    let by = fields.by(&caller)?;
    let chosen = door.reviews.choose(&id, side, &by).await?;
    let choice = chosen.map_err(|refusal| refused(&refusal))?;
    Ok(Json(json!({ "chosen": choice })))
}

const CHOICE: [Field; 2] = [
    one_of("side", &["left", "right", "tie"], "which side reads better")
        .needed()
        .like(r#""left""#),
    BY,
];

const VERDICT: [Field; 8] = [
    text(
        "on",
        "the id of an item, or the signature of a cluster",
        r#""item_0123456789ab""#,
    )
    .needed(),
    one_of(
        "says",
        &["accept", "reject", "waive", "needs_info"],
        "what it means",
    )
    .needed()
    .like(r#""accept""#),
    BY,
    text("reason", "why", r#""only the wording differs""#),
    text("owner", "of a rejection or a waiver, who sees to it", ""),
    number("days", (1, 30), "of a waiver, for how long"),
    number("at_most", (1, i64::MAX), "of a waiver, for how many"),
    one_of(
        "preview",
        &["yes", "no"],
        "whether nothing is noted, and what it would settle is shown",
    ),
];

/// With `"preview": "yes"` nothing is noted.
async fn say(State(door): State<Door>, caller: Caller, body: Body) -> Result<Json<Value>, Error> {
    let fields = body::read(body, &VERDICT)?;
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

/// A rule, and what it hides.
#[derive(Serialize, JsonSchema)]
struct RuleLine {
    rule: Rule,
    /// How many differences it hides.
    hidden: u64,
}

async fn rules(State(door): State<Door>, paging: Paging) -> Result<Response, Error> {
    let summary = door.reviews.summary().await?;
    let rules = summary.rules.into_iter().zip(summary.hidden);
    let told: Vec<_> = rules
        .map(|(rule, hidden)| RuleLine { rule, hidden })
        .collect();
    paging.cut(told, |line| line.rule.id.clone()).named("rules")
}

const RULE: [Field; 8] = [
    text(
        "path",
        "which places: `/FIELD/PLACE`, with `*` for a part and `**` for any",
        r#""/title/*""#,
    )
    .needed(),
    text("class", "of which class", r#""cosmetic""#).needed(),
    text(
        "only",
        "`any`, `count<=NUMBER`, `severity=S2` or `severity=S3`",
        r#""any""#,
    ),
    number("at_most", (1, i64::MAX), "how many differences it may hide")
        .needed()
        .like("50"),
    number("days", (1, 30), "how long it lasts")
        .needed()
        .like("14"),
    BY,
    text("reason", "why", r#""titles are capitalised otherwise""#).needed(),
    one_of(
        "preview",
        &["yes", "no"],
        "whether nothing is made, and what it would hide is shown",
    ),
];

const REMOVAL: [Field; 2] = [text("reason", "why", r#""no longer needed""#), BY];

/// With `"preview": "yes"` nothing is made.
async fn make_rule(
    State(door): State<Door>,
    caller: Caller,
    body: Body,
) -> Result<Json<Value>, Error> {
    let fields = body::read(body, &RULE)?;
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
    let fields = body::read(body, &REMOVAL)?;
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

/// The newest test of the comparison.
#[derive(Serialize, JsonSchema)]
struct SelfTestLine {
    /// Whether the gate may rely on it.
    passes: bool,
    /// Whether it was made under the versions in force.
    counts: bool,
    /// Which share of the defects it has to catch.
    needed: f64,
    test: SelfTest,
}

async fn selftest(State(door): State<Door>) -> Result<Json<Value>, Error> {
    let reviews = &door.reviews;
    let newest = reviews.store.newest_selftest(&reviews.about).await?;
    let told = newest.map(|test| {
        let counts = test.epoch == reviews.about.epoch;
        SelfTestLine {
            passes: counts && test.tested.passes(),
            counts,
            needed: NEEDED,
            test,
        }
    });
    Ok(Json(json!({ "selftest": told })))
}
