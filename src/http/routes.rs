//! Routes, each with what it takes to be answered. Modules declare theirs here and nowhere else, so
//! there is no route that says nothing of it.
//!
//! A route of the API says what it is for as well, in the words that follow it:
//! `.get("/runs/{id}", Action::View, one).says("One run").answers::<RunDetail>()`.

use std::convert::Infallible;

use axum::{
    Router,
    extract::Request,
    handler::Handler,
    middleware::{Next, from_fn},
    routing::{MethodRouter, get, post},
};
use schemars::JsonSchema;

use super::{
    Door, caller,
    field::Field,
    paging,
    words::{Answer, Content, Part, Words, shape},
};
use crate::access::Action;

/// What it takes to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: what says nothing about anybody, and what signing in itself takes.
    Nothing,
    /// To be signed in, as anybody.
    SignedIn,
    /// To be allowed this in the environment that is served.
    May(Action),
}

impl From<Action> for Needs {
    fn from(action: Action) -> Self {
        Self::May(action)
    }
}

/// A route as it was declared.
#[derive(Clone, Debug)]
pub struct Declared {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Its path, with names in braces where it has parts of its own.
    pub path: String,
    /// What it takes to be answered.
    pub needs: Needs,
    /// What it says of itself.
    pub(super) words: Option<Words>,
}

impl Declared {
    /// Whether it says what it is for and what it answers, as every route of the API has to.
    pub fn is_told(&self) -> bool {
        let words = self.words.as_ref();
        words.is_some_and(|words| !words.summary.is_empty() && !words.answers.is_empty())
    }
}

/// Routes, and what each takes.
pub(super) struct Routes {
    router: Router<Door>,
    declared: Vec<Declared>,
}

impl Routes {
    pub(super) fn new() -> Self {
        Self {
            router: Router::new(),
            declared: Vec::new(),
        }
    }

    /// Something to be read.
    pub(super) fn get<H, T>(self, path: &str, needs: impl Into<Needs>, handler: H) -> Self
    where
        H: Handler<T, Door>,
        T: 'static,
    {
        self.add("GET", path, needs.into(), get(handler))
    }

    /// Something that changes what is so.
    pub(super) fn post<H, T>(self, path: &str, needs: impl Into<Needs>, handler: H) -> Self
    where
        H: Handler<T, Door>,
        T: 'static,
    {
        self.add("POST", path, needs.into(), post(handler))
    }

    fn add(
        mut self,
        method: &'static str,
        path: &str,
        needs: Needs,
        answers: MethodRouter<Door, Infallible>,
    ) -> Self {
        let admit = move |request: Request, next: Next| caller::admit(needs, request, next);
        self.router = self.router.route(path, answers.route_layer(from_fn(admit)));
        self.declared.push(Declared {
            method,
            path: path.to_owned(),
            needs,
            words: None,
        });
        self
    }

    /// What the route before is for, in a line.
    pub(super) fn says(self, summary: &'static str) -> Self {
        self.word(|words| words.summary = summary)
    }

    /// What may be asked for in its query.
    pub(super) fn asks(self, query: &[Field]) -> Self {
        self.word(|words| words.query.extend_from_slice(query))
    }

    /// The fields of its body; with none of them it is `{}`.
    pub(super) fn takes(self, fields: &[Field]) -> Self {
        self.word(|words| words.body = Some(fields.to_vec()))
    }

    /// It answers with a type as JSON.
    pub(super) fn answers<T: JsonSchema>(self) -> Self {
        self.answer(200, Content::Json(shape::<T>))
    }

    /// It answers with a JSON object of these fields.
    pub(super) fn answers_with(self, parts: &'static [Part]) -> Self {
        self.answer(200, Content::Object(parts))
    }

    /// Or with a JSON object of these fields, and another status.
    pub(super) fn or(self, status: u16, parts: &'static [Part]) -> Self {
        self.answer(status, Content::Object(parts))
    }

    /// It answers with pages of a list of these, under that name.
    pub(super) fn lists<T: JsonSchema>(self, name: &'static str) -> Self {
        self.asks(&paging::FIELDS)
            .answer(200, Content::Page(name, shape::<T>))
    }

    /// It answers with a document of that media type.
    pub(super) fn writes(self, media_type: &'static str) -> Self {
        self.answer(200, Content::Other(media_type))
    }

    /// It answers with a status alone; says what that means.
    pub(super) fn or_bare(self, status: u16, meaning: &'static str) -> Self {
        self.answer(status, Content::Nothing(meaning))
    }

    fn answer(self, status: u16, holds: Content) -> Self {
        self.word(|words| words.answers.push(Answer { status, holds }))
    }

    /// Adds to what the newest route says of itself.
    fn word(mut self, add: impl FnOnce(&mut Words)) -> Self {
        if let Some(route) = self.declared.last_mut() {
            add(route.words.get_or_insert_default());
        }
        self
    }

    /// With the routes of another module.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.declared.extend(other.declared);
        self
    }

    /// With the routes of another module below a path.
    pub(super) fn nest(mut self, below: &str, other: Self) -> Self {
        self.router = self.router.nest(below, other.router);
        self.declared
            .extend(other.declared.into_iter().map(|route| Declared {
                path: format!("{below}{}", route.path),
                ..route
            }));
        self
    }

    /// What says that there is nothing, where there is nothing.
    pub(super) fn fallback<H, T>(mut self, handler: H) -> Self
    where
        H: Handler<T, Door>,
        T: 'static,
    {
        self.router = self.router.fallback(handler);
        self
    }

    /// What serves them.
    pub(super) fn into_router(self) -> Router<Door> {
        self.router
    }

    /// What was declared.
    pub(super) fn declared(self) -> Vec<Declared> {
        self.declared
    }
}
