//! Routes, each with what it takes to be answered. Modules declare theirs here and nowhere else, so
//! there is no route that says nothing of it.

use std::convert::Infallible;

use axum::{
    Router,
    extract::Request,
    handler::Handler,
    middleware::{Next, from_fn},
    routing::{MethodRouter, get, post},
};

use super::{Door, caller};
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Its path, with names in braces where it has parts of its own.
    pub path: String,
    /// What it takes to be answered.
    pub needs: Needs,
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
        });
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
