//! The desk where differences are judged: the queue, one item, clusters, rules that hide.
//!
//! Everything works by links and forms; `reviews.js` only presses them at keys.

mod clusters;
mod item;
mod queue;
mod rules;

use serde::{Deserialize, Serialize};

use super::{
    super::{Error, Routes, body::wrong},
    paging::{self, page_of},
};
use crate::{
    access::{Action, Caller},
    compare::{Field, Severity},
    reviews::{ItemKind, Judgement, Order, Says, Sought, Standing},
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/reviews", Action::View, queue::page)
        .get("/reviews/items/{id}", Action::Review, item::page)
        .post("/reviews/items/{id}/verdict", Action::Review, item::say)
        .post("/reviews/items/{id}/choice", Action::Review, item::choose)
        .get(
            "/reviews/items/{id}/sound",
            Action::ReadReports,
            item::sound,
        )
        .get("/reviews/clusters", Action::Review, clusters::list)
        .get("/reviews/clusters/{id}", Action::Review, clusters::page)
        .post(
            "/reviews/clusters/{id}/verdict",
            Action::Review,
            clusters::say,
        )
        .get("/reviews/rules", Action::View, rules::page)
        .post("/reviews/rules", Action::MakeRules, rules::make)
        .post(
            "/reviews/rules/{id}/removal",
            Action::MakeRules,
            rules::remove,
        )
}

/// What addresses of the desk carry: what is sought of the queue, and how it is looked at.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Trail {
    kind: Option<String>,
    field: Option<String>,
    severity: Option<String>,
    cluster: Option<String>,
    order: Option<String>,
    page: Option<String>,
    /// Who reviews, where nobody has to sign in.
    by: Option<String>,
    /// `yes` where sides are shown without saying whose they are.
    blind: Option<String>,
    /// The side somebody found better of a difference they saw blind.
    chose: Option<String>,
    /// The item that was judged just now.
    judged: Option<String>,
}

impl Trail {
    /// What is sought. What has waited longest comes first unless somebody says otherwise.
    fn sought(&self) -> Result<Sought, Error> {
        fn one<T>(
            name: &str,
            given: Option<&String>,
            parse: impl Fn(&str) -> Option<T>,
            remedy: &str,
        ) -> Result<Option<T>, Error> {
            let given = given.filter(|given| !given.is_empty());
            let one = given.map(|given| parse(given).ok_or_else(|| wrong(name, remedy)));
            one.transpose()
        }
        let kind = "choose `difference`, `sample`, `title` or `summary`";
        let order = "choose `oldest` or `gravest`";
        Ok(Sought {
            kind: one("kind", self.kind.as_ref(), ItemKind::parse, kind)?,
            field: one("field", self.field.as_ref(), Field::parse, "choose a field")?,
            severity: one(
                "severity",
                self.severity.as_ref(),
                Severity::parse,
                "choose S0, S1, S2 or S3",
            )?,
            cluster: self.cluster.clone().filter(|cluster| !cluster.is_empty()),
            order: one("order", self.order.as_ref(), Order::parse, order)?.unwrap_or(Order::Oldest),
        })
    }

    fn page(&self) -> Result<usize, Error> {
        page_of(self.page.as_deref())
    }

    fn is_blind(&self) -> bool {
        self.blind.as_deref() == Some("yes")
    }

    /// An address that goes on looking as this one does.
    fn to(&self, path: &str) -> String {
        self.with(path, self.blind.as_deref(), None)
    }

    /// The same for the next item, after one was judged.
    fn after(&self, path: &str, judged: &str) -> String {
        self.with(path, self.blind.as_deref(), Some(judged))
    }

    fn with(&self, path: &str, blind: Option<&str>, judged: Option<&str>) -> String {
        paging::link(
            path,
            &[
                ("kind", self.kind.as_deref()),
                ("field", self.field.as_deref()),
                ("severity", self.severity.as_deref()),
                ("cluster", self.cluster.as_deref()),
                ("order", self.order.as_deref()),
                ("by", self.by.as_deref()),
                ("blind", blind),
                ("judged", judged),
            ],
        )
    }

    /// Who reviews.
    fn reviewer(&self, caller: &Caller) -> String {
        match &caller.name {
            Some(name) => name.clone(),
            None => self
                .by
                .as_deref()
                .map(str::trim)
                .filter(|by| !by.is_empty() && by.len() <= 200)
                .map_or_else(|| caller.shown().to_owned(), str::to_owned),
        }
    }
}

/// A verdict by its name.
fn said_as(name: &str) -> Result<Says, Error> {
    Says::parse(name).ok_or_else(|| {
        Error::BadRequest("no verdict is chosen; press one of the buttons".to_owned())
    })
}

/// An item in one line.
fn headline(kind: ItemKind, about: Option<&Judgement>) -> String {
    match (kind, about) {
        (ItemKind::Difference, Some(about)) => {
            let class = about.class.as_str().replace('_', " ");
            format!("{}: {class}", about.field.label())
        }
        (ItemKind::Difference, None) => "A difference".to_owned(),
        (ItemKind::Sample, _) => "The recording as a whole".to_owned(),
        (ItemKind::Title, _) => "Which title is better?".to_owned(),
        (ItemKind::Summary, _) => "Which summary is better?".to_owned(),
    }
}

/// How an item stands, in a sentence's end: who said so, and until when.
fn told(standing: &Standing) -> String {
    match standing {
        Standing::Open => "nobody has said anything that counts".to_owned(),
        Standing::NeedsInfo { by, reason } => format!("{by} asks: {reason}"),
        Standing::Accepted { by, carried: false } => format!("accepted by {by}"),
        Standing::Accepted { by, carried: true } => {
            format!("accepted by {by} under earlier versions")
        }
        Standing::Rejected { by, owner, reason } => {
            format!("rejected by {by}, {owner} is to mend it: {reason}")
        }
        Standing::Waived { by, owner, until } => format!(
            "waived by {} until {}, {owner} answers for it",
            by.join(" and "),
            until.format("%Y-%m-%d %H:%M UTC")
        ),
        Standing::HalfWaived { by } => {
            format!("waived by {by}; S1 takes a second person")
        }
        Standing::Reaffirm { by } => {
            format!("waived by {by} under earlier versions; somebody has to say so again")
        }
        Standing::Hidden { rule } => format!("hidden by rule {rule}"),
    }
}
